import itertools
import warnings
from typing import Any

import pytest
import torch
from pictures import recipe
from torch.optim import lr_scheduler as reference

from trainable.config.recipe import SCHEDULES
from trainable.config.train import TrainConfig
from trainable.schedules import lr_at

EPOCHS, STEPS = 8, 25  # 200 steps


def rates(config: TrainConfig, steps_per_epoch: int = STEPS) -> list[float]:
    return [lr_at(config, step, steps_per_epoch) for step in range(config.max_epochs * steps_per_epoch)]


def torch_rates(make: Any, lr: float = 0.1) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    schedule = make(optimizer)
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch misses the optimizer's steps, and its own deprecated argument
        for _ in range(EPOCHS * STEPS):
            seen.append(optimizer.param_groups[0]["lr"])
            schedule.step()
    return seen


def with_warmup(optimizer: torch.optim.Optimizer, num_steps: int, then: Any) -> Any:
    rise = reference.LinearLR(optimizer, start_factor=1 / num_steps, total_iters=num_steps - 1)
    return reference.SequentialLR(optimizer, [rise, then], milestones=[num_steps])


CASES: list[tuple[dict[str, Any], Any]] = [
    ({"schedule": "constant"}, lambda o: reference.ConstantLR(o, factor=1.0)),
    ({"schedule": "constant", "warmup_epochs": 2}, lambda o: with_warmup(o, 50, reference.ConstantLR(o, factor=1.0))),
    ({"schedule": "step", "step_share": 0.15, "gamma": 0.5}, lambda o: reference.StepLR(o, 30, 0.5)),
    ({"schedule": "step", "step_share": 0.35}, lambda o: reference.StepLR(o, 70, 0.1)),
    ({"schedule": "multistep"}, lambda o: reference.MultiStepLR(o, [100, 150], 0.1)),
    ({"schedule": "multistep", "milestones": [0.1, 0.7, 0.9], "gamma": 0.3}, lambda o: reference.MultiStepLR(o, [20, 140, 180], 0.3)),
    ({"schedule": "cosine"}, lambda o: reference.CosineAnnealingLR(o, 200)),
    ({"schedule": "cosine", "lr_floor": 0.02}, lambda o: reference.CosineAnnealingLR(o, 200, eta_min=0.002)),
    (
        {"schedule": "cosine", "warmup_epochs": 2, "lr_floor": 0.02},
        lambda o: with_warmup(o, 50, reference.CosineAnnealingLR(o, 150, eta_min=0.002)),
    ),
    ({"schedule": "cosine", "restarts": 3}, lambda o: reference.CosineAnnealingWarmRestarts(o, 50)),
    (
        {"schedule": "cosine", "restarts": 1, "restart_growth": 3, "lr_floor": 0.1},  # 50 + 150 steps
        lambda o: reference.CosineAnnealingWarmRestarts(o, 50, T_mult=3, eta_min=0.01),
    ),
    ({"schedule": "onecycle"}, lambda o: reference.OneCycleLR(o, 0.1, total_steps=200, pct_start=0.25, cycle_momentum=False)),
    (
        {"schedule": "onecycle", "warmup_share": 0.4, "lr_start": 0.1, "lr_floor": 0.001},
        lambda o: reference.OneCycleLR(
            o, 0.1, total_steps=200, pct_start=0.4, div_factor=10, final_div_factor=100, cycle_momentum=False
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "make"), CASES, ids=[str(fields) for fields, _ in CASES])
def test_schedule_is_that_of_torch(fields: dict[str, Any], make: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = torch_rates(make)
    # torch multiplies its way from step to step and gathers rounding errors.
    assert rates(recipe(lr=0.1, max_epochs=EPOCHS, **fields)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_cosine_cycles_may_grow_by_any_factor() -> None:
    seen = rates(recipe(lr=1.0, max_epochs=7, schedule="cosine", restarts=2, restart_growth=2), 10)
    assert [step for step, (before, rate) in enumerate(itertools.pairwise([0.0, *seen])) if rate > before] == [0, 10, 30]
    assert [seen[0], seen[10], seen[30]] == [1.0, 1.0, 1.0]
    assert seen[5] == seen[20] == seen[50] == pytest.approx(0.5)


def test_trapezoid_rises_stays_and_falls_to_just_above_the_floor() -> None:
    config = recipe(lr=1.0, max_epochs=10, schedule="trapezoid", warmup_epochs=1, cooldown_share=0.3, lr_floor=0.1)
    seen = rates(config, 10)
    assert seen[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert set(seen[10:71]) == {1.0}
    assert seen[70:] == pytest.approx([0.1 + 0.9 * left / 30 for left in range(30, 0, -1)])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_no_rate_is_above_lr_or_at_zero(schedule: str) -> None:
    for max_epochs, steps_per_epoch in [(1, 1), (1, 2), (2, 3), (3, 1), (50, 7)]:
        seen = rates(recipe(lr=0.3, schedule=schedule, max_epochs=max_epochs), steps_per_epoch)
        assert all(0 < rate <= 0.3 for rate in seen), seen


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_longer_horizon_stretches_the_whole_curve(schedule: str) -> None:
    short, long = rates(recipe(schedule=schedule, max_epochs=10), 40), rates(recipe(schedule=schedule, max_epochs=30), 40)
    # To 1 % of lr: onecycle ends on its last step, not after it, so its phases stretch from 99 to 299 steps, not to 297.
    assert [long[3 * step] for step in range(400)] == pytest.approx(short, abs=0.01 * 0.05)


def test_warmup_keeps_its_epochs_in_a_longer_run() -> None:
    short, long = (rates(recipe(schedule="cosine", warmup_epochs=1.5, max_epochs=epochs), 10) for epochs in (4, 40))
    assert short[:16] == pytest.approx(long[:16])
    assert short[14] == short[15] == 0.05


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_step_beyond_the_horizon_is_our_mistake(schedule: str) -> None:
    with pytest.raises(AssertionError):
        lr_at(recipe(schedule=schedule, max_epochs=4), 40, 10)
