"""A network, said in words: one pydantic model per family. The field names are the keyword arguments of the family's module."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainable.config.base import Frozen

Width = Annotated[int, Field(ge=1, le=65_536)]
Kernel = Annotated[int, Field(ge=1, le=63)]


class ResNetConfig(Frozen):
    """Basic-block residual network for small images: a stem convolution, stages of blocks, global average pool, one linear layer."""

    family: Literal["resnet"] = "resnet"
    label: str | None = Field(default=None, description="A name for tables; does not change the network.")
    blocks: tuple[Annotated[int, Field(ge=1, le=256)], ...] = Field(min_length=1, max_length=8, description="Blocks in each stage.")
    channels: Width | tuple[Width, ...] = Field(description="Channels of the first stage, doubled at each later one; or a number a stage.")
    stem_channels: Width | None = Field(default=None, description="Channels of the stem convolution; those of the first stage by default.")
    stem_kernel: Kernel = Field(default=3, description="Kernel of the stem convolution, odd.")
    block_kernel: Kernel = Field(default=3, description="Kernel of the convolutions inside blocks, odd.")
    skip_kernel: Kernel = Field(default=1, description="Kernel of the convolution on a skip that changes shape, odd.")

    @model_validator(mode="after")
    def _fields_agree(self) -> "ResNetConfig":
        for name in ("stem_kernel", "block_kernel", "skip_kernel"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be odd so that sizes are kept")
        if isinstance(self.channels, tuple) and len(self.channels) != len(self.blocks):
            raise ValueError(f"channels is {list(self.channels)}, must be one number, or {len(self.blocks)} as there are stages in blocks")
        return self


# A second family makes this a union with `family` as its discriminator.
ModelConfig = ResNetConfig
