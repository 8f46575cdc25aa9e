"""The plan: what is expected holds in sweeps that are simulated with other scores, and a budget's cuts are foretold."""

import random
from typing import Any

import pytest
from sweeps import START, make_search, make_sweep

from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from tuner import plan_text
from tuner.calibrate import remembered
from tuner.decisions import Job
from tuner.plan import Plan, likely, plan
from tuner.simulate import Curves, simulate
from tuner.speed import Candidate, Sample, Speed

SPACE = {"model": {"family": "resnet", "blocks": [1], "channels": {"choice": [8, 16, 32]}}, "lr": {"loguniform": [1e-4, 1e-1]}}
RULE = {"asha": {"min_epochs": 2, "max_epochs": 18, "eta": 3}}


def cost(config: TrainConfig) -> ArchitectureCost:
    channels = config.model.channels
    assert isinstance(channels, int)
    return ArchitectureCost(parameters=channels**2, flops_per_image=1_000 * channels**2, activation_bytes_per_image=channels)


def image_s(channels: int) -> float:
    return 1e-6 * channels**2


def speed(sweep: Sweep) -> Speed:
    """What a calibration would find: an epoch of 1,000 images takes 0.064, 0.256 or 1.024 s, and evaluation nothing."""
    found = {candidate.cost.parameters: candidate for candidate, _ in likely(sweep, cost, workers=2)}
    samples = tuple(Sample(candidate, image_s(int(parameters**0.5)), 0.0) for parameters, candidate in found.items())
    return Speed(source="made up", samples=samples, start_s=5.0, segment_s=0.1, save_s=0.0, num_train=1_000, num_val=1)


def planned(*, known: bool = True, price: float | None = None, **changes: Any) -> tuple[Plan, Sweep]:
    sweep = make_sweep(trials=40, scheduler=RULE, trial=SPACE, **changes)
    return plan(sweep, cost, workers=2, place=("test", 0, 0), speed=speed(sweep) if known else None, price=price), sweep


def test_rungs_narrow_and_every_trial_reaches_the_first() -> None:
    found, _ = planned(known=False)
    assert [rung.epochs for rung in found.rungs] == list(found.ladder) == [2, 6]
    assert found.rungs[0].trials_low == found.rungs[0].trials_high == 40
    means = [*(rung.trials_mean for rung in found.rungs), found.completed.trials_mean]
    assert means == sorted(means, reverse=True)
    assert all(rung.trials_low <= rung.trials_mean <= rung.trials_high for rung in found.rungs)
    assert found.epochs_low <= found.epochs <= found.epochs_high <= found.epochs_in_full == 40 * 18


def test_architectures_are_a_list_from_the_smallest_on() -> None:
    found, _ = planned(known=False)
    assert [one.parameters for one in found.architectures] == [64, 256, 1024]
    assert len({one.label for one in found.architectures}) == 3


def test_without_a_speed_hours_and_cost_are_unknown_and_said_to_be() -> None:
    found, _ = planned(known=False, price=2.0)
    assert found.gpu_hours is found.wall_s is found.cost is found.speed is None
    assert any("unknown" in line for line in plan_text.lines(found))


def epoch_s(job: Job) -> float:
    channels = job.config.model.channels
    assert isinstance(channels, int)
    return 1_000 * image_s(channels)


def scored(seed: int) -> Curves:
    return lambda job, epoch: {"score": random.Random(f"{seed}/{job.trial}").random()}


def test_time_of_a_sweep_with_other_scores_lies_within_the_range_of_the_plan() -> None:
    found, sweep = planned(price=2.0)
    assert found.wall_s_low is not None
    assert found.wall_s_high is not None
    assert found.gpu_hours is not None
    assert found.cost == found.gpu_hours * 2.0
    inside = 0
    for seed in range(100, 110):
        search, _ = make_search(sweep)
        trace = simulate(search, scored(seed), num_workers=2, epoch_s=epoch_s, launch_s=lambda job: 0.1, start_s=START)
        inside += found.wall_s_low <= trace.wall_s + 5.0 <= found.wall_s_high
    # An order of scores lies outside the least and the most of twenty in 2 of 21 cases: fewer than 7 of 10 inside with probability 0.01.
    assert inside >= 7


@pytest.mark.slow
def test_budget_that_suffices_is_said_to_and_one_that_does_not_cuts() -> None:
    enough, _ = planned(budget={"epochs": 10_000})
    assert enough.budget == ["enough in every simulated order of scores"]
    short, _ = planned(budget={"epochs": 50})
    assert short.epochs == short.epochs_high == 50
    assert short.budget[0].startswith("epochs ends the sweep early always: 50 of ")
    few, _ = planned(budget={"trials": 7})
    assert few.trials == 7
    hours, _ = planned(budget={"gpu_hours": 10 / 3600})
    assert hours.gpu_hours_high is not None
    assert hours.gpu_hours_high <= 10 / 3600 + 1e-9
    clock, _ = planned(budget={"wall_clock": 15})
    assert clock.wall_s_high is not None
    assert clock.wall_s_high <= 15.0 + 1e-6


def test_time_limits_without_a_speed_are_left_out_and_said_to_be() -> None:
    found, _ = planned(known=False, budget={"gpu_hours": 0.001, "epochs": 50})
    assert "cannot be weighed" in found.budget[0]
    assert found.epochs_high == 50


def test_likely_candidates_are_those_that_the_sweep_draws_with_their_epochs() -> None:
    sweep = make_sweep(trials=12, scheduler=RULE, trial=SPACE)
    candidates = likely(sweep, cost, workers=1)
    search, _ = make_search(sweep)
    simulate(search, lambda job, epoch: {"score": 0.5}, num_workers=1, start_s=START)
    assert [one.config.lr for one, _ in candidates] == [record.config["lr"] for record in search.history.trials.values()]
    assert all(isinstance(one, Candidate) and epochs >= 2 for one, epochs in candidates)


def test_nothing_is_remembered_where_nothing_ran(tmp_path: Any) -> None:
    assert remembered(make_sweep(), tmp_path / "runs", workers=2) is None


def test_confirmation_and_finals_are_counted_with_their_hours_besides() -> None:
    """Ten epochs of 1,000 images take 0.64, 2.56 or 10.24 s, by the leader's channels."""
    final = {"top": 2, "seeds": [0, 1], "epochs": 10, "confirm": {"top": 3, "seeds": 4}}
    found, _ = planned(final=final, price=2.0)
    confirm, finals = found.after
    assert (confirm.name, confirm.runs, confirm.epochs) == ("confirm", 12, 12 * 18)
    assert (finals.name, finals.runs, finals.epochs) == ("finals", 4, 40)
    assert finals.gpu_hours is not None
    assert finals.gpu_hours_low is not None
    assert finals.gpu_hours_high is not None
    assert 4 * 0.64 <= finals.gpu_hours_low * 3600 <= finals.gpu_hours * 3600 <= finals.gpu_hours_high * 3600 <= 4 * 10.24 * 1.001
    assert finals.wall_s == pytest.approx(finals.gpu_hours * 3600 / 2), "four runs as long in pairs, on two workers"
    assert finals.cost == pytest.approx(finals.gpu_hours * 2)
    text = "\n".join(plan_text.lines(found))
    assert "\nthen confirm     at most 12 runs, 216 epochs; " in text
    assert "\nthen finals      4 runs, 40 epochs; " in text
    without, _ = planned(price=2.0)
    assert without.after == []
    assert (without.epochs, without.gpu_hours) == (found.epochs, found.gpu_hours), "they are besides"


def test_stages_and_their_searches_are_counted_and_unknown_hours_left_out() -> None:
    search = {"trials": 5, "parameters": {"weight_decay": {"loguniform": [1e-6, 1e-4]}}}
    found, _ = planned(known=False, final={"seeds": [0, 1], "stages": [{"epochs": 6}, {"epochs": 3, "search": search}]})
    (finals,) = found.after
    assert (finals.runs, finals.epochs, finals.gpu_hours, finals.wall_s) == (2 + 10, 2 * 6 + 10 * 3, None, None)
    assert "then finals      12 runs, 42 epochs besides" in plan_text.lines(found)
