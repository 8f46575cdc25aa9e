import pytest
import torch

from trainable.config.families import PreactConfig, ResNetConfig
from trainable.cost import measure
from trainable.models.preact import PREACTIVATIONS, PreactBlock, PreactResNet


def count(model: PreactConfig | ResNetConfig) -> int:
    return measure(model, (3, 32, 32), 10).parameters


def test_norm_first_resnet_18_has_its_count() -> None:
    # 11,171,146 in the widespread code without the norm behind the last block; the paper has that norm, of 512 channels.
    assert count(PreactConfig(family="preact", blocks=(2, 2, 2, 2), channels=64)) == 11_171_146 + 2 * 512


def test_resnet_110_has_the_size_that_the_paper_gives() -> None:
    # Table 4 of the paper gives 1.7 M to ResNet-110, of basic blocks of two convolutions in three stages of 16, 32, 64 channels.
    counted = count(PreactConfig(family="preact", blocks=(18, 18, 18), channels=16))
    assert round(counted / 1e6, 1) == 1.7


def test_it_differs_from_the_norm_last_network_in_norms_alone() -> None:
    fields = {"blocks": (2, 1, 3), "channels": (8, 24, 40), "stem_channels": 16, "stem_kernel": 5, "skip_kernel": 3}
    resnet, preact = ResNetConfig(**fields), PreactConfig(family="preact", **fields)
    widths, blocks = fields["channels"], fields["blocks"]
    # Norms of resnet: stem, two a block, one a skip that changes shape. Of preact: two a block, the first of which sees what comes in.
    norms_resnet = 16 + sum(2 * width * number for width, number in zip(widths, blocks, strict=True)) + sum(widths)
    norms_preact = norms_resnet - 16 - sum(widths) + (16 - 8) + (8 - 24) + (24 - 40) + 40
    assert count(resnet) - count(preact) == 2 * (norms_resnet - norms_preact)


def test_nothing_but_additions_lies_between_stem_and_head() -> None:
    module = PreactResNet(blocks=[2], channels=4, in_channels=1, num_classes=2)
    block = module.stages[0][1]
    assert isinstance(block, PreactBlock)
    torch.nn.init.zeros_(block.body[-1].weight)
    maps = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(maps), maps)


@pytest.mark.parametrize("activation", sorted(PREACTIVATIONS))
@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_every_activation_and_norm_trains(activation: str, norm: str) -> None:
    module = PreactResNet(blocks=[2, 1], channels=8, activation=activation, norm=norm, block_dropout=0.1, in_channels=1, num_classes=3)
    module(torch.rand(4, 1, 9, 8)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in module.parameters())
