"""Configuration -> network: which module each family is."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

from trainable.config.model import ModelConfig
from trainable.models.resnet import ResNet

FAMILIES: Mapping[str, type[nn.Module]] = MappingProxyType({"resnet": ResNet})


def build(model: ModelConfig, *, in_channels: int, num_classes: int, dropout: float) -> nn.Module:
    """Return the network, its weights drawn from torch's global generator (none are drawn on the meta device).

    Args:
        model: The network in words.
        in_channels: Channels of the images, >= 1.
        num_classes: Logits per image, >= 1.
        dropout: Probability of dropping a feature before the last linear layer, 0 <= dropout < 1.
    """
    return FAMILIES[model.family](**arguments(model, in_channels=in_channels, num_classes=num_classes, dropout=dropout))


def arguments(model: ModelConfig, *, in_channels: int, num_classes: int, dropout: float) -> dict[str, Any]:
    """Return the keyword arguments that `build` gives the family's module, as plain literals."""
    words = model.model_dump(exclude={"family", "label"})
    return words | {"in_channels": in_channels, "num_classes": num_classes, "dropout": dropout}
