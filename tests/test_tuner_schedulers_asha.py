"""ASHA: rung sizes of the paper, and what must hold whatever the order of arrival, the number of workers and the losses."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import START, by_quality, make_search, make_sweep, rung_sizes, worst_first

from results.events import Decided, Ended, Launched, Reported
from tuner.simulate import simulate

VARIANTS = {
    "promotion": {"variant": "promotion"},
    "delayed": {"variant": "promotion", "delayed": True},
    "stopping": {"variant": "stopping"},
}


def asha(variant: str, **options: Any) -> dict[str, Any]:
    return {"asha": {"min_epochs": 1, "max_epochs": 27, "eta": 3} | VARIANTS[variant] | options}


@pytest.mark.parametrize(
    ("variant", "sizes"),
    [("stopping", {1: 9, 3: 9, 9: 9}), ("promotion", {1: 9, 3: 7, 9: 5}), ("delayed", {1: 9, 3: 3, 9: 1})],
)
def test_nine_worst_first_trials_fill_the_rungs_as_measured(variant: str, sizes: dict[int, int]) -> None:
    search, recorder = make_search(make_sweep(scheduler=asha(variant, drain="none") if variant != "stopping" else asha(variant)))
    simulate(search, worst_first, num_workers=1, start_s=START)
    assert rung_sizes(recorder.events) == sizes


def test_best_first_trials_promote_one_in_eta() -> None:
    search, recorder = make_search(make_sweep(scheduler=asha("promotion", drain="none")))
    simulate(search, lambda job, epoch: {"score": -int(job.trial[1:])}, num_workers=1, start_s=START)
    assert rung_sizes(recorder.events) == {1: 9, 3: 3, 9: 1}


def test_stopped_trial_carries_its_cutoff_in_the_metrics_own_sign() -> None:
    sweep = make_sweep(trials=4, scheduler=asha("stopping"), objective={"metric": "val_loss", "mode": "min"})
    search, recorder = make_search(sweep)
    simulate(search, lambda job, epoch: {"score": float(job.trial[1:])}, num_workers=1, start_s=START)
    stops = [event for event in recorder.events if isinstance(event, Decided) and event.action == "stop"]
    assert [(event.trial, event.score, event.cutoff) for event in stops] == [
        ("t00002", 2.0, 1.0),
        ("t00003", 3.0, 1.0),
        ("t00004", 4.0, 1.0),
    ]


def test_drain_trains_the_leader_in_full_where_delay_would_end_with_nobody() -> None:
    ends = {}
    for drain in ("leader", "none"):
        search, recorder = make_search(make_sweep(scheduler=asha("delayed", drain=drain)))
        simulate(search, worst_first, num_workers=1, start_s=START)
        ends[drain] = [event.trial for event in recorder.events if isinstance(event, Ended) and event.status == "completed"]
    assert ends == {"leader": ["t00009"], "none": []}


def test_drained_leader_is_journaled_as_drained() -> None:
    search, recorder = make_search(make_sweep(scheduler=asha("delayed")))
    simulate(search, worst_first, num_workers=2, start_s=START)
    assert [(event.trial, event.from_epoch) for event in recorder.events if isinstance(event, Launched) and event.why == "drain"] == [
        ("t00009", 9)
    ]


@settings(max_examples=60, deadline=None)
@given(
    variant=st.sampled_from(sorted(VARIANTS)),
    eta=st.integers(2, 4),
    trials=st.integers(1, 40),
    workers=st.integers(1, 8),
    seed=st.integers(0, 10_000),
)
def test_promotions_were_in_the_top_of_their_rung_and_nobody_is_lost(variant: str, eta: int, trials: int, workers: int, seed: int) -> None:
    sweep = make_sweep(trials=trials, scheduler=asha(variant, eta=eta))
    search, recorder = make_search(sweep)
    rng = random.Random(seed)
    simulate(search, by_quality(seed), num_workers=workers, epoch_s=lambda job: 1 + rng.random(), start_s=START)

    assert search.done
    rungs: dict[int, dict[str, float]] = {}
    promoted: dict[int, set[str]] = {}
    seen: set[tuple[str, int]] = set()
    for event in recorder.events:
        match event:
            case Reported(trial=trial, epoch=epoch, score=score):
                assert (trial, epoch) not in seen
                seen.add((trial, epoch))
                if epoch in search.ladder:
                    rungs.setdefault(epoch, {})[trial] = score
            case Launched(trial=trial, from_epoch=rung, why="promotion"):
                order = sorted(rungs[rung], key=lambda name: (-rungs[rung][name], name))
                assert trial in order[: len(order) // eta]
                promoted.setdefault(rung, set()).add(trial)
                if variant == "delayed":
                    assert len(promoted[rung]) <= len(order) // eta
    statuses = search.history.counts()
    assert sum(statuses.values()) == trials
    assert set(statuses) <= {"paused", "stopped", "completed"}
    assert search.history.num_completed >= 1  # drain, or the stopping rule's leader
