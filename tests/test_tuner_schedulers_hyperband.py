"""Hyperband: how many trials each bracket gets, who is compared with whom, and that a restart changes nothing."""

from collections import Counter
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweeps import START, by_quality, make_search, make_sweep, rung_sizes, worst_first

from results.events import Decided, Ended, Launched
from search_spaces.scheduler_options import HyperbandOptions
from tuner.decisions import Job
from tuner.schedulers.hyperband import bracket_of, bracket_sizes
from tuner.simulate import Curves, simulate


def hyperband(**options: Any) -> dict[str, Any]:
    return {"hyperband": {"min_epochs": 1, "max_epochs": 27, "eta": 3} | options}


def best_first(job: Job, epoch: int) -> dict[str, float | None]:
    return {"score": -float(job.trial[1:])}


def members(trials: int, sizes: tuple[int, ...]) -> Counter[int]:
    bounds = tuple(accumulate(sizes))
    return Counter(bracket_of(f"t{number:05d}", bounds) for number in range(1, trials + 1))


@pytest.mark.parametrize(
    ("most", "eta", "sizes"),
    [(4, 3, (27, 12, 6, 4)), (5, 3, (81, 34, 15, 8, 5)), (5, 2, (16, 10, 7, 5, 5)), (1, 3, (1,))],  # 81 to 5: the paper's, for R = 81
)
def test_brackets_have_the_sizes_of_the_paper(most: int, eta: int, sizes: tuple[int, ...]) -> None:
    assert bracket_sizes(num_brackets=most, most_brackets=most, eta=eta) == sizes
    assert bracket_sizes(num_brackets=1, most_brackets=most, eta=eta) == sizes[:1]


@pytest.mark.parametrize(
    ("options", "most"),
    [((1, 27, 3), 4), ((1, 26, 3), 3), ((1, 28, 3), 4), ((2, 25, 2), 4), ((9, 9, 3), 1), ((5, 9, 3), 1), ((1, 3**15, 3), 16)],
)
def test_as_many_brackets_fit_as_there_are_first_rungs(options: tuple[int, int, int], most: int) -> None:
    least, epochs, eta = options
    assert HyperbandOptions(min_epochs=least, max_epochs=min(epochs, 1_000_000), eta=eta).most_brackets == min(most, 13)


@given(st.integers(1, 5_000), st.lists(st.integers(1, 100), min_size=1, max_size=6))
def test_shares_are_kept_at_every_number_of_trials(trials: int, sizes: list[int]) -> None:
    found = members(trials, tuple(sizes))
    for bracket, size in enumerate(sizes):
        # The discrepancy of van der Corput's sequence: an interval misses its share by at most log2(n) / 2 + 2 or so.
        assert abs(found[bracket] - trials * size / sum(sizes)) <= trials.bit_length() / 2 + 2


def test_nine_worst_first_trials_of_each_variant_fill_their_brackets() -> None:
    # Of nine, brackets 0 and 1 get six and two, bracket 2 one: t00008. Rungs of bracket 0 are 1, 3, 9, of bracket 1 are 3, 9.
    assert members(9, (27, 12, 6, 4)) == {0: 6, 1: 2, 2: 1}
    expected = {
        "stopping": {1: 6, 3: 8, 9: 9},
        "promotion": {1: 6, 3: 6, 9: 3},
        "delayed": {1: 6, 3: 4, 9: 1},
    }
    for name, sizes in expected.items():
        options = {"variant": "stopping"} if name == "stopping" else {"delayed": name == "delayed", "drain": "none"}
        search, recorder = make_search(make_sweep(scheduler=hyperband(**options)))
        simulate(search, worst_first, num_workers=1, start_s=START)
        assert rung_sizes(recorder.events) == sizes, name


def test_trial_is_compared_within_its_bracket_only() -> None:
    search, recorder = make_search(make_sweep(trials=49, scheduler=hyperband(drain="none")))
    simulate(search, by_quality(0), num_workers=4, start_s=START)
    bounds = tuple(accumulate((27, 12, 6, 4)))
    judged = Counter((bracket_of(event.trial, bounds), event.rung_epochs) for event in recorder.events if isinstance(event, Decided))
    found = members(49, (27, 12, 6, 4))
    assert [judged[bracket, 3**bracket] for bracket in range(3)] == [found[0], found[1], found[2]]
    assert {bracket for bracket, _ in judged} == {0, 1, 2}
    in_full = {event.trial for event in recorder.events if isinstance(event, Launched) and (event.from_epoch, event.until_epoch) == (0, 27)}
    assert {bracket_of(trial, bounds) for trial in in_full} == {3}
    assert len(in_full) == found[3]


@pytest.mark.parametrize("variant", ["promotion", "stopping"])
def test_one_bracket_is_asha(variant: str) -> None:
    journals = []
    for scheduler in (hyperband(brackets=1, variant=variant), {"asha": hyperband()["hyperband"] | {"variant": variant}}):
        search, recorder = make_search(make_sweep(trials=20, scheduler=scheduler))
        simulate(search, by_quality(3), num_workers=3, start_s=START)
        journals.append(recorder.events)
    assert repr(journals[0]) == repr(journals[1])  # nan is unlike itself


@pytest.mark.parametrize(("curves", "leader"), [(worst_first, "t00004"), (best_first, "t00001")])
def test_drain_takes_the_best_of_the_highest_rung_whatever_its_bracket(curves: Curves, leader: str) -> None:
    # The best of t00001 to t00003, bracket 0, and t00004, bracket 1, wait at rung 3 when nothing else is left.
    assert [bracket_of(f"t{number:05d}", (9, 14)) for number in range(1, 5)] == [0, 0, 0, 1]
    search, recorder = make_search(make_sweep(trials=4, scheduler=hyperband(max_epochs=9, brackets=2, delayed=True)))
    simulate(search, curves, num_workers=1, start_s=START)
    drained = [event for event in recorder.events if isinstance(event, Launched) and event.why == "drain"]
    assert [(event.trial, event.from_epoch, event.until_epoch) for event in drained] == [(leader, 3, 9)]
    assert [event.trial for event in recorder.events if isinstance(event, Ended) and event.status == "completed"] == [leader]


def test_ladder_for_drawing_holds_the_rungs_of_all_brackets() -> None:
    search, _ = make_search(make_sweep(scheduler=hyperband()))
    assert search.ladder == (1, 3, 9)
