import pytest
import torch
from torch import nn

from trainable.config.families import ResNetConfig
from trainable.errors import ModelError
from trainable.family import build
from trainable.models.resnet import ACTIVATIONS, BasicBlock, ResNet

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
        module = build(config, image=(3, 32, 32), num_classes=10, dropout=0.0)
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


def test_more_stem_layers_are_alike() -> None:
    module = ResNet(blocks=[1], channels=4, stem_channels=6, stem_kernel=5, stem_layers=3, in_channels=1, num_classes=2)
    stem = [layer for layer in module.stem if isinstance(layer, nn.Conv2d)]
    assert [(layer.in_channels, layer.out_channels, layer.kernel_size) for layer in stem] == [
        (1, 6, (5, 5)),
        (6, 6, (5, 5)),
        (6, 6, (5, 5)),
    ]


@pytest.mark.parametrize(("size", "pool", "features"), [((32, 32), 8, 1), ((32, 32), 4, 4), ((30, 20), 5, 1), ((9, 9), 1, 9)])
def test_pool_leaves_as_many_features_as_fit_into_the_last_map(size: tuple[int, int], pool: int, features: int) -> None:
    module = ResNet(blocks=[1, 1, 1], channels=2, pool=pool, image_size=size, in_channels=1, num_classes=3)
    assert module.head.in_features == 8 * features
    assert module(torch.rand(2, 1, *size)).shape == (2, 3)


def test_pool_of_the_whole_map_computes_what_the_default_computes() -> None:
    whole = ResNet(blocks=[1, 1], channels=4, in_channels=1, num_classes=3)
    pooled = ResNet(blocks=[1, 1], channels=4, pool=4, image_size=(8, 8), in_channels=1, num_classes=3)
    pooled.load_state_dict(whole.state_dict())
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(whole.eval()(images), pooled.eval()(images))


def test_pool_larger_than_the_last_map_is_refused() -> None:
    with pytest.raises(ModelError, match=r"pool is 5, must be at most 4: the last stage's map is 4 by 8"):
        build(ResNetConfig(blocks=(1, 1), channels=4, pool=5), image=(1, 8, 16), num_classes=3, dropout=0.0)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_every_activation_and_norm_trains(activation: str, norm: str) -> None:
    torch.manual_seed(0)
    module = ResNet(
        blocks=[1, 1], channels=8, activation=activation, norm=norm, se_ratio=4, block_dropout=0.1, in_channels=1, num_classes=3
    )  # fmt: skip
    module(torch.rand(4, 1, 8, 8)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in module.parameters())
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in module.modules()) == (norm == "batch")
    assert (module.stem[0].bias is not None) == (norm == "none")


def test_squeeze_and_excitation_adds_two_linear_layers_a_block() -> None:
    channels, ratio = 64, 16
    added = count(ResNetConfig(blocks=(2,), channels=channels, se_ratio=ratio)) - count(ResNetConfig(blocks=(2,), channels=channels))
    hidden = channels // ratio
    assert added == 2 * (channels * hidden + hidden + hidden * channels + channels)


@pytest.mark.parametrize("se_ratio", [None, 4])
def test_zero_init_lets_every_block_begin_as_its_skip(se_ratio: int | None) -> None:
    module = ResNet(blocks=[2], channels=8, zero_init=True, se_ratio=se_ratio, in_channels=1, num_classes=2)
    block = module.stages[0][1]
    assert isinstance(block, BasicBlock)
    maps = torch.rand(2, 8, 4, 4)
    assert torch.equal(block(maps), maps)


def test_block_dropout_acts_between_the_two_convolutions() -> None:
    module = ResNet(blocks=[1], channels=4, block_dropout=0.5, in_channels=1, num_classes=2)
    kinds = [type(layer).__name__ for layer in module.stages[0][0].body]
    assert kinds == ["Conv2d", "BatchNorm2d", "ReLU", "Dropout", "Conv2d", "BatchNorm2d"]


def test_names_of_the_weights_are_those_of_the_first_release() -> None:
    module = ResNet(blocks=[1, 1], channels=4, in_channels=1, num_classes=2)
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = ["stem.0.weight", *(f"stem.1.{name}" for name in norm)]
    for stage, skip in ((0, False), (1, True)):
        block = f"stages.{stage}.0"
        expected += [f"{block}.body.0.weight", *(f"{block}.body.1.{name}" for name in norm)]
        expected += [f"{block}.body.3.weight", *(f"{block}.body.4.{name}" for name in norm)]
        expected += [f"{block}.skip.0.weight", *(f"{block}.skip.1.{name}" for name in norm)] if skip else []
    assert list(module.state_dict()) == [*expected, "head.weight", "head.bias"]
