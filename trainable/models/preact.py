"""Norm-first residual network for small images: nothing but additions lies on the way from stem to head. Imports torch alone.

Source: He et al., "Identity Mappings in Deep Residual Networks", 2016, arXiv:1603.05027, in its CIFAR form. This file stands alone: a
finished model's `model.py` begins with it, as it is.

Shapes: B batch, C channels, H height, W width, K classes.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

# None in place: where there is no norm, what comes in is also what the skip keeps.
PREACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
}
# Groups of a group norm. Wu & He, 2018, arXiv:1803.08494, table 3: 24.4 % error on ImageNet with 8, 24.1 % with the usual 32, which
# the narrow stages of networks for small images do not have.
GROUPS = 8


class PreactResNet(nn.Module):
    """Images in, logits out; any height and width will do."""

    def __init__(
        self,
        *,
        blocks: Sequence[int],
        channels: int | Sequence[int],
        stem_channels: int | None = None,
        stem_kernel: int = 3,
        block_kernel: int = 3,
        skip_kernel: int = 1,
        activation: str = "relu",
        norm: str = "batch",
        block_dropout: float = 0.0,
        in_channels: int,
        num_classes: int,
        dropout: float = 0.0,
    ) -> None:
        """Build the network with fresh weights from torch's global generator.

        Args:
            blocks: Blocks in each stage. Every stage but the first halves height and width.
            channels: Channels of the first stage, doubled at each later one; or one number a stage.
            stem_channels: Channels of the stem convolution; those of the first stage by default.
            stem_kernel: Kernel of the stem convolution, odd.
            block_kernel: Kernel of the convolutions inside blocks, odd.
            skip_kernel: Kernel of the convolution on a skip that changes shape, odd.
            activation: A key of PREACTIVATIONS.
            norm: batch, group, or none; the convolutions have a bias where there is none.
            block_dropout: Probability of dropping a value between the two convolutions of a block, 0 <= block_dropout < 1.
            in_channels: Channels of the images, 1 or 3.
            num_classes: Logits per image.
            dropout: Probability of dropping a feature before the linear layer, 0 <= dropout < 1.
        """
        super().__init__()
        widths = [channels * 2**stage for stage in range(len(blocks))] if isinstance(channels, int) else list(channels)
        width = stem_channels or widths[0]
        self.stem = conv(in_channels, width, kernel=stem_kernel, bias=norm == "none")
        stages = []
        for stage, (num_blocks, stage_width) in enumerate(zip(blocks, widths, strict=True)):
            stage_blocks = []
            for block in range(num_blocks):
                stage_blocks.append(
                    PreactBlock(
                        width,
                        stage_width,
                        stride=2 if stage > 0 and block == 0 else 1,
                        kernel=block_kernel,
                        skip_kernel=skip_kernel,
                        activation=activation,
                        norm=norm,
                        dropout=block_dropout,
                    )
                )
                width = stage_width
            stages.append(nn.Sequential(*stage_blocks))
        self.stages = nn.Sequential(*stages)
        self.last = nn.Sequential(*norm_act(width, norm=norm, activation=activation))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Return logits_BK of normalized images_BCHW."""
        maps_BCHW = self.last(self.stages(self.stem(images_BCHW)))
        # Not `mean`: its gradient has no layout of its own, and the last block's backward pass would be slower for it.
        features_BC = avg_pool2d(maps_BCHW, maps_BCHW.shape[2:]).flatten(1)
        logits_BK: torch.Tensor = self.head(self.dropout(features_BC))
        return logits_BK


class PreactBlock(nn.Module):
    """Norm, activation, convolution, twice; the skip is added. A skip that changes shape starts behind the first activation."""

    def __init__(
        self, in_channels: int, channels: int, *, stride: int, kernel: int, skip_kernel: int, activation: str, norm: str, dropout: float
    ) -> None:
        super().__init__()
        bias = norm == "none"
        self.first = nn.Sequential(*norm_act(in_channels, norm=norm, activation=activation))
        self.body = nn.Sequential(
            conv(in_channels, channels, kernel=kernel, stride=stride, bias=bias),
            *norm_act(channels, norm=norm, activation=activation),
            *([nn.Dropout(dropout)] if dropout else []),
            conv(channels, channels, kernel=kernel, bias=bias),
        )
        same_shape = stride == 1 and in_channels == channels
        self.skip = None if same_shape else conv(in_channels, channels, kernel=skip_kernel, stride=stride, bias=bias)

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Return maps of the block's channels; height and width divided by its stride, rounded up."""
        activated_BCHW = self.first(maps_BCHW)
        added_BCHW: torch.Tensor = self.body(activated_BCHW) + (maps_BCHW if self.skip is None else self.skip(activated_BCHW))
        return added_BCHW


def conv(in_channels: int, channels: int, *, kernel: int, stride: int = 1, bias: bool) -> nn.Conv2d:
    """Return a convolution that keeps sizes, up to its stride."""
    return nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, bias=bias)


def norm_act(channels: int, *, norm: str, activation: str) -> list[nn.Module]:
    """Return the norm, if any, and the activation behind it."""
    match norm:
        case "batch":
            return [nn.BatchNorm2d(channels), PREACTIVATIONS[activation]()]
        case "group":
            return [nn.GroupNorm(GROUPS, channels), PREACTIVATIONS[activation]()]
    return [PREACTIVATIONS[activation]()]
