"""Workers' time over several drivers: what went by between two of them was nobody's."""

import pytest
from sweeps import START, make_search, make_sweep, report, started

from results.events import DriverStarted, DriverStopped, Resized, stamp


def at(seconds: float) -> str:
    return stamp(START + seconds)


def test_time_is_that_of_the_slots_there_were_and_nights_between_drivers_do_not_count() -> None:
    search, _ = make_search(make_sweep(trials=4))
    search.record(DriverStarted(at=at(0), host="host", pid=1, slots=2))
    job = started(search)
    search.apply(report(job, 1, at=at(30), wall_s=10.0))  # the first epoch began at 20: a start of 40 slot seconds
    assert search.history.slot_s() == pytest.approx((60.0, 40.0))
    search.record(Resized(at=at(40), slots=3))
    search.apply(report(job, 2, at=at(50), wall_s=20.0))
    assert search.history.slot_s() == pytest.approx((80.0 + 30.0, 40.0))
    search.record(DriverStopped(at=at(60), reason="interrupted"))
    assert search.history.slot_s() == pytest.approx((80.0 + 60.0, 40.0))

    search.record(DriverStarted(at=at(80_000), host="host", pid=2, slots=1))
    assert search.history.slot_s() == pytest.approx((140.0, 40.0))
    job = started(search)
    search.apply(report(job, 3, at=at(80_012), wall_s=5.0))
    assert search.history.slot_s() == pytest.approx((152.0, 47.0))


def test_time_of_a_driver_that_was_killed_counts_up_to_its_last_word() -> None:
    search, _ = make_search(make_sweep(trials=4))
    search.record(DriverStarted(at=at(0), host="host", pid=1, slots=2))
    search.apply(report(started(search), 1, at=at(30), wall_s=10.0))
    search.record(DriverStarted(at=at(500), host="host", pid=2, slots=4))
    assert search.history.slot_s() == pytest.approx((60.0, 40.0))
