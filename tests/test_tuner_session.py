"""A sweep held open: what is written, what is refused, and that its journal is closed whatever happens."""

import json
from pathlib import Path

import pytest
from sweeps import START, by_quality, flat_cost, make_sweep

from results import journal
from results.errors import Locked
from results.events import DriverStopped, Extended, SweepStarted, stamp
from results.history import History
from results.storage import Storage
from tuner import requests
from tuner.errors import UsageError
from tuner.session import hold, stored
from tuner.simulate import simulate


def test_new_sweep_is_stored_resolved_with_its_source_and_its_journal_begins(tmp_path: Path) -> None:
    sweep, storage = make_sweep(), Storage(tmp_path / "s")
    with hold(sweep, storage, source=b"name: test # as written", cost=flat_cost) as session:
        session.start(2)
        simulate(session.search, by_quality(0), num_workers=2, start_s=START)
    assert storage.read("sweep.yaml") == b"name: test # as written"
    assert json.loads(storage.read("sweep.json"))["hash"] == sweep.hash()
    assert stored(storage) == sweep
    events = list(journal.read(storage))
    assert isinstance(events[0], SweepStarted)
    assert events[0].ladder == (1, 3, 9)
    assert events[-1] == DriverStopped(at=events[-1].at, reason="finished")
    assert storage.exists("leaderboard.parquet")
    assert storage.exists("curves.parquet")


def test_finished_sweep_opens_as_finished_and_is_not_written_to(tmp_path: Path) -> None:
    sweep, storage = make_sweep(), Storage(tmp_path / "s")
    for _ in range(2):
        with hold(sweep, storage, source=None, cost=flat_cost) as session:
            finished = session.finished
            if not finished:
                session.start(1)
                simulate(session.search, by_quality(0), num_workers=1, start_s=START)
    assert finished
    assert sum(isinstance(event, DriverStopped) for event in journal.read(storage)) == 1


def test_sweep_that_is_extended_while_its_driver_lets_go_has_not_finished(tmp_path: Path) -> None:
    sweep, storage = make_sweep(trials=2), Storage(tmp_path / "s")
    with hold(sweep, storage, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(0), num_workers=1, start_s=START)
        assert session.search.done
        requests.send(storage, Extended(at=stamp(START), request="late", author="ada", trials=4))
        session.look_up(START)
    with hold(sweep, storage, source=None, cost=flat_cost) as session:
        assert not session.finished
        session.start(1)
        simulate(session.search, by_quality(0), num_workers=1, start_s=START)
    assert len(History.of(journal.read(storage)).trials) == 4


def test_another_sweep_under_the_same_name_is_refused_and_the_first_is_kept(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "s")
    with hold(make_sweep(seed=1), storage, source=b"first", cost=flat_cost):
        pass
    with (
        pytest.raises(UsageError, match="another sweep named test"),
        hold(make_sweep(seed=2), storage, source=b"second", cost=flat_cost),
    ):
        pass
    assert storage.read("sweep.yaml") == b"first"


def test_other_resources_are_the_same_sweep(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "s")
    for workers in (1, 2):
        with hold(make_sweep(resources={"workers": workers}), storage, source=None, cost=flat_cost):
            pass


def test_second_driver_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "s")
    with (
        hold(make_sweep(), storage, source=None, cost=flat_cost),
        pytest.raises(Locked),
        hold(make_sweep(), storage, source=None, cost=flat_cost),
    ):
        pass


@pytest.mark.parametrize(("error", "reason"), [(KeyboardInterrupt(), "interrupted"), (RuntimeError("disk"), "failed")])
def test_journal_says_how_the_driver_ended(tmp_path: Path, error: BaseException, reason: str) -> None:
    storage = Storage(tmp_path / "s")

    def run_into_the_error() -> None:
        with hold(make_sweep(), storage, source=None, cost=flat_cost) as session:
            session.start(1)
            simulate(session.search, by_quality(0), num_workers=1, start_s=START, max_epochs=5)
            raise error

    with pytest.raises(type(error)):
        run_into_the_error()
    last = list(journal.read(storage))[-1]
    assert isinstance(last, DriverStopped)
    assert last.reason == reason


def test_sweep_interrupted_and_opened_again_goes_on_to_the_same_end(tmp_path: Path) -> None:
    def ended(stop_after: int | None, name: str) -> list[tuple[str, int, float | None]]:
        storage = Storage(tmp_path / name)
        for limit in (stop_after, None):
            with hold(make_sweep(), storage, source=None, cost=flat_cost) as session:
                if not session.finished:
                    session.start(1)
                    simulate(session.search, by_quality(0), num_workers=1, start_s=START, max_epochs=limit)
                    if limit is not None:
                        session.search.stopped_by = "the test"
        return [
            (record.trial, record.epochs, record.last.score if record.last else None) for record in session.search.history.trials.values()
        ]

    assert ended(7, "interrupted") == ended(None, "undisturbed")
