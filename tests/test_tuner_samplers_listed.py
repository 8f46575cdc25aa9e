"""Grids with drawn parts, listed configurations, one factor at a time, points to start from: what is proposed, in which order."""

from collections import Counter
from typing import Any

from sweeps import START, by_quality, make_search, make_sweep

from results.history import TrialRecord
from search_spaces.space import Space
from search_spaces.sweep import SearchOptions
from tuner.samplers import one_factor
from tuner.simulate import simulate

MODEL = {"family": "resnet", "blocks": [1], "channels": 8}
FULL = {"none": {"max_epochs": 2}}
TRIAL: dict[str, Any] = {
    "model": MODEL,
    "optimizer": {"choice": ["sgd", "adam"]},
    "lr": [{"loguniform": [1e-2, 1.0], "when": {"optimizer": "sgd"}}, {"loguniform": [1e-4, 1e-2], "when": {"optimizer": "adam"}}],
    "batch_size": {"choice": [32, 64]},
}


def run(search: dict[str, Any], trial: dict[str, Any] = TRIAL, **changes: Any) -> list[TrialRecord]:
    found, _ = make_search(make_sweep(trials=None, scheduler=FULL, trial=trial, search=search, **changes))
    simulate(found, by_quality(0), num_workers=1, start_s=START)
    assert found.done
    assert found.num_trials == len(found.history.trials)
    return list(found.history.trials.values())


def test_a_grid_draws_what_is_named_once_for_each_combination() -> None:
    records = run({"sampler": "grid", "random": ["lr"]})
    assert [(r.values["optimizer"], r.values["batch_size"]) for r in records] == [("sgd", 32), ("sgd", 64), ("adam", 32), ("adam", 64)]
    assert len({r.values["lr"] for r in records}) == 4
    assert all((r.values["lr"] >= 1e-2) == (r.values["optimizer"] == "sgd") for r in records)


def test_a_grid_with_more_trials_than_combinations_goes_round_with_new_draws() -> None:
    records = run({"sampler": "grid", "random": ["lr"], "trials": 10})
    shares = Counter((r.values["optimizer"], r.values["batch_size"]) for r in records)
    assert shares == {("sgd", 32): 3, ("sgd", 64): 3, ("adam", 32): 2, ("adam", 64): 2}
    assert len({r.values["lr"] for r in records}) == 10


def test_a_grid_may_draw_a_finite_parameter_too() -> None:
    trial = {"model": MODEL, "lr": 0.1, "batch_size": {"randint": [16, 256]}, "optimizer": {"choice": ["sgd", "adam"]}}
    assert len(run({"sampler": "grid", "random": ["batch_size"]}, trial)) == 2


def test_listed_configurations_are_tried_in_their_order_and_no_others() -> None:
    wanted = [{"optimizer": "sgd", "lr": 0.5, "batch_size": 64}, {"optimizer": "adam", "lr": 1e-3, "batch_size": 32}]
    records = run({"sampler": "listed", "configurations": wanted})
    assert [r.values for r in records] == wanted
    assert {r.source for r in records} == {"listed"}


def test_one_factor_changes_one_parameter_of_the_base_at_a_time() -> None:
    trial = {
        "model": {
            "family": "resnet",
            "blocks": [2, 2, 2, 2],
            "channels": {"choice": [32, 64, 128]},
            "activation": {"choice": ["relu", "elu"]},
        },
        "lr": 0.1,
        "weight_decay": {"choice": [0.0, 1e-4, 5e-4, 1e-3]},
        "optimizer": {"choice": ["sgd", "adam", "adagrad"]},
    }
    records = run({"sampler": "one_factor", "base": {"model": {"channels": 64}}}, trial)
    base = {"model.channels": 64, "model.activation": "relu", "weight_decay": 0.0, "optimizer": "sgd"}
    assert records[0].values == base
    changes = [{path: value for path, value in r.values.items() if base[path] != value} for r in records[1:]]
    assert changes == [
        {"model.channels": 32},
        {"model.channels": 128},
        {"model.activation": "elu"},
        {"weight_decay": 1e-4},
        {"weight_decay": 5e-4},
        {"weight_decay": 1e-3},
        {"optimizer": "adam"},
        {"optimizer": "adagrad"},
    ]


def test_one_factor_spreads_levels_over_the_scale_and_lets_conditional_parameters_follow() -> None:
    search = SearchOptions(sampler="one_factor", base={"lr": 0.1}, levels=3)
    found = one_factor.candidates(search, Space.parse(TRIAL))
    assert found[0] == {"optimizer": "sgd", "lr": 0.1, "batch_size": 32}
    # 0.1 is no rate of adam's domain: the middle of its scale stands in.
    assert found[1] == {"optimizer": "adam", "lr": 1e-3, "batch_size": 32}
    assert [values["lr"] for values in found[2:4]] == [0.01, 1.0]  # 0.1, the middle one, is the base
    assert found[4:] == [{"optimizer": "sgd", "lr": 0.1, "batch_size": 64}]


def test_points_to_start_from_come_first_and_what_they_leave_open_is_drawn() -> None:
    start = [{"optimizer": "adam"}, {"lr": 0.5, "batch_size": 64}]
    records = run({"sampler": "random", "trials": 5, "start": start})
    assert [r.source for r in records] == ["start", "start", "random", "random", "random"]
    assert records[0].values["optimizer"] == "adam"
    assert set(records[0].values) == {"optimizer", "lr", "batch_size"}
    assert records[1].values["batch_size"] == 64


def test_a_start_that_a_grid_would_repeat_is_tried_once() -> None:
    trial = {"model": MODEL, "lr": {"choice": [0.1, 0.2, 0.3]}}
    sweep = make_sweep(trials=None, scheduler=FULL, trial=trial, search={"sampler": "grid", "start": [{"lr": 0.3}]})
    found, _ = make_search(sweep)
    simulate(found, by_quality(0), num_workers=1, start_s=START)
    assert [(r.source, r.values["lr"]) for r in found.history.trials.values()] == [("start", 0.3), ("grid", 0.1), ("grid", 0.2)]
