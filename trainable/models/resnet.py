"""Residual network of basic blocks for small images: stem, stages, global average, one linear layer. Imports torch alone.

Source: He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385, in its CIFAR form: the stem has stride 1
and no max-pool follows. This file stands alone: a finished model's `model.py` begins with it, as it is.

Shapes: B batch, C channels, H height, W width, K classes.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import avg_pool2d


class ResNet(nn.Module):
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
            in_channels: Channels of the images, 1 or 3.
            num_classes: Logits per image.
            dropout: Probability of dropping a feature before the linear layer, 0 <= dropout < 1.
        """
        super().__init__()
        widths = [channels * 2**stage for stage in range(len(blocks))] if isinstance(channels, int) else list(channels)
        width = stem_channels or widths[0]
        self.stem = nn.Sequential(*conv_norm(in_channels, width, kernel=stem_kernel), nn.ReLU(inplace=True))
        stages = []
        for stage, (num_blocks, stage_width) in enumerate(zip(blocks, widths, strict=True)):
            stage_blocks = []
            for block in range(num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                stage_blocks.append(BasicBlock(width, stage_width, stride=stride, kernel=block_kernel, skip_kernel=skip_kernel))
                width = stage_width
            stages.append(nn.Sequential(*stage_blocks))
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Return logits_BK of normalized images_BCHW."""
        maps_BCHW = self.stages(self.stem(images_BCHW))
        # Not `mean`: its gradient has no layout of its own, and the last block's backward pass would be slower for it.
        features_BC = avg_pool2d(maps_BCHW, maps_BCHW.shape[2:]).flatten(1)
        logits_BK: torch.Tensor = self.head(self.dropout(features_BC))
        return logits_BK


class BasicBlock(nn.Module):
    """Convolution, norm, ReLU, convolution, norm; the skip is added; ReLU."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, kernel: int, skip_kernel: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *conv_norm(in_channels, channels, kernel=kernel, stride=stride),
            nn.ReLU(inplace=True),
            *conv_norm(channels, channels, kernel=kernel),
        )
        same_shape = stride == 1 and in_channels == channels
        self.skip = nn.Identity() if same_shape else nn.Sequential(*conv_norm(in_channels, channels, kernel=skip_kernel, stride=stride))

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Return maps of the block's channels; height and width divided by its stride, rounded up."""
        return torch.relu_(self.body(maps_BCHW).add_(self.skip(maps_BCHW)))


def conv_norm(in_channels: int, channels: int, *, kernel: int, stride: int = 1) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Return a convolution that keeps sizes (up to its stride) and the batch norm that stands in for its bias."""
    return nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(channels)
