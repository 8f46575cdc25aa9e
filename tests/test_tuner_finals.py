"""Finals: what is promoted, and what recipe it is trained with."""

from pathlib import Path

import pytest
from sweeps import START, by_quality, flat_cost, make_search, make_sweep

from results.history import History, TrialRecord
from results.storage import Storage
from search_spaces.final_options import FinalOptions
from search_spaces.sweep import ResourceOptions, Sweep
from trainable.config.data import DataConfig
from tuner import final_plan, finals
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


def test_final_without_a_test_split_is_refused_before_training(tmp_path: Path) -> None:
    sweep, history = searched()
    sweep = sweep.model_copy(update={"data": DataConfig(name="parquet", path=str(tmp_path))})
    with pytest.raises(UsageError, match=r"has no test\*\.parquet"):
        finals.promote(
            sweep, Storage(tmp_path), history, [first(history, sweep)], FinalOptions(), resources=ResourceOptions(), workplace=NOWHERE
        )


def test_final_that_failed_is_set_aside_so_that_it_is_tried_again(tmp_path: Path) -> None:
    sweep, history = searched()
    plan = final_plan.plan(sweep, first(history, sweep), FinalOptions(epochs=2), ResourceOptions())
    place = Storage(tmp_path / "finals" / plan.name)
    for expected in (["failed-1"], ["failed-1", "failed-2"]):
        with hold(plan.stage(0), place, source=None, cost=flat_cost) as session:
            session.start(1)
            job = session.search.next_job(START)
            assert job is not None
            session.search.end(job.trial, job.attempt, "failed", "no such folder", START)
            assert session.search.next_job(START) is None
        finals._set_aside_if_failed(plan, place)
        assert sorted(path.name.rpartition(".")[2] for path in (tmp_path / "finals").iterdir()) == expected
