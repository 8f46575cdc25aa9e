"""Wide residual network, WRN-depth-width: few layers, many channels, norm first. Imports torch alone.

Source: Zagoruyko & Komodakis, "Wide Residual Networks", 2016, arXiv:1605.07146. This file stands alone: a finished model's `model.py`
begins with it, as it is.

Shapes: B batch, C channels, H height, W width, K classes.
"""

from collections.abc import Callable

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
STEM_CHANNELS = 16
STAGE_CHANNELS = (16, 32, 64)  # times the width


class WideResNet(nn.Module):
    """Images in, logits out; any height and width will do."""

    def __init__(
        self,
        *,
        depth: int,
        width: int,
        activation: str = "relu",
        block_dropout: float = 0.0,
        in_channels: int,
        num_classes: int,
        dropout: float = 0.0,
    ) -> None:
        """Build the network with fresh weights from torch's global generator.

        Args:
            depth: Convolutions on the longest way, 6n + 4 for n blocks in each of three stages, >= 10.
            width: Factor on the channels 16, 32, 64 of the stages, >= 1. The paper's k.
            activation: A key of ACTIVATIONS.
            block_dropout: Probability of dropping a value between the two convolutions of a block, 0 <= block_dropout < 1.
            in_channels: Channels of the images, 1 or 3.
            num_classes: Logits per image.
            dropout: Probability of dropping a feature before the linear layer, 0 <= dropout < 1.
        """
        super().__init__()
        self.stem = nn.Conv2d(in_channels, STEM_CHANNELS, 3, padding=1, bias=False)
        channels = STEM_CHANNELS
        blocks = []
        for stage, stage_channels in enumerate(STAGE_CHANNELS):
            for block in range((depth - 4) // 6):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(WideBlock(channels, stage_channels * width, stride=stride, activation=activation, dropout=block_dropout))
                channels = stage_channels * width
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(nn.BatchNorm2d(channels), ACTIVATIONS[activation]())
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Return logits_BK of normalized images_BCHW."""
        maps_BCHW = self.last(self.blocks(self.stem(images_BCHW)))
        # Not `mean`: its gradient has no layout of its own, and the last block's backward pass would be slower for it.
        features_BC = avg_pool2d(maps_BCHW, maps_BCHW.shape[2:]).flatten(1)
        logits_BK: torch.Tensor = self.head(self.dropout(features_BC))
        return logits_BK


class WideBlock(nn.Module):
    """Norm, activation, convolution, twice; the skip is added. A skip that changes shape starts behind the first activation."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(in_channels), ACTIVATIONS[activation]())
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            ACTIVATIONS[activation](),
            *([nn.Dropout(dropout)] if dropout else []),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )
        same_shape = stride == 1 and in_channels == channels
        self.skip = None if same_shape else nn.Conv2d(in_channels, channels, 1, stride, bias=False)

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Return maps of the block's channels; height and width divided by its stride, rounded up."""
        activated_BCHW = self.first(maps_BCHW)
        added_BCHW: torch.Tensor = self.body(activated_BCHW) + (maps_BCHW if self.skip is None else self.skip(activated_BCHW))
        return added_BCHW
