"""VGG for small images: 3x3 convolutions in five groups with a max-pool behind each, then one linear layer. Imports torch alone.

Source: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014, arXiv:1409.1556, table 1. An
image of 32x32 is down to one pixel after the last pool, so one linear layer takes the place of the paper's three. This file stands
alone: a finished model's `model.py` begins with it, as it is.

Shapes: B batch, C channels, H height, W width, K classes.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

# Convolutions in each of the five groups: the columns of the paper's table 1, of 11, 13, 16 and 19 layers.
LAYOUTS = {"A": (1, 1, 2, 2, 2), "B": (2, 2, 2, 2, 2), "D": (2, 2, 3, 3, 3), "E": (2, 2, 4, 4, 4)}
# Channels of the five groups, in those of the first.
WIDTHS = (1, 2, 4, 8, 8)
# In place where torch needs only the result for the backward pass.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(inplace=True),
    "elu": lambda: nn.ELU(inplace=True),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
}


class VGG(nn.Module):
    """Images in, logits out; any height and width will do."""

    def __init__(
        self,
        *,
        layout: str,
        channels: int = 64,
        norm: str = "batch",
        activation: str = "relu",
        in_channels: int,
        num_classes: int,
        dropout: float = 0.0,
    ) -> None:
        """Build the network with fresh weights from torch's global generator.

        Args:
            layout: A key of LAYOUTS.
            channels: Channels of the first group, at least 1; the last two have eight times as many. The paper's is 64.
            norm: batch, or none as in the paper. The convolutions have a bias in both cases, as torchvision's have.
            activation: A key of ACTIVATIONS.
            in_channels: Channels of the images, 1 or 3.
            num_classes: Logits per image.
            dropout: Probability of dropping a feature before the linear layer, 0 <= dropout < 1.
        """
        super().__init__()
        layers: list[nn.Module] = []
        width = in_channels
        for multiple, num_convolutions in zip(WIDTHS, LAYOUTS[layout], strict=True):
            for _ in range(num_convolutions):
                layers.append(nn.Conv2d(width, multiple * channels, 3, padding=1))
                width = multiple * channels
                if norm == "batch":
                    layers.append(nn.BatchNorm2d(width))
                layers.append(ACTIVATIONS[activation]())
            # Rounded up, so that a map of one pixel stays: images below 32x32 pass, too.
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.get_parameter("bias"))

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Return logits_BK of normalized images_BCHW."""
        maps_BCHW = self.features(images_BCHW)
        features_BC = avg_pool2d(maps_BCHW, maps_BCHW.shape[2:]).flatten(1)
        logits_BK: torch.Tensor = self.head(self.dropout(features_BC))
        return logits_BK
