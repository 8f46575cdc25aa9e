"""Sweeps on an object store: a driver that is killed at any upload is gone on with on a machine that has nothing, to the same end."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import object_stores
import pytest
from object_stores import FaultyProxy, machine
from sweeps import START, by_quality, flat_cost, make_sweep
from test_tuner_durability import VARIANTS, rows

from results import journal, lock, object_store
from results.events import Reported
from results.storage import Storage
from tuner.session import hold
from tuner.simulate import simulate

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SWEEP = make_sweep(trials=5, scheduler=VARIANTS["promotion"])
CUTS = 8

# The driver with simulated workers, in a process that can be killed.
DRIVER = """
import sys
sys.path.insert(0, "tests")
from test_tuner_object_store import drive
drive(sys.argv[1])
"""


class Killed(BaseException):
    """The driver's process is gone: nothing that it does afterwards reaches the store."""


def drive(address: str) -> None:
    with hold(SWEEP, Storage.at(address), source=b"name: test\n", cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(3), num_workers=1, start_s=START)
        session.refresher.now()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with object_stores.server() as url:
        yield url


@pytest.fixture(scope="module")
def undisturbed(url: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The leaderboard of the sweep in a folder."""
    folder = str(tmp_path_factory.mktemp("undisturbed") / "test")
    drive(folder)
    return rows(list(journal.read(Storage.at(folder))))


def test_leaderboard_after_a_cut_behind_any_upload_is_the_undisturbed_one(
    url: str, undisturbed: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = 0
    with machine(tmp_path / "whole"), monkeypatch.context() as patch:
        whole = object_store.bucket("sweeps")
        put = whole.put

        def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal uploads
            uploads += 1
            return put(*arguments, **options)

        patch.setattr(whole, "put", counted)
        drive("s3://sweeps/whole/test")
        assert rows(list(journal.read(Storage.at("s3://sweeps/whole/test")))) == undisturbed
    assert uploads > 20
    monkeypatch.setattr(lock, "STALE_S", 0.0)  # this process lives on, so its note would count for a minute
    rng = random.Random(5)
    for cut in [1, 2, 3, *sorted(rng.sample(range(4, uploads), CUTS))]:
        address = f"s3://sweeps/cut-{cut}/test"
        object_stores.forget()
        with machine(tmp_path / f"{cut}" / "first"):
            die_after(object_store.bucket("sweeps"), cut)
            with pytest.raises(Killed):
                drive(address)
        object_stores.forget()
        with machine(tmp_path / f"{cut}" / "second"):
            drive(address)
            events = list(journal.read(Storage.at(address)))
        assert rows(events) == undisturbed, f"cut behind upload {cut} of {uploads}"
        seen = [(event.trial, event.epoch) for event in events if isinstance(event, Reported)]
        assert len(seen) == len(set(seen))


def die_after(store: object_store.ObjectStore, uploads: int) -> None:
    """Let the so-many-th upload be the last thing that the store hears of this process."""
    left = uploads
    put = store.put

    def dead(*arguments: Any, **options: Any) -> Any:
        raise Killed

    def last(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        answer = put(*arguments, **options)
        if left == 0:
            for name in ("put", "get", "delete", "upload", "list_below", "list_folder", "copy"):
                setattr(store, name, dead)
            raise Killed
        return answer

    store.put = last  # type: ignore[method-assign]  # one request that goes wrong


def killing(process: "subprocess.Popen[str]", uploads: int, rng: random.Random) -> Callable[[str, str], object_stores.Fault]:
    """Return a store's faults: one request in seven, and with the so-many-th upload the process that sent it is killed."""
    left = uploads

    def fault(method: str, path: str) -> object_stores.Fault:
        nonlocal left
        left -= method == "PUT"
        if left == 0:
            os.kill(process.pid, signal.SIGKILL)
            return rng.choice(["deaf", "reset"])  # the store has done it, or has never heard of it
        return rng.choice([503, 500, "reset", "deaf"]) if rng.random() < 1 / 7 else None

    return fault


def test_driver_killed_in_the_middle_of_uploads_to_a_failing_store_loses_nothing(
    url: str, undisturbed: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Real kills, in real processes, each life on another machine; one request in seven fails."""
    address = "s3://sweeps/killed/test"
    proxy = FaultyProxy(url)
    rng = random.Random(3)
    lives = 0
    done = False
    with object_stores.using(proxy.url):
        while not done:
            lives += 1
            left = rng.randint(8, 25) if lives <= 4 else 10**9
            with machine(tmp_path / f"machine-{lives}"):
                process = subprocess.Popen([sys.executable, "-c", DRIVER, address], cwd=ROOT, stderr=subprocess.PIPE, text=True)
                proxy.fault = killing(process, left, rng)
                said = process.communicate(timeout=120)[1]
            assert process.returncode in (0, -9), said
            done = process.returncode == 0
    proxy.close()
    assert lives >= 4
    with machine(tmp_path / "reader"):
        events = list(journal.read(Storage.at(address)))
    assert rows(events) == undisturbed
    seen = [(event.trial, event.epoch) for event in events if isinstance(event, Reported)]
    assert len(seen) == len(set(seen))
