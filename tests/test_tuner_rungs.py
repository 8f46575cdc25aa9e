"""Rungs: integer ladders, and the bookkeeping of one rung against a naive sort."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.rungs import Rung, rung_epochs


@pytest.mark.parametrize(
    ("min_epochs", "max_epochs", "eta", "expected"),
    [
        (1, 27, 3, (1, 3, 9)),
        (1, 28, 3, (1, 3, 9, 27)),
        (2, 25, 2, (2, 4, 8, 16)),
        (5, 5, 2, ()),
        (1, 3**15, 3, tuple(3**k for k in range(15))),  # a float logarithm gets this wrong
        (1, 10**6, 10, (1, 10, 100, 1_000, 10_000, 100_000)),
    ],
)
def test_rungs_lie_strictly_below_max_epochs(min_epochs: int, max_epochs: int, eta: int, expected: tuple[int, ...]) -> None:
    assert rung_epochs(min_epochs=min_epochs, max_epochs=max_epochs, eta=eta) == expected


@pytest.mark.parametrize(("min_epochs", "max_epochs", "eta"), [(1, 9, 1), (0, 9, 3), (10, 9, 3)])
def test_impossible_ladder_is_refused(min_epochs: int, max_epochs: int, eta: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        rung_epochs(min_epochs=min_epochs, max_epochs=max_epochs, eta=eta)


def test_ties_go_to_the_smaller_trial_whoever_came_first() -> None:
    for order in (["t1", "t2", "t3"], ["t3", "t2", "t1"]):
        rung = Rung(1)
        for trial in order:
            rung.add(trial, 0.5)
        assert [rung.position(trial) for trial in ("t1", "t2", "t3")] == [0, 1, 2]
        assert rung.best_waiting() == "t1"


def test_second_arrival_of_a_trial_changes_nothing() -> None:
    rung = Rung(1)
    rung.add("t1", 0.5)
    rung.add("t1", 0.9)
    assert len(rung) == 1
    assert rung.cutoff(1) == 0.5


values = st.floats(min_value=-1, max_value=1, allow_nan=False).map(lambda value: round(value, 1))  # rounded: many ties


@given(st.lists(st.tuples(values, st.sampled_from(["stay", "promote", "withdraw"])), max_size=40))
def test_rung_agrees_with_a_naive_sort(arrivals: list[tuple[float, str]]) -> None:
    rung = Rung(3)
    scores: dict[str, float] = {}
    left: set[str] = set()
    for number, (value, action) in enumerate(arrivals):
        trial = f"t{number:02d}"
        rung.add(trial, value)
        scores[trial] = value
        if action == "promote":
            rung.promote(trial)
        elif action == "withdraw":
            rung.withdraw(trial)
        if action != "stay":
            left.add(trial)
        order = sorted(scores, key=lambda name: (-scores[name], name))
        waiting = [name for name in order if name not in left]
        assert len(rung) == len(order)
        assert rung.best_waiting() == (waiting[0] if waiting else None)
        assert [rung.position(name) for name in order] == list(range(len(order)))
        for num_kept in range(len(order) + 2):
            expected = scores[order[num_kept - 1]] if 0 < num_kept <= len(order) else None
            assert rung.cutoff(num_kept) == expected
    assert rung.num_promoted == sum(action == "promote" for _, action in arrivals)
