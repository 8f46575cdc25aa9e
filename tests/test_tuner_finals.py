"""Finals: what is promoted, and what recipe it is trained with."""

from pathlib import Path

import pytest
from sweeps import START, by_quality, flat_cost, make_search, make_sweep

from results.history import History, TrialRecord
from results.storage import Storage
from search_spaces.sweep import FinalOptions, ResourceOptions, Sweep
from trainable.config.data import DataConfig
from tuner import finals
from tuner.errors import UsageError
from tuner.interrupts import Interrupts
from tuner.run import Workplace
from tuner.session import hold
from tuner.simulate import simulate

NOWHERE = Workplace("nowhere", lambda sessions, slots: pytest.fail("nothing may be trained"), Interrupts())

SPACE = {
    "model": {"choice": [{"label": "small", "family": "resnet", "blocks": [1], "channels": 8}]},
    "optimizer": {"choice": ["sgd", "adam"]},
    "lr": {"loguniform": [1e-4, 1e-1]},
    "schedule": "cosine",
    "augment": {"crop": 1},
}


def searched() -> tuple[Sweep, History]:
    sweep = make_sweep(trial=SPACE, seed=5)
    search, _ = make_search(sweep)
    simulate(search, by_quality(1), num_workers=1, start_s=START)
    return sweep, search.history


def first(history: History, sweep: Sweep) -> TrialRecord:
    return finals.choose(history, sweep, trials=(), top=1)[0]


def test_top_takes_the_first_rows_of_the_leaderboard() -> None:
    sweep, history = searched()
    chosen = finals.choose(history, sweep, trials=(), top=3)
    assert chosen[0].status == "completed"
    assert len(chosen) == 3


def test_trial_may_be_named_by_its_number() -> None:
    sweep, history = searched()
    assert [record.trial for record in finals.choose(history, sweep, trials=["7", "t00002"], top=1)] == ["t00007", "t00002"]


def test_unknown_trial_is_refused() -> None:
    sweep, history = searched()
    with pytest.raises(UsageError, match="no trial 99"):
        finals.choose(history, sweep, trials=["99"], top=1)


def test_nothing_ranked_is_nothing_to_promote() -> None:
    with pytest.raises(UsageError, match="nothing to promote"):
        finals.choose(History(), make_sweep(), trials=(), top=1)


def test_final_keeps_the_recipe_and_re_derives_the_horizon() -> None:
    sweep, history = searched()
    record = first(history, sweep)
    plan = finals.final_sweep(sweep, record, FinalOptions(epochs=200), ResourceOptions())
    search, _ = make_search(plan)
    job = search.next_job(START)
    assert job is not None
    assert job.until_epoch == job.config.max_epochs == 200
    expected = dict(record.config) | {"max_epochs": 200}
    assert job.config.model_dump(mode="json") == expected


def test_overrides_and_seeds_are_applied() -> None:
    sweep, history = searched()
    options = FinalOptions(epochs=10, seeds=(0, 1, 2), overrides={"dropout": 0.2, "augment.crop": 2})
    plan = finals.final_sweep(sweep, first(history, sweep), options, ResourceOptions())
    search, _ = make_search(plan)
    simulate(search, by_quality(0), num_workers=2, start_s=START)
    configs = [record.config for record in search.history.trials.values()]
    assert [config["seed"] for config in configs] == [0, 1, 2]
    assert {config["dropout"] for config in configs} == {0.2}
    assert {config["augment"]["crop"] for config in configs} == {2}
    assert search.history.num_completed == 3


def test_override_of_the_optimizer_forgets_what_only_the_old_one_read() -> None:
    sweep, history = searched()
    sgd = next(record for record in history.trials.values() if record.config["optimizer"] == "sgd")
    plan = finals.final_sweep(sweep, sgd, FinalOptions(overrides={"optimizer": "adam"}), ResourceOptions())
    assert plan.trial["optimizer"] == "adam"
    assert "momentum" not in plan.trial


def test_override_that_does_not_fit_is_refused() -> None:
    sweep, history = searched()
    for overrides in ({"lr": -1}, {"learning_rate": 0.1}, {"model.colour": "red"}):
        with pytest.raises(UsageError, match="do not fit"):
            finals.final_sweep(sweep, first(history, sweep), FinalOptions(overrides=overrides), ResourceOptions())


def test_same_promotion_has_the_same_name_and_any_other_another() -> None:
    sweep, history = searched()
    record = first(history, sweep)

    def name(**options: object) -> str:
        return finals.final_sweep(sweep, record, FinalOptions.model_validate(options), ResourceOptions()).name

    assert name(epochs=5) == name(epochs=5)
    assert name(seeds=[1, 0]) == name(seeds=[0, 1]) == name(seeds=[0, 1, 1])
    assert len({name(epochs=5), name(epochs=6), name(epochs=5, seeds=[1]), name(epochs=5, overrides={"dropout": 0.1})}) == 4


def test_final_without_a_test_split_is_refused_before_training(tmp_path: Path) -> None:
    sweep, history = searched()
    sweep = sweep.model_copy(update={"data": DataConfig(name="parquet", path=str(tmp_path))})
    with pytest.raises(UsageError, match=r"has no test\*\.parquet"):
        finals.promote(
            sweep, Storage(tmp_path), history, [first(history, sweep)], FinalOptions(), resources=ResourceOptions(), workplace=NOWHERE
        )


def test_final_that_failed_is_set_aside_so_that_it_is_tried_again(tmp_path: Path) -> None:
    sweep, history = searched()
    plan = finals.final_sweep(sweep, first(history, sweep), FinalOptions(epochs=2), ResourceOptions())
    place = Storage(tmp_path / "finals" / plan.name)
    for expected in (["failed-1"], ["failed-1", "failed-2"]):
        with hold(plan, place, source=None, cost=flat_cost) as session:
            session.start(1)
            job = session.search.next_job(START)
            assert job is not None
            session.search.end(job.trial, job.attempt, "failed", "no such folder", START)
            assert session.search.next_job(START) is None
        finals._set_aside_if_failed(place)
        assert sorted(path.name.rpartition(".")[2] for path in (tmp_path / "finals").iterdir()) == expected
