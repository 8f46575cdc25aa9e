"""Patience beside a rule: who stops, who is left alone, and where the stopped ones rank."""

from typing import Any

import pytest
from sweeps import START, make_search, make_sweep

from results import ranking
from results.events import Decided, Ended, Event, Launched, Reported
from tuner.decisions import Job
from tuner.search import Search
from tuner.simulate import Curves, simulate

ASHA = {"min_epochs": 1, "max_epochs": 27, "eta": 3}


def run(curves: Curves, scheduler: dict[str, Any], trials: int = 3, **changes: Any) -> tuple[Search, list[Event]]:
    search, recorder = make_search(make_sweep(trials=trials, scheduler=scheduler, **changes))
    simulate(search, curves, num_workers=1, start_s=START)
    assert search.done
    return search, recorder.events


def rising_until(top: int, step: float = 0.01) -> Curves:
    return lambda job, epoch: {"score": step * min(epoch, top) + int(job.trial[1:]) / 1000}


def last_epochs(events: list[Event]) -> dict[str, int]:
    return {event.trial: event.epoch for event in events if isinstance(event, Reported)}


@pytest.mark.parametrize(("top", "patience", "last"), [(1, 1, 2), (1, 3, 4), (4, 3, 7), (9, 3, 9)])
def test_trial_stops_after_so_many_epochs_without_improvement(top: int, patience: int, last: int) -> None:
    search, events = run(rising_until(top), {"none": {"max_epochs": 9}, "patience": {"epochs": patience}})
    assert set(last_epochs(events).values()) == {last}
    assert search.history.counts() == ({"completed": 3} if last == 9 else {"stopped": 3})


def test_steps_below_min_delta_add_up_to_no_improvement_until_they_exceed_it() -> None:
    # A step of 0.01 an epoch passes 0.025 every third epoch: a patience of 3 is never used up, one of 2 is.
    for patience, last in ((3, 9), (2, 3)):
        _, events = run(rising_until(9), {"none": {"max_epochs": 9}, "patience": {"epochs": patience, "min_delta": 0.025}})
        assert set(last_epochs(events).values()) == {last}


def test_lower_is_better_where_the_metric_is_a_loss() -> None:
    scheduler = {"none": {"max_epochs": 9}, "patience": {"epochs": 2}}
    for direction, last in ((-1, 9), (1, 3)):
        _, events = run(lambda job, epoch, d=direction: {"score": d * epoch}, scheduler, objective={"metric": "val_loss", "mode": "min"})  # type: ignore[misc]  # binds it now
        assert set(last_epochs(events).values()) == {last}


def test_plateaued_trial_is_never_promoted_and_stays_counted_in_its_rung() -> None:
    # t00001 leads at rung 3 but has stood still since epoch 1.
    def curves(job: Job, epoch: int) -> dict[str, float | None]:
        return {"score": 1.0 if job.trial == "t00001" else epoch / 100 + int(job.trial[1:]) / 1000}

    search, events = run(curves, {"asha": ASHA, "patience": {"epochs": 2}}, trials=9)
    record = search.history.trials["t00001"]
    assert (record.status, record.epochs, record.rungs) == ("stopped", 3, {1: 1.0, 3: 1.0})
    assert record.reason == "on a plateau: no better than 1 for 2 epochs"
    assert [event.from_epoch for event in events if isinstance(event, Launched) and event.trial == "t00001"] == [0, 1]
    second = [event for event in events if isinstance(event, Decided) and event.rung_epochs == 3][1]
    assert second.reason.startswith("2 of 2 at rung 3")


def test_trial_stopped_between_rungs_ranks_at_its_last_rung() -> None:
    def curves(job: Job, epoch: int) -> dict[str, float | None]:
        return {"score": min(epoch, 3) + int(job.trial[1:]) / 1000}

    search, _ = run(curves, {"asha": ASHA | {"variant": "stopping"}, "patience": {"epochs": 3}}, trials=1)
    record = search.history.trials["t00001"]
    assert (record.status, record.epochs) == ("stopped", 6)
    place = ranking.standing(record)
    assert place is not None
    assert (place.rung_epochs, place.score) == (3, 3.001)


@pytest.mark.parametrize("rule", [{"none": {"max_epochs": 9}}, {"asha": {"min_epochs": 6, "max_epochs": 9}}])
def test_trial_stopped_before_any_rung_ranks_where_it_stopped(rule: dict[str, Any]) -> None:
    search, _ = run(rising_until(1), rule | {"patience": {"epochs": 2}}, trials=1)
    place = ranking.standing(search.history.trials["t00001"])
    assert place is not None
    assert place.rung_epochs == 3


def test_drained_leader_is_trained_in_full_though_it_stands_still() -> None:
    search, events = run(rising_until(1), {"asha": ASHA, "patience": {"epochs": 2}}, trials=2)
    drained = [(event.trial, event.from_epoch) for event in events if isinstance(event, Launched) and event.why == "drain"]
    assert drained == [("t00002", 1), ("t00002", 3), ("t00002", 9)]
    assert [event.trial for event in events if isinstance(event, Ended) and event.status == "completed"] == ["t00002"]
    assert search.history.counts() == {"paused": 1, "completed": 1}


def test_last_epoch_completes_whoever_stands_still() -> None:
    search, _ = run(rising_until(1), {"none": {"max_epochs": 3}, "patience": {"epochs": 2}})
    assert search.history.counts() == {"completed": 3}
