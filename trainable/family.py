"""Configuration -> network: which module each family is."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

from trainable import builder
from trainable.config.builder import BuilderConfig
from trainable.config.model import ModelConfig
from trainable.errors import ModelError
from trainable.models.preact import PreactResNet
from trainable.models.resnet import ResNet
from trainable.models.vgg import VGG
from trainable.models.wide_resnet import WideResNet

FAMILIES: Mapping[str, type[nn.Module]] = MappingProxyType(
    {"resnet": ResNet, "preact": PreactResNet, "wide_resnet": WideResNet, "vgg": VGG}
)


def build(model: ModelConfig, *, image: tuple[int, int, int], num_classes: int, dropout: float) -> nn.Module:
    """Return the network, its weights drawn from torch's global generator (none are drawn on the meta device).

    Args:
        model: The network in words.
        image: Channels, height and width of one image, each >= 1.
        num_classes: Logits per image, >= 1.
        dropout: Probability of dropping a feature before the last linear layer, 0 <= dropout < 1; a builder is not given it.

    Raises:
        ModelError: There is no such network for images of this size, or the user's function does not build one.
    """
    given = arguments(model, image=image, num_classes=num_classes, dropout=dropout)
    if isinstance(model, BuilderConfig):
        return builder.call(model, given)
    try:
        return FAMILIES[model.family](**given)
    except ValueError as error:  # how a family's module, which knows torch alone, says that its arguments do not go together
        raise ModelError(str(error)) from None


def arguments(model: ModelConfig, *, image: tuple[int, int, int], num_classes: int, dropout: float) -> dict[str, Any]:
    """Return the keyword arguments that `build` gives the family's module or the user's function, as plain literals."""
    fixed = {"in_channels": image[0], "num_classes": num_classes}
    if isinstance(model, BuilderConfig):
        return model.kwargs | fixed
    words = {name: getattr(model, name) for name in type(model).model_fields if name not in ("family", "label", "dropout")}
    if words.get("pool") is not None:
        words["image_size"] = image[1:]
    return words | fixed | {"dropout": dropout}
