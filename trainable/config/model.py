"""A network, said in words: a family of ours with its fields, or the user's own builder."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from trainable.config.builder import BuilderConfig
from trainable.config.families import PreactConfig, ResNetConfig, VGGConfig, WideResNetConfig


def family_of(model: Any) -> Any:
    """Return the family that a mapping means: the one it names, else that of its builder, else resnet. None for what is no mapping."""
    if isinstance(model, Mapping):
        return model.get("family", "builder" if "builder" in model else "resnet")
    return getattr(model, "family", None)


# The tag of each is its `family`.
ModelConfig = Annotated[
    Annotated[ResNetConfig, Tag("resnet")]
    | Annotated[PreactConfig, Tag("preact")]
    | Annotated[WideResNetConfig, Tag("wide_resnet")]
    | Annotated[VGGConfig, Tag("vgg")]
    | Annotated[BuilderConfig, Tag("builder")],
    Discriminator(family_of),
]
