"""Residual network of basic blocks for small images: stem, stages, average pool, one linear layer. Imports torch alone.

Source: He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385, in its CIFAR form: the stem has stride 1
and no max-pool follows. This file stands alone: a finished model's `model.py` begins with it, as it is.

Shapes: B batch, C channels, H height, W width, K classes.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

# In place where torch needs only the result for the backward pass.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(inplace=True),
    "elu": lambda: nn.ELU(inplace=True),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
}
# Groups of a group norm. Wu & He, 2018, arXiv:1803.08494, table 3: 24.4 % error on ImageNet with 8, 24.1 % with the usual 32, which
# the narrow stages of networks for small images do not have.
GROUPS = 8


class ResNet(nn.Module):
    """Images in, logits out; any height and width will do, unless `pool` is given."""

    def __init__(
        self,
        *,
        blocks: Sequence[int],
        channels: int | Sequence[int],
        stem_channels: int | None = None,
        stem_kernel: int = 3,
        stem_layers: int = 1,
        block_kernel: int = 3,
        skip_kernel: int = 1,
        pool: int | None = None,
        image_size: tuple[int, int] | None = None,
        activation: str = "relu",
        norm: str = "batch",
        se_ratio: int | None = None,
        zero_init: bool = False,
        block_dropout: float = 0.0,
        in_channels: int,
        num_classes: int,
        dropout: float = 0.0,
    ) -> None:
        """Build the network with fresh weights from torch's global generator.

        Args:
            blocks: Blocks in each stage. Every stage but the first halves height and width.
            channels: Channels of the first stage, doubled at each later one; or one number a stage.
            stem_channels: Channels of the stem's convolutions; those of the first stage by default.
            stem_kernel: Kernel of the stem's convolutions, odd.
            stem_layers: Convolutions in the stem, each with its norm and activation, >= 1.
            block_kernel: Kernel of the convolutions inside blocks, odd.
            skip_kernel: Kernel of the convolution on a skip that changes shape, odd.
            pool: Size and stride of the average pool before the linear layer; the whole map by default.
            image_size: Height and width of the images; needed with `pool` alone, for the linear layer then depends on it.
            activation: A key of ACTIVATIONS.
            norm: batch, group, or none; the convolutions have a bias where there is none.
            se_ratio: Channels per hidden unit of a squeeze-and-excitation at the end of each block; None leaves it out.
            zero_init: Whether the last norm of each block begins at zero, so that the block begins as its skip.
            block_dropout: Probability of dropping a value between the two convolutions of a block, 0 <= block_dropout < 1.
            in_channels: Channels of the images, 1 or 3.
            num_classes: Logits per image.
            dropout: Probability of dropping a feature before the linear layer, 0 <= dropout < 1.

        Raises:
            ValueError: `pool` is larger than the map it averages.
        """
        super().__init__()
        widths = [channels * 2**stage for stage in range(len(blocks))] if isinstance(channels, int) else list(channels)
        width = stem_channels or widths[0]
        stem: list[nn.Module] = []
        for layer in range(stem_layers):
            stem += [*conv_norm(width if layer else in_channels, width, kernel=stem_kernel, norm=norm), ACTIVATIONS[activation]()]
        self.stem = nn.Sequential(*stem)
        stages = []
        for stage, (num_blocks, stage_width) in enumerate(zip(blocks, widths, strict=True)):
            stage_blocks = []
            for block in range(num_blocks):
                stage_blocks.append(
                    BasicBlock(
                        width,
                        stage_width,
                        stride=2 if stage > 0 and block == 0 else 1,
                        kernel=block_kernel,
                        skip_kernel=skip_kernel,
                        activation=activation,
                        norm=norm,
                        se_ratio=se_ratio,
                        zero_init=zero_init,
                        dropout=block_dropout,
                    )
                )
                width = stage_width
            stages.append(nn.Sequential(*stage_blocks))
        self.stages = nn.Sequential(*stages)
        self.pool = pool
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width * num_pooled(pool, image_size, num_stages=len(blocks)), num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Return logits_BK of normalized images_BCHW."""
        maps_BCHW = self.stages(self.stem(images_BCHW))
        # Not `mean`: its gradient has no layout of its own, and the last block's backward pass would be slower for it.
        features_BC = avg_pool2d(maps_BCHW, self.pool or maps_BCHW.shape[2:]).flatten(1)
        logits_BK: torch.Tensor = self.head(self.dropout(features_BC))
        return logits_BK


class BasicBlock(nn.Module):
    """Convolution, norm, activation, convolution, norm; the skip is added; activation."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        stride: int,
        kernel: int,
        skip_kernel: int,
        activation: str,
        norm: str,
        se_ratio: int | None,
        zero_init: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        first = conv_norm(in_channels, channels, kernel=kernel, stride=stride, norm=norm)
        last = conv_norm(channels, channels, kernel=kernel, norm=norm)
        if zero_init:
            nn.init.zeros_(last[-1].get_parameter("weight"))
        self.body = nn.Sequential(
            *first,
            ACTIVATIONS[activation](),
            *([nn.Dropout(dropout)] if dropout else []),
            *last,
            *([SqueezeExcitation(channels, se_ratio)] if se_ratio else []),
        )
        same_shape = stride == 1 and in_channels == channels
        skip = [] if same_shape else conv_norm(in_channels, channels, kernel=skip_kernel, stride=stride, norm=norm)
        self.skip = nn.Sequential(*skip) if skip else nn.Identity()
        self.activation = ACTIVATIONS[activation]()

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Return maps of the block's channels; height and width divided by its stride, rounded up."""
        activated_BCHW: torch.Tensor = self.activation(self.body(maps_BCHW).add_(self.skip(maps_BCHW)))
        return activated_BCHW


class SqueezeExcitation(nn.Module):
    """Each channel is scaled by a number in 0..1 that follows from the means of all channels.

    Source: Hu et al., "Squeeze-and-Excitation Networks", 2017, arXiv:1709.01507; `ratio` is the paper's r.
    """

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // ratio)
        self.excite = nn.Linear(channels // ratio, channels)

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the maps, scaled."""
        means_BC = avg_pool2d(maps_BCHW, maps_BCHW.shape[2:]).flatten(1)
        scales_BC = torch.sigmoid(self.excite(torch.relu(self.squeeze(means_BC))))
        return maps_BCHW * scales_BC[:, :, None, None]


def conv_norm(in_channels: int, channels: int, *, kernel: int, stride: int = 1, norm: str) -> list[nn.Module]:
    """Return a convolution that keeps sizes (up to its stride), and the norm that stands in for its bias."""
    convolution = nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, bias=norm == "none")
    match norm:
        case "batch":
            return [convolution, nn.BatchNorm2d(channels)]
        case "group":
            return [convolution, nn.GroupNorm(GROUPS, channels)]
    return [convolution]


def num_pooled(pool: int | None, image_size: tuple[int, int] | None, *, num_stages: int) -> int:
    """Return how many values of a channel are left after the average pool."""
    if pool is None:
        return 1
    if image_size is None:
        raise ValueError(f"image_size is None, must be given where pool is {pool}")
    height, width = (math.ceil(side / (1 << (num_stages - 1))) for side in image_size)  # each stage but the first halves, rounding up
    if pool > min(height, width):
        raise ValueError(f"pool is {pool}, must be at most {min(height, width)}: the last stage's map is {height} by {width}")
    return (height // pool) * (width // pool)
