import pytest
import torch

from trainable.config.families import WideResNetConfig
from trainable.cost import measure
from trainable.models.preact import PreactResNet
from trainable.models.wide_resnet import WideResNet


# Zagoruyko & Komodakis, arXiv:1605.07146v4, tables 4 and 5, in millions for ten classes; all digits are those of the authors' code.
@pytest.mark.parametrize(
    ("depth", "width", "millions", "parameters"),
    [(28, 10, 36.5, 36_479_194), (40, 4, 8.9, 8_949_210), (16, 8, 11.0, 10_961_370), (40, 2, 2.2, 2_243_546)],
)
def test_parameter_counts_are_the_papers(depth: int, width: int, millions: float, parameters: int) -> None:
    counted = measure(WideResNetConfig(family="wide_resnet", depth=depth, width=width), (3, 32, 32), 10).parameters
    assert round(counted / 1e6, 1) == millions
    assert counted == parameters


def test_it_is_a_norm_first_network_with_a_narrow_stem() -> None:
    wide = WideResNet(depth=16, width=2, in_channels=3, num_classes=5)
    preact = PreactResNet(blocks=[2, 2, 2], channels=32, stem_channels=16, in_channels=3, num_classes=5)
    assert [weight.shape for weight in wide.state_dict().values()] == [weight.shape for weight in preact.state_dict().values()]
    preact.load_state_dict(dict(zip(preact.state_dict(), wide.state_dict().values(), strict=True)))
    images = torch.rand(2, 3, 16, 12)
    assert torch.equal(wide.eval()(images), preact.eval()(images))


def test_maps_halve_twice() -> None:
    module = WideResNet(depth=10, width=1, in_channels=1, num_classes=3)
    assert module.blocks(module.stem(torch.rand(2, 1, 9, 32))).shape == (2, 64, 3, 8)
