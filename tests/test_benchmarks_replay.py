"""The replay: one clock for all, the leaderboard's own ranking, peers that decide for themselves, records that say what they say."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_curves import small_table
from wrong_calls import assert_refused

from benchmarks import replay, replay_engine
from benchmarks.curve_tables import CurveTable
from benchmarks.replay_measures import Outcome, Watched, ratios, summary
from results import ranking
from results.events import Suggested
from tuner.decisions import Job
from tuner.simulate import simulate

FAST = [method for method in replay.METHODS if method not in replay.SLOW_REPEATS]


@pytest.fixture
def table(tmp_path: Path) -> CurveTable:
    return small_table(tmp_path)


def watch(method: str, table: CurveTable, *, budget: float = 40, workers: int = 4) -> tuple[Any, Watched, list[Job]]:
    pool = replay_engine.Pool.of(table)
    order = np.random.default_rng(1).permutation(table.num_rows).tolist()
    steering: Any
    if method in replay_engine.METHODS:
        steering = replay_engine.search(method, pool, order, seed=1)
        ladder = steering.ladder or None
    else:
        steering = replay.make_peer(method, pool, order, 1)
        ladder = steering.ladder
    watched = Watched(steering, table, ladder, budget=budget)
    trace = simulate(watched, lambda job, epoch: {"score": table.curves[job.config.seed][epoch - 1]}, num_workers=workers)
    return steering, watched, trace.jobs


@pytest.mark.parametrize("method", FAST)
def test_a_method_starts_each_row_once_and_finds_the_best(method: str, table: CurveTable) -> None:
    if method.startswith("syne-tune"):
        pytest.importorskip("syne_tune")
    _, watched, jobs = watch(method, table, budget=1_000)
    rows = [job.config.seed for job in jobs if job.from_epoch == 0]
    assert sorted(rows) == list(range(60))
    outcome = watched.close()
    assert outcome.top5 <= outcome.top1
    assert sorted(outcome.regret) == [3, 5, 10, 20, 40]
    assert outcome.trainings <= 60
    if method in ("random", "shortlist-promotion", "shortlist-delayed", "shortlist-default"):
        assert math.isfinite(outcome.top1), "what is left of the budget trains all that did not diverge"


def test_random_trains_every_row_to_its_end(table: CurveTable) -> None:
    _, watched, _ = watch("random", table, budget=1_000)
    trained = sum(len([score for score in curve if score is not None]) + (None in curve) for curve in table.curves)
    assert watched.close().trainings == pytest.approx(trained / table.max_epochs)


@pytest.mark.parametrize("method", ["shortlist-promotion", "shortlist-stopping", "shortlist-default"])
@pytest.mark.parametrize("budget", [3, 7, 20])
def test_the_leader_is_the_first_row_of_our_leaderboard(method: str, budget: float, table: CurveTable) -> None:
    class Stopped(Watched):
        """Ends at the budget, whatever was found."""

        @property
        def _seen_all(self) -> bool:
            return self._epochs >= self._budget_epochs

    pool = replay_engine.Pool.of(table)
    search = replay_engine.search(method, pool, list(range(60)), seed=1)
    watched = Stopped(search, table, search.ladder, budget=budget)
    simulate(watched, lambda job, epoch: {"score": table.curves[job.config.seed][epoch - 1]}, num_workers=3)
    assert watched.leader() == ranking.order(search.history)[0].trial


def test_all_that_propose_nothing_take_the_rows_in_one_order(table: CurveTable) -> None:
    orders = {}
    for method in ("random", "ray-asha", "optuna-sha", "shortlist-promotion", "shortlist-stopping"):
        _, _, jobs = watch(method, table, budget=1_000)
        orders[method] = [job.config.seed for job in jobs if job.from_epoch == 0]
    assert all(order == orders["random"] for order in orders.values())


def test_the_default_lets_the_model_choose_three_of_four_rows(table: CurveTable) -> None:
    search, _, _ = watch("shortlist-default", table)
    sources = [record.source for record in search.history.trials.values()]
    assert sources[20:60].count("model") == 30
    assert set(sources[::4]) == {"random"}


def test_rays_rung_keeps_the_trials_that_its_own_cutoff_keeps(table: CurveTable) -> None:
    """One trial at a time: stopped at a rung exactly where it lies below the 75th percentile of those before it (eta 4)."""
    steering, _, jobs = watch("ray-asha", table, workers=1, budget=1_000)
    assert steering.ladder == (2, 8)
    before: dict[int, list[float]] = {2: [], 8: []}
    for job in jobs:
        curve = table.curves[job.config.seed]
        for rung, seen in before.items():
            if (score := curve[rung - 1]) is None:
                break
            kept = not seen or score >= np.percentile(seen, 75)
            seen.append(score)
            if not kept:
                break
    recorded = {milestone: sorted(values.values()) for milestone, values in steering._rule._scheduler._brackets[0]._rungs}
    assert recorded == {rung: sorted(seen) for rung, seen in before.items()}


def test_equal_arguments_give_equal_outcomes(tmp_path: Path) -> None:
    small_table(tmp_path)
    for method in ("shortlist-default", "optuna-hyperband"):
        one, other = (replay.replay(tmp_path / "table.parquet", method, 3, seed=5, num_workers=4, budget=40) for _ in range(2))
        assert (one.top1, one.top5, one.regret) == (other.top1, other.top5, other.regret)


def test_no_median_where_half_never_got_there() -> None:
    outcomes = [Outcome(top1=top1, top5=1.0, regret=dict.fromkeys((3, 5, 10, 20, 40), 0.5)) for top1 in (1.0, 2.0, math.inf, math.inf)]
    found: Any = summary(outcomes, np.random.default_rng(0))
    assert found["top1"]["median"] is None
    assert found["top1"]["missed"] == 0.5
    assert found["top5"] == {"median": 1.0, "low": 1.0, "high": 1.0, "missed": 0.0}
    assert found["regret"]["3"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    found = summary(outcomes[:3], np.random.default_rng(0))
    assert found["top1"]["median"] == 2.0
    assert found["top1"]["high"] is None


def test_a_ratio_is_the_geometric_mean_over_tables_with_its_worst() -> None:
    def outcomes(top1: float) -> list[Outcome]:
        return [Outcome(top1=top1, top5=1.0, regret=dict.fromkeys((3, 5, 10, 20, 40), 0.0)) for _ in range(4)]

    method, reference = {"a": outcomes(1.0), "b": outcomes(8.0)}, {"a": outcomes(4.0), "b": outcomes(8.0)}
    found: Any = ratios(method, reference, np.random.default_rng(0))
    assert found["top1"]["ratio"] == pytest.approx(0.5)
    assert found["top1"]["worst"] == 1.0
    assert found["top1"]["tables"] == {"a": 0.25, "b": 1.0}
    assert found["regret"]["40"]["ratio"] == 1.0, "two regrets of nothing are alike"
    found = ratios({"a": outcomes(math.inf)}, {"a": outcomes(1.0)}, np.random.default_rng(0))
    assert found["top1"]["ratio"] is None


@pytest.mark.slow
def test_the_record_has_the_form_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_table(tmp_path)
    arguments = [str(tmp_path / "table.parquet"), "--repeats", "3", "--jobs", "1", "--methods", "random,ray-asha,shortlist-default"]
    assert replay.main([*arguments, "-o", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record) == {"tables", "ratios", "about"}
    assert set(record["tables"]) == {"table"}
    for method in ("random", "ray-asha", "shortlist-default"):
        figures = record["tables"]["table"][method]
        assert set(figures["top1"]) == {"median", "low", "high", "missed"}
        assert set(figures["regret"]) == {"3", "5", "10", "20", "40"}
        assert set(figures["regret"]["3"]) == {"mean", "low", "high"}
        assert figures["regret_curve"]["10"] == figures["regret"]["10"]
        assert list(figures["regret_curve"]) == ["1", "2", "3", "4", "5", "7", "10", "14", "20", "28", "40"]
        assert figures["n"] == 3
        assert "ratio" in record["ratios"][method]["regret"]["20"]
    assert replay.main(arguments) == 0
    assert "ratios to ray-asha" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.parquet", "--methods", "random"], "absent.parquet: no such file"),
        (["absent.parquet", "--methods", "random,hope"], "hope: no such method; there are random, ray-asha"),
        (["absent.parquet", "--repeats", "1"], "--repeats: 1, must be >= 2"),
        (["absent.parquet", "--budget", "10"], "--budget: 10.0, must be >= 40"),
        (["a/table.parquet", "b/table.parquet"], "two tables have the same file name"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_refused(replay.main, arguments, message, capsys)


def test_suggestions_name_the_hyperparameters_of_their_row(table: CurveTable) -> None:
    pool = replay_engine.Pool.of(table)
    search = replay_engine.search("shortlist-promotion", pool, [7, 3], seed=0)
    events: list[Any] = []
    search._append = lambda some, sync: events.extend(some)
    search.next_job(0.0)
    suggested = next(event for event in events if isinstance(event, Suggested))
    assert suggested.values == {**table.values[7], "row": 7}
