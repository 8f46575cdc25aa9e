import pytest
import torch
import torchvision
from torch import nn

from trainable.models.vgg import LAYOUTS, VGG

TORCHVISION = {"A": "vgg11", "B": "vgg13", "D": "vgg16", "E": "vgg19"}


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_features_are_torchvisions(layout: str, norm: str) -> None:
    with torch.device("meta"):
        ours = VGG(layout=layout, norm=norm, in_channels=3, num_classes=10)
        theirs = getattr(torchvision.models, TORCHVISION[layout] + ("_bn" if norm == "batch" else ""))(weights=None)
    shapes = [weight.shape for weight in ours.features.parameters()]
    assert shapes == [weight.shape for weight in theirs.features.parameters()]
    assert [type(layer) for layer in ours.features] == [type(layer) for layer in theirs.features]
    assert sum(weight.numel() for weight in ours.head.parameters()) == 512 * 10 + 10


def test_features_compute_what_torchvisions_compute() -> None:
    torch.manual_seed(0)
    ours = VGG(layout="A", in_channels=3, num_classes=10)
    with torch.device("meta"):
        theirs = torchvision.models.vgg11_bn(weights=None).features
    theirs = theirs.to_empty(device="cpu")
    theirs.load_state_dict(ours.features.state_dict())
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(ours.features.eval()(images), theirs.eval()(images))


def test_narrow_network_keeps_the_proportions() -> None:
    module = VGG(layout="A", channels=4, in_channels=3, num_classes=10)
    assert [layer.out_channels for layer in module.features if isinstance(layer, nn.Conv2d)] == [4, 8, 16, 16, 32, 32, 32, 32]
    assert module(torch.rand(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("size", [8, 12, 28, 32, 64])
def test_images_of_many_sizes_pass(size: int) -> None:
    module = VGG(layout="A", in_channels=1, num_classes=4)
    assert module(torch.rand(2, 1, size, size)).shape == (2, 4)


def test_32_pixels_end_as_one() -> None:
    with torch.device("meta"):
        module = VGG(layout="E", norm="none", in_channels=3, num_classes=10)
        assert module.features(torch.empty(1, 3, 32, 32)).shape == (1, 512, 1, 1)
    assert sum(isinstance(layer, nn.Conv2d) for layer in module.features) + 3 == 19  # with the paper's three linear layers
