"""The one pydantic base of everything that a person or a file says.

A validator that looks at several fields says `<field> is <seen>, must be <required>`, one line for each mistake: the sweep file's reader
finds the place by it.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """Immutable, and refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Unit:
    """Says what a number counts or measures: `Annotated[int, Unit("epochs")]`."""

    name: str


def later(default: Any, **rest: Any) -> Any:
    """Return a field that came after its model: left out of what is stored and hashed while it has its default.

    What was stored before the field existed is thus the same content as what is stored today, with the same hash.
    """
    return Field(default=default, exclude_if=lambda value: value == default, **rest)
