"""What samplers learn from: places in the leaderboard, not scores."""

import pytest
from recorded import decided, ended, launched, reported, started, suggested

from results.events import Event
from results.history import History
from tuner.samplers.observations import observed, qualities


def trial(name: str, *scores: float, rungs: tuple[int, ...] = (2, 6)) -> list[Event]:
    """Return the events of a trial that has passed a rung with each score."""
    events: list[Event] = [suggested(name), launched(name, until_epoch=18)]
    for rung, score in zip(rungs, scores, strict=False):
        events += [reported(name, rung, score), decided(name, rung, score)]
    return events


def quality(*events: Event, sign: int = 1) -> dict[str, float | None]:
    history = History.of([started(), *events])
    return {record.trial: found for record, found in observed(history, sign=sign)}


def test_a_higher_rung_counts_before_a_better_score() -> None:
    found = quality(*trial("t1", 0.9), *trial("t2", 0.5, 0.6), *trial("t3", 0.2), *trial("t4", 0.6, 0.7))
    assert found == {"t1": 0.375, "t2": 0.625, "t3": 0.125, "t4": 0.875}


def test_a_minimised_metric_turns_the_order_within_a_rung() -> None:
    assert quality(*trial("t1", 0.9), *trial("t2", 0.5), sign=-1) == {"t1": 0.25, "t2": 0.75}


def test_what_ended_badly_is_worst_whatever_it_scored_and_equals_share_a_place() -> None:
    bad = [*trial("t1", 0.9, 0.9), ended("t1", "diverged", "nan"), suggested("t2"), launched("t2"), ended("t2", "out_of_memory", "full")]
    found = quality(*bad, *trial("t3", 0.1), *trial("t4", 0.1))
    assert found == {"t1": 0.25, "t2": 0.25, "t3": 0.75, "t4": 0.75}


def test_a_trial_below_its_first_rung_is_pending_and_one_that_was_stopped_there_says_nothing() -> None:
    found = quality(
        suggested("t1"), launched("t1"), reported("t1", 1), suggested("t2"), launched("t2"), ended("t2", "stopped"), suggested("t3")
    )
    assert found == {"t1": None, "t3": None}


def test_a_trial_that_goes_on_after_its_rung_keeps_its_place() -> None:
    events = [*trial("t1", 0.5), *trial("t2", 0.4)]
    assert quality(*events, launched("t1", attempt=2, from_epoch=2, until_epoch=6)) == quality(*events)


def test_qualities_lie_between_0_and_1_and_are_a_half_on_average() -> None:
    places = [(rung, float(score % 3)) for score, rung in enumerate([2, 2, -1, 6, 6, 2, -1, 2])]
    found = qualities(places)
    assert all(0 < quality < 1 for quality in found)
    assert sum(found) / len(found) == pytest.approx(0.5)
    assert qualities([]) == []
