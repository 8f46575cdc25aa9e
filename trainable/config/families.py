"""The networks of ours, said in words: one pydantic model per family. Field names are keyword arguments of the family's module."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainable.config.base import Frozen, Unit, later

Width = Annotated[int, Field(ge=1, le=65_536)]
Kernel = Annotated[int, Field(ge=1, le=63), Unit("pixels")]
Blocks = Annotated[tuple[Annotated[int, Field(ge=1, le=256)], ...], Field(min_length=1, max_length=8)]
Probability = Annotated[float, Field(ge=0.0, lt=1.0), Unit("probability")]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "mish"]
Norm = Literal["batch", "group", "none"]

GROUPS = 8  # of a group norm, as in trainable/models

FAMILY = "Which networks these are."
BLOCKS = "Blocks in each stage."
CHANNELS = "Channels of the first stage, doubled at each later one; or a number a stage."
ACTIVATION = "What follows a norm."
NORM = "What follows a convolution; with none the convolutions have a bias."
BLOCK_DROPOUT = "Probability of dropping a value between the two convolutions of a block."


class Network(Frozen):
    """What every family has."""

    label: str | None = Field(default=None, description="A name for tables; does not change the network.")
    # Never stored: TrainConfig keeps it as its own `dropout`.
    dropout: Probability | None = later(None, description="The same as `dropout` beside `model`; give one of them.")


class StagedConfig(Network):
    """What the residual networks of stages have in common."""

    blocks: Blocks = Field(description=BLOCKS)
    channels: Width | tuple[Width, ...] = Field(description=CHANNELS)
    stem_channels: Width | None = Field(default=None, description="Channels of the stem convolution; those of the first stage by default.")
    stem_kernel: Kernel = Field(default=3, description="Kernel of the stem convolution, odd.")
    block_kernel: Kernel = Field(default=3, description="Kernel of the convolutions inside blocks, odd.")
    skip_kernel: Kernel = Field(default=1, description="Kernel of the convolution on a skip that changes shape, odd.")
    activation: Activation = later("relu", description=ACTIVATION)
    norm: Norm = later("batch", description=NORM)
    block_dropout: Probability = later(0.0, description=BLOCK_DROPOUT)

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the channels of each stage."""
        return tuple(self.channels * 2**stage for stage in range(len(self.blocks))) if isinstance(self.channels, int) else self.channels

    @property
    def summary(self) -> str:
        """Return what the network is made of, in a few words."""
        channels = self.channels if isinstance(self.channels, int) else list(self.channels)
        return f"{list(self.blocks)} of {channels} channels"

    @model_validator(mode="after")
    def _stages_agree(self) -> "StagedConfig":
        for name in ("stem_kernel", "block_kernel", "skip_kernel"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be odd so that sizes are kept")
        if len(self.widths) != len(self.blocks):
            raise ValueError(f"channels is {list(self.widths)}, must be one number, or {len(self.blocks)} as there are stages in blocks")
        odd = next((width for width in (self.stem_channels or self.widths[0], *self.widths) if width % GROUPS), None)
        if self.norm == "group" and odd is not None:
            raise ValueError(f"norm is group, must be batch or none where a layer has {odd} channels: {GROUPS} groups do not divide them")
        return self


class ResNetConfig(StagedConfig):
    """Basic-block residual network for small images: a stem, stages of blocks, an average pool, one linear layer.

    Example:
        family: resnet
        label: my-resnet
        blocks: [2, 2, 2]
        channels: {choice: [16, 32, 64]}
        stem_channels: 32
        stem_kernel: 3
        stem_layers: 1
        block_kernel: 3
        skip_kernel: 1
        activation: {choice: [relu, silu]}
        norm: batch
        block_dropout: {uniform: [0.0, 0.3]}
        dropout: 0.1
        pool: 2
        se_ratio: 8
        zero_init: true
    """

    family: Literal["resnet"] = Field(default="resnet", description=FAMILY)
    stem_layers: Annotated[int, Field(ge=1, le=16)] = later(1, description="Convolutions in the stem, all alike.")
    pool: Kernel | None = later(None, description="Size of the average pool before the linear layer; the whole map by default.")
    se_ratio: Width | None = later(
        None, description="Squeeze-and-excitation in every block, with so many channels per hidden unit; off by default."
    )
    zero_init: bool = later(False, description="Begin with the last norm of every block at zero, each block as its skip.")

    @model_validator(mode="after")
    def _fields_agree(self) -> "ResNetConfig":
        if self.se_ratio is not None and self.se_ratio > min(self.widths):
            raise ValueError(f"se_ratio is {self.se_ratio}, must be at most {min(self.widths)}, the channels of the narrowest stage")
        if self.zero_init and self.norm == "none":
            raise ValueError("zero_init is true, must be left out where norm is none: there is no last norm")
        return self


class PreactConfig(StagedConfig):
    """Norm-first residual network: nothing but additions lies on the way from stem to head.

    Example:
        family: preact
        label: my-preact
        blocks: [2, 2, 2]
        channels: [16, 32, 64]
        stem_channels: 16
        stem_kernel: 3
        block_kernel: 3
        skip_kernel: 1
        activation: relu
        norm: group
        block_dropout: 0.1
        dropout: 0.1
    """

    family: Literal["preact"] = Field(description=FAMILY)


class WideResNetConfig(Network):
    """Wide residual network, WRN-depth-width: norm-first, three stages of 16, 32 and 64 channels times the width.

    Example:
        family: wide_resnet
        label: wrn-16-4
        depth: 16
        width: {choice: [2, 4]}
        activation: relu
        block_dropout: 0.3
        dropout: 0.0
    """

    family: Literal["wide_resnet"] = Field(description=FAMILY)
    depth: Annotated[int, Field(ge=10, le=2_000)] = Field(description="Convolutions on the longest way, 6n + 4 for n blocks a stage.")
    width: Annotated[int, Field(ge=1, le=4_096)] = Field(description="Factor on the channels of the stages.")
    activation: Activation = Field(default="relu", description=ACTIVATION)
    block_dropout: Probability = Field(default=0.0, description=BLOCK_DROPOUT)

    @property
    def summary(self) -> str:
        """Return what the network is made of, in a few words."""
        return f"{self.depth}-{self.width}"

    @model_validator(mode="after")
    def _whole_blocks(self) -> "WideResNetConfig":
        if self.depth % 6 != 4:
            below = self.depth - (self.depth - 4) % 6
            raise ValueError(f"depth is {self.depth}, must be 6n + 4 for n blocks a stage, such as {below} or {below + 6}")
        return self


class VGGConfig(Network):
    """VGG for small images: five groups of 3x3 convolutions, a max-pool behind each, one linear layer.

    Example:
        family: vgg
        label: vgg-a
        layout: {choice: [A, B]}
        channels: {choice: [16, 64]}
        norm: batch
        activation: relu
        dropout: 0.5
    """

    family: Literal["vgg"] = Field(description=FAMILY)
    layout: Literal["A", "B", "D", "E"] = Field(description="Column of the paper's table 1 (11, 13, 16 or 19 layers).")
    channels: Width = later(64, description="Channels of the first group; the last two have eight times as many.")
    norm: Literal["batch", "none"] = Field(default="batch", description="What follows a convolution; none is the paper's network.")
    activation: Activation = Field(default="relu", description=ACTIVATION)

    @property
    def summary(self) -> str:
        """Return what the network is made of, in a few words."""
        width = "" if self.channels == 64 else f" of {self.channels} channels"
        return self.layout + width + ("" if self.norm == "batch" else " without norm")
