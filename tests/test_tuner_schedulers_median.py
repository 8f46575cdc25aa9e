"""The median stopping rule, against a naive recomputation, and its edges."""

import statistics
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import START, by_quality, make_search, make_sweep, worst_first

from results import ranking
from results.events import Decided, Ended, Event, Reported
from tuner.decisions import Job
from tuner.simulate import Curves, simulate


def run(curves: Curves, *, trials: int = 9, workers: int = 1, mode: str = "max", **options: Any) -> list[Event]:
    objective = {"metric": "val_loss", "mode": "min"} if mode == "min" else {}
    sweep = make_sweep(trials=trials, scheduler={"median": {"max_epochs": 9, "grace_epochs": 2} | options}, objective=objective)
    search, recorder = make_search(sweep)
    simulate(search, curves, num_workers=workers, start_s=START)
    assert search.done
    return recorder.events


def best_first(job: Job, epoch: int) -> dict[str, float | None]:
    return {"score": -float(job.trial[1:])}


def ends(events: list[Event]) -> dict[str, int]:
    """Return trial -> its last epoch."""
    return {event.trial: event.epoch for event in events if isinstance(event, Reported)}


def test_nine_worst_first_trials_are_all_trained_in_full() -> None:
    assert set(ends(run(worst_first)).values()) == {9}


def test_nine_best_first_trials_stop_at_the_first_look_once_three_others_were_there() -> None:
    assert list(ends(run(best_first)).values()) == [9, 9, 9, 2, 2, 2, 2, 2, 2]
    assert list(ends(run(best_first, min_trials=1, grace_epochs=4)).values()) == [9, 4, 4, 4, 4, 4, 4, 4, 4]


def test_equal_trials_never_stop() -> None:
    assert set(ends(run(lambda job, epoch: {"score": 0.5}, workers=3)).values()) == {9}


def test_best_value_counts_not_the_last() -> None:
    def curves(job: Job, epoch: int) -> dict[str, float | None]:
        return {"score": 0.9 if job.trial == "t00004" and epoch == 1 else 0.0 if job.trial == "t00004" else 0.5}

    assert ends(run(curves, trials=4))["t00004"] == 9


def test_average_of_the_others_counts_not_their_last_value() -> None:
    def curves(job: Job, epoch: int) -> dict[str, float | None]:
        return {"score": 0.3 if job.trial == "t00004" else epoch / 10}  # at epoch 5 the others stand at 0.5, their average at 0.3

    assert ends(run(curves, trials=4))["t00004"] == 6


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), workers=st.integers(1, 16), trials=st.integers(1, 30), mode=st.sampled_from(["max", "min"]))
def test_every_decision_agrees_with_a_naive_recomputation(seed: int, workers: int, trials: int, mode: str) -> None:
    events = run(by_quality(seed), trials=trials, workers=workers, mode=mode)
    sign = 1 if mode == "max" else -1
    curves: dict[str, list[float]] = {}
    stops = {(event.trial, event.epoch): event for event in events if isinstance(event, Decided)}
    for event in events:
        if not isinstance(event, Reported):
            continue
        assert event.score is not None
        curves.setdefault(event.trial, []).append(event.score)
        averages = [
            statistics.fmean(curve[: event.epoch]) for trial, curve in curves.items() if trial != event.trial and len(curve) >= event.epoch
        ]
        if 2 <= event.epoch < 9 and len(averages) >= 3:
            best = max(sign * score for score in curves[event.trial])
            gap = best - sign * statistics.median(averages)
            if abs(gap) > 1e-12:  # sums in another order may differ in their last digit
                assert ((event.trial, event.epoch) in stops) == (gap < 0)
        elif event.epoch < 9:
            assert (event.trial, event.epoch) not in stops
    assert any(isinstance(event, Ended) and event.status == "completed" for event in events)


def test_stopped_trials_rank_by_the_epoch_they_reached_then_by_score() -> None:
    sweep = make_sweep(scheduler={"median": {"max_epochs": 9, "grace_epochs": 2}})
    search, _ = make_search(sweep)
    simulate(search, best_first, num_workers=1, start_s=START)
    order = [(record.trial, ranking.standing(record)) for record in ranking.order(search.history)]
    assert [trial for trial, _ in order] == [f"t{number:05d}" for number in range(1, 10)]
    assert [place.rung_epochs for _, place in order if place is not None] == [9, 9, 9, 2, 2, 2, 2, 2, 2]


def test_cutoff_and_reason_are_in_the_metrics_own_sign() -> None:
    events = run(lambda job, epoch: {"score": float(job.trial[1:])}, trials=4, mode="min")
    (stop,) = [event for event in events if isinstance(event, Decided)]
    assert (stop.trial, stop.score, stop.cutoff) == ("t00004", 4.0, 2.0)
    assert stop.reason == "its best, 4, is worse than 2, the median of 3 others at epoch 2"


@pytest.mark.parametrize("max_epochs", [1, 2])
def test_sweep_too_short_for_a_look_trains_everything(max_epochs: int) -> None:
    assert set(ends(run(best_first, max_epochs=max_epochs, grace_epochs=max_epochs)).values()) == {max_epochs}
