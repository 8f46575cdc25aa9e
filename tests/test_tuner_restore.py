"""A journal cut anywhere and restored ends like the journal that was never cut."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import START, Recorder, by_quality, make_search, make_sweep

from results.events import Decided, DriverStarted, Ended, Event, Launched, Reported, Suggested, stamp
from tuner.simulate import simulate

VARIANTS: dict[str, dict[str, Any]] = {
    "promotion": {"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3}},
    "delayed": {"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3, "delayed": True}},
    "stopping": {"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3, "variant": "stopping"}},
    "hyperband": {"hyperband": {"min_epochs": 1, "max_epochs": 9, "eta": 3}},
    "median": {"median": {"max_epochs": 5}},
    "impatient": {"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3}, "patience": {"epochs": 2, "min_delta": 0.1}},
    "none": {"none": {"max_epochs": 4}},
}


def run_to_end(scheduler: dict[str, Any], events: Sequence[Event] = (), workers: int = 1) -> list[Event]:
    """Return the whole journal of a sweep that goes on after `events`."""
    recorder = Recorder()
    recorder.events = list(events)
    search, _ = make_search(make_sweep(scheduler=scheduler), events, recorder)
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=workers))
    simulate(search, by_quality(3), num_workers=workers, start_s=START)
    assert search.done
    return recorder.events


def facts(events: Sequence[Event]) -> list[object]:
    """Return what must not depend on kills: everything but clocks, drivers and which attempt trained an epoch."""
    kept: list[object] = []
    for event in events:
        match event:
            case Suggested(trial=trial, config_hash=config_hash, draw=draw):
                kept.append(("suggested", trial, config_hash, draw))
            case Launched(trial=trial, from_epoch=epoch, why="promotion" | "drain" as why):
                kept.append((why, trial, epoch))
            case Reported(trial=trial, epoch=epoch, score=score):
                kept.append(("reported", trial, epoch, score))
            case Decided(trial=trial, epoch=epoch, action=action, cutoff=cutoff, reason=reason):
                kept.append(("decided", trial, epoch, action, cutoff, reason))
            case Ended(trial=trial, status=status):
                kept.append(("ended", trial, status))
    return kept


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_one_worker_sweep_cut_after_any_event_ends_like_the_undisturbed_one(variant: str) -> None:
    undisturbed = run_to_end(VARIANTS[variant])
    expected = facts(undisturbed)
    for cut in range(1, len(undisturbed)):
        assert facts(run_to_end(VARIANTS[variant], undisturbed[:cut])) == expected, f"cut after {undisturbed[cut - 1]}"


@pytest.mark.parametrize("variant", ["promotion", "stopping"])
def test_sweep_cut_twice_ends_like_the_undisturbed_one(variant: str) -> None:
    undisturbed = run_to_end(VARIANTS[variant])
    once = run_to_end(VARIANTS[variant], undisturbed[:20])
    for cut in range(21, len(once), 3):
        assert facts(run_to_end(VARIANTS[variant], once[:cut])) == facts(undisturbed)


@settings(max_examples=40, deadline=None)
@given(variant=st.sampled_from(sorted(VARIANTS)), workers=st.integers(2, 5), data=st.data())
def test_no_epoch_is_journaled_twice_and_nobody_is_lost_with_many_workers(variant: str, workers: int, data: st.DataObject) -> None:
    events = run_to_end(VARIANTS[variant], workers=workers)
    for _ in range(3):
        cut = data.draw(st.integers(1, len(events)), label="cut")
        events = run_to_end(VARIANTS[variant], events[:cut], workers=workers)
    seen = [(event.trial, event.epoch) for event in events if isinstance(event, Reported)]
    assert len(seen) == len(set(seen))
    search, _ = make_search(make_sweep(scheduler=VARIANTS[variant]), events)
    assert len(search.history.trials) == 9
    assert set(search.history.counts()) <= {"paused", "stopped", "completed"}


def test_restoring_a_finished_sweep_starts_nothing() -> None:
    events = run_to_end(VARIANTS["promotion"])
    search, recorder = make_search(make_sweep(scheduler=VARIANTS["promotion"]), events)
    assert search.next_job(START) is None
    assert search.done
    assert recorder.events == []
