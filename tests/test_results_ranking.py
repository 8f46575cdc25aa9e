import itertools
import math
from collections.abc import Sequence

import recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from results.events import Event
from results.history import History
from results.ranking import Standing, order, ranked, standing

Life = tuple[int, float | None, str]  # rungs passed, score at each, how it ended

LIVES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.none() | st.sampled_from([0.1, 0.5, 0.5, 0.9, math.nan, math.inf]),
        st.sampled_from(["running", "paused", "stopped", "completed", "diverged", "out_of_memory", "failed"]),
    ),
    max_size=8,
)


def lived(lives: Sequence[Life], mode: str = "max") -> History:
    events: list[Event] = [recorded.started(mode=mode), recorded.driver()]
    for number, (num_rungs, score, end) in enumerate(lives, start=1):
        trial = f"t{number:05d}"
        events += [recorded.suggested(trial), recorded.launched(trial)]
        for rung in recorded.LADDER[:num_rungs]:
            events += [recorded.reported(trial, rung, score), recorded.decided(trial, rung, score, "continue")]
        if end == "completed":
            events.append(recorded.reported(trial, recorded.MAX_EPOCHS, score))
        if end == "paused":
            events.append(recorded.decided(trial, 2, score))
        elif end != "running":
            events.append(recorded.ended(trial, end))
    return History.of(events)


def ids(history: History) -> list[str]:
    return [record.trial for record in order(history)]


def test_a_lucky_first_epoch_never_outranks_a_survivor() -> None:
    history = History.of([
        recorded.started(), recorded.driver(),
        recorded.suggested("t00001"), *recorded.segment("t00001", [1, 2], 1.0, attempt=1, rung=2),
        recorded.suggested("t00002"), *recorded.segment("t00002", [1, 2], 0.6, attempt=1, rung=2),
        *recorded.segment("t00002", [3, 4, 5, 6], 0.3, attempt=2, rung=6),
    ])  # fmt: skip
    first, second = (standing(history.trials[trial]) for trial in ("t00001", "t00002"))
    assert first is not None
    assert second is not None
    assert first.score > second.score
    assert ids(history) == ["t00002", "t00001"]


def test_a_completed_trial_stands_at_its_last_epoch_and_a_running_one_at_its_last_rung() -> None:
    history = lived([(1, 0.9, "running"), (2, 0.5, "completed"), (2, 0.9, "paused"), (0, 0.4, "completed")])
    assert [standing(record) for record in order(history)] == [Standing(18, 0.5), Standing(18, 0.4), Standing(6, 0.9), Standing(2, 0.9)]


def test_a_trial_that_the_stopping_variant_stopped_stands_at_that_rung() -> None:
    assert standing(lived([(1, 0.2, "stopped")]).trials["t00001"]) == Standing(2, 0.2)


def test_a_running_trial_before_its_first_rung_is_unranked_whatever_it_scores() -> None:
    events = [recorded.started(), recorded.suggested("t00001"), recorded.launched("t00001"), recorded.reported("t00001", 1, 0.99)]
    assert not ranked(History.of(events).trials["t00001"])


def test_what_ended_badly_is_unranked_and_comes_last_by_status_then_id() -> None:
    lives: list[Life] = [
        (2, 0.9, "failed"),
        (2, 0.9, "diverged"),
        (1, 0.1, "paused"),
        (2, 0.9, "out_of_memory"),
        (0, None, "running"),
        (2, 0.9, "diverged"),
    ]
    assert ids(lived(lives)) == ["t00003", "t00005", "t00002", "t00006", "t00004", "t00001"]


def test_less_is_better_where_the_metric_is_minimised() -> None:
    assert ids(lived([(1, 0.9, "paused"), (1, 0.1, "paused")], mode="min")) == ["t00002", "t00001"]
    assert ids(lived([(1, 0.1, "paused"), (1, 0.9, "paused")], mode="max")) == ["t00002", "t00001"]


@settings(deadline=None, derandomize=True)
@given(lives=LIVES, mode=st.sampled_from(["max", "min"]))
def test_the_order_is_total_and_a_score_that_is_not_finite_never_ranks(lives: list[Life], mode: str) -> None:
    history = lived(lives, mode)
    ordered = order(history)
    assert sorted(record.trial for record in ordered) == sorted(history.trials)
    places = [standing(record) for record in ordered]
    num_ranked = sum(place is not None for place in places)
    assert all(place is not None and math.isfinite(place.score) for place in places[:num_ranked])
    assert places[num_ranked:] == [None] * (len(places) - num_ranked)
    for record, after in itertools.pairwise(ordered[:num_ranked]):
        one, other = standing(record), standing(after)
        assert one is not None
        assert other is not None
        sign = 1 if mode == "max" else -1
        assert (one.rung_epochs, sign * one.score) >= (other.rung_epochs, sign * other.score)
        if one == other:
            assert record.trial < after.trial
