import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainable.ema import Ema


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))


def move(module: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.rand(parameter.shape, generator=generator))
    module(torch.rand(4, 1, 3, 3, generator=generator))


def test_average_is_that_of_torch_once_its_decay_has_risen() -> None:
    module = network()
    ema = Ema(module, decay=0.9)
    for seed in range(90):
        move(module, seed)
        ema.update()
    reference = AveragedModel(ema.module, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    reference.n_averaged += 1  # torch's first update copies
    for seed in range(5):
        move(module, seed)
        ema.update()
        reference.update_parameters(module)
    for ours, theirs in zip(ema.module.state_dict().values(), reference.module.state_dict().values(), strict=True):
        if not ours.is_floating_point():
            continue  # torch leaves counters where they were
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_decay_rises_with_the_steps() -> None:
    module = nn.Linear(1, 1)
    nn.init.zeros_(module.weight)
    ema = Ema(module, decay=0.25)
    expected = 0.0
    for step in range(8):
        with torch.no_grad():
            module.weight += 1.0
        ema.update()
        decay = min(0.25, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * (step + 1)
        assert ema.module.weight.item() == pytest.approx(expected, rel=1e-6)  # type: ignore[operator, union-attr]  # a linear layer


def test_running_statistics_are_averaged_and_counters_copied() -> None:
    module = network()
    ema = Ema(module, decay=0.5)
    for seed in range(3):
        move(module, seed)
        ema.update()
    norm, trained = ema.module[1], module[1]  # type: ignore[index]  # a Sequential
    assert norm.num_batches_tracked == trained.num_batches_tracked == 3
    assert not torch.equal(norm.running_mean, trained.running_mean)
    assert torch.allclose(norm.running_mean, trained.running_mean, atol=1.0)
    assert not ema.module.training


def test_state_goes_on_where_it_was() -> None:
    module = network()
    ema = Ema(module, decay=0.99)
    for seed in range(4):
        move(module, seed)
        ema.update()
    other = network()
    again = Ema(other, decay=0.99)
    other.load_state_dict(module.state_dict())
    again.load_state_dict(ema.state_dict())
    for trained, average in ((module, ema), (other, again)):
        move(trained, 9)
        average.update()
    for ours, theirs in zip(again.module.state_dict().values(), ema.module.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
