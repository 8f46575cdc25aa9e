import math
from typing import get_args

import pytest
import torch
from pictures import CPU, recipe
from torch import nn

from trainable.config.recipe import OPTIMIZERS, SCHEDULES
from trainable.config.train import TrainConfig
from trainable.optimizers import build
from trainable.precision import autocast, number_format
from trainable.schedules import lr_at


@pytest.mark.parametrize(("schedule", "last"), [("constant", 0.1), ("cosine", 0.1 * (1 + math.cos(math.pi * 39 / 40)) / 2)])
def test_schedule_starts_at_lr_and_ends_at_the_horizon(schedule: str, last: float) -> None:
    config = recipe(schedule=schedule, lr=0.1, max_epochs=4)
    assert lr_at(config, 0, 10) == 0.1
    assert lr_at(config, 39, 10) == pytest.approx(last, rel=1e-12)
    with pytest.raises(AssertionError):
        lr_at(config, 40, 10)


def test_cosine_falls_all_the_way_and_is_half_way_at_half_time() -> None:
    config = recipe(schedule="cosine", lr=0.1, max_epochs=4)
    rates = [lr_at(config, step, 10) for step in range(40)]
    assert rates == sorted(rates, reverse=True)
    assert rates[20] == pytest.approx(0.05)
    assert 0 < rates[-1] < 0.1 / 500


def test_longer_horizon_re_derives_the_whole_curve() -> None:
    short, long = recipe(schedule="cosine", max_epochs=4), recipe(schedule="cosine", max_epochs=8)
    assert [lr_at(long, 2 * step, 10) for step in range(40)] == pytest.approx([lr_at(short, step, 10) for step in range(40)])


def test_every_name_the_configuration_allows_is_known() -> None:
    assert get_args(TrainConfig.model_fields["optimizer"].annotation) == tuple(OPTIMIZERS)
    assert get_args(TrainConfig.model_fields["schedule"].annotation) == SCHEDULES


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_gets_its_fields(name: str) -> None:
    changes = {"momentum": 0.7} if name == "sgd" else {}
    optimizer = build(recipe(optimizer=name, lr=0.03, weight_decay=0.02, **changes), nn.Linear(2, 2))
    assert type(optimizer).__name__ == OPTIMIZERS[name].torch_name
    (group,) = optimizer.param_groups
    assert {"lr": 0.03, "weight_decay": 0.02, **changes}.items() <= group.items()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fused_step_is_the_plain_step(name: str) -> None:
    torch.manual_seed(0)
    fused, plain = nn.Linear(5, 3), nn.Linear(5, 3)
    plain.load_state_dict(fused.state_dict())
    config = recipe(optimizer=name, lr=0.05, weight_decay=0.01)
    ours = build(config, fused)
    extra = {"momentum": 0.9} if name == "sgd" else {}
    reference = getattr(torch.optim, OPTIMIZERS[name].torch_name)(plain.parameters(), lr=0.05, weight_decay=0.01, **extra)
    inputs = torch.rand(20, 4, 5)
    for batch in inputs:
        for module, optimizer in ((fused, ours), (plain, reference)):
            optimizer.zero_grad()
            module(batch).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(fused.weight, plain.weight, rtol=1e-5, atol=1e-6)


def test_precision_says_what_it_computes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert number_format("float32", CPU) is torch.float32
    assert number_format("bfloat16", CPU) is torch.bfloat16
    for supported in (True, False):
        for question in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            monkeypatch.setattr(torch.cpu, question, lambda supported=supported: supported, raising=False)
        assert number_format("auto", CPU) is (torch.bfloat16 if supported else torch.float32)
    layer = nn.Linear(2, 2)
    for wanted in (torch.float32, torch.bfloat16):
        with autocast(CPU, wanted):
            assert layer(torch.zeros(1, 2)).dtype is wanted
