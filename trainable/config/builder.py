"""The user's own network, said in words: the function that builds it, and what the function is given."""

import re
from typing import Any, Literal

from pydantic import Field, model_validator

from trainable.config.base import Frozen

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
REFERENCE = rf"^{NAME}(\.{NAME})*:{NAME}$"
# What the function is given besides `kwargs`; see `trainable/builder.py`.
GIVEN = ("in_channels", "num_classes")


class BuilderConfig(Frozen):
    """A network that a function of the user's builds; its file lies beside the sweep file, or is installed on every machine.

    Example:
        family: builder
        label: mine
        builder: "my_nets:make"
        kwargs: {width: {choice: [8, 16]}, dropout: {uniform: [0.0, 0.5]}}
    """

    family: Literal["builder"] = Field(default="builder", description="May be left out where there is a `builder`.")
    label: str | None = Field(default=None, description="A name for tables; does not change the network.")
    builder: str = Field(
        description="The function, as package.module:function; it returns a Module that maps images (batch, channels, height, width) "
        "to logits (batch, classes).",
        json_schema_extra={"pattern": REFERENCE},
    )
    kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description=f"Its keyword arguments; {' and '.join(GIVEN)} are given to it besides. Any of them, at any depth, may be a domain.",
    )
    code: str | None = Field(
        default=None, description="Fingerprint of its files, filled in when the sweep is run: another code is another configuration."
    )

    @property
    def module(self) -> str:
        """Return the dotted name of the module."""
        return self.builder.partition(":")[0]

    @property
    def function(self) -> str:
        """Return the name of the function in its module."""
        return self.builder.partition(":")[2]

    @property
    def summary(self) -> str:
        """Return what the network is made of, in a few words."""
        return ", ".join([self.builder, *(f"{name} {value}" for name, value in self.kwargs.items())])

    @model_validator(mode="after")
    def _can_be_called(self) -> "BuilderConfig":
        if not re.match(REFERENCE, self.builder):
            raise ValueError(f"builder is {self.builder!r}, must be package.module:function, such as my_nets:make")
        for name in self.kwargs:
            if name in GIVEN:
                raise ValueError(f"kwargs is a mapping with {name}, must be without it: it follows from the data and is given besides")
            if not re.fullmatch(NAME, name):
                raise ValueError(f"kwargs is a mapping with {name!r}, must have names of arguments as keys")
        return self
