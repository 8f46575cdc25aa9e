import pytest
import torch
from torch import nn

from trainable.config.model import ResNetConfig
from trainable.family import build
from trainable.models.resnet import ResNet

# Published counts: (blocks, channels, parameters). The stem of study A always has 64 channels.
STUDY_A = [
    ((2, 2, 2, 2, 2), 16, 2_811_818),
    ((2, 1, 1, 1, 1), 32, 4_935_434),
    ((1, 1, 1, 1), 64, 4_903_242),
    ((4, 4, 4, 2), 32, 3_585_802),
    ((5, 4, 3), 64, 4_771_146),
    ((3, 3, 3), 64, 4_327_754),
    ((4, 3), 128, 4_401_226),
    ((4,), 128, 1_119_562),
]
# (blocks, channels, stem kernel, block kernel, parameters)
STUDY_C = [
    ((2, 1, 1, 1), 64, 3, 3, 4_977_226),
    ((2, 1, 1, 1), 64, 5, 3, 4_980_298),
    ((2, 1, 1, 1), 64, 7, 3, 4_984_906),
    ((2, 1, 1, 1), 64, 9, 3, 4_991_050),
    ((2, 1, 1, 1), 64, 11, 3, 4_998_730),
    ((5, 2, 1), 64, 5, 5, 4_967_754),
    ((1, 1, 1), 128, 3, 3, 4_896_394),
    ((1, 3), 64, 7, 7, 4_837_962),
    ((3, 1), 128, 7, 5, 4_972_682),
]


def count(config: ResNetConfig) -> int:
    with torch.device("meta"):
        module = build(config, in_channels=3, num_classes=10, dropout=0.0)
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("blocks", "channels", "parameters"), STUDY_A)
def test_parameter_counts_of_study_a_are_exact(blocks: tuple[int, ...], channels: int, parameters: int) -> None:
    assert count(ResNetConfig(blocks=blocks, channels=channels, stem_channels=64)) == parameters


@pytest.mark.parametrize(("blocks", "channels", "stem", "kernel", "parameters"), STUDY_C)
def test_parameter_counts_of_study_c_are_exact(blocks: tuple[int, ...], channels: int, stem: int, kernel: int, parameters: int) -> None:
    assert count(ResNetConfig(blocks=blocks, channels=channels, stem_kernel=stem, block_kernel=kernel)) == parameters


def test_resnet_18_has_its_count() -> None:
    assert count(ResNetConfig(blocks=(2, 2, 2, 2), channels=64)) == 11_173_962


def test_listed_channels_are_those_of_the_stages() -> None:
    assert count(ResNetConfig(blocks=(1, 1, 1), channels=(8, 16, 32))) == count(ResNetConfig(blocks=(1, 1, 1), channels=8))


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_every_stage_but_the_first_halves_the_image(kernel: int) -> None:
    module = ResNet(blocks=[1, 2, 1], channels=4, stem_kernel=5, block_kernel=kernel, skip_kernel=kernel, in_channels=1, num_classes=7)
    maps = module.stem(torch.zeros(2, 1, 10, 12))
    assert maps.shape == (2, 4, 10, 12)
    assert module.stages(maps).shape == (2, 16, 3, 3)
    assert module(torch.zeros(2, 1, 10, 12)).shape == (2, 7)


def test_skip_is_the_identity_unless_the_shape_changes() -> None:
    module = ResNet(blocks=[2, 1], channels=4, stem_channels=8, in_channels=1, num_classes=2)
    skips = [block.skip for stage in module.stages for block in stage]
    assert [isinstance(skip, nn.Identity) for skip in skips] == [False, True, False]


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    module = ResNet(blocks=[1], channels=4, in_channels=1, num_classes=2, dropout=0.5)
    images = torch.rand(4, 1, 8, 8)
    assert not torch.equal(module(images), module(images))
    module.eval()
    assert torch.equal(module(images), module(images))
