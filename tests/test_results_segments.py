"""The journal on an object store: nothing is answered before it is uploaded, no byte is lost, and only one driver can write."""

from collections.abc import Iterator
from pathlib import Path

import object_stores
import pytest
import recorded
from object_stores import FaultyProxy, machine

from results import journal, lock, mirror, object_store, segments
from results.errors import Locked
from results.journal import Journal
from results.lock import SweepLock
from results.storage import Storage


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with object_stores.server() as url:
        yield url


@pytest.fixture
def address(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    object_stores.forget()
    monkeypatch.setattr(mirror, "FRESH_S", 0.0)
    return f"s3://sweeps/{tmp_path.name}/digits"


def driver(address: str, cache: Path) -> tuple[SweepLock, Journal]:
    """Return a driver on a machine of its own."""
    with machine(cache):
        storage = Storage.at(address)
        held = SweepLock(storage)
        held.acquire()
        return held, Journal(storage)


def seen_elsewhere(address: str, cache: Path) -> int:
    """Return how many events a reader on another machine sees."""
    with machine(cache):
        return len(list(journal.read(Storage.at(address))))


def test_choices_are_on_the_store_when_append_returns_and_plain_reports_when_they_are_flushed(address: str, tmp_path: Path) -> None:
    held, writer = driver(address, tmp_path / "a")
    writer.append([recorded.started(), recorded.driver()], sync=True)
    assert seen_elsewhere(address, tmp_path / "b") == 2
    writer.append([recorded.reported("t00001", 1)], sync=False)
    assert seen_elsewhere(address, tmp_path / "b") == 2
    writer.flush()
    assert seen_elsewhere(address, tmp_path / "b") == 3
    writer.append([recorded.reported("t00001", 2)], sync=False)
    writer.append([recorded.decided("t00001", 2, 0.5)], sync=True)
    assert seen_elsewhere(address, tmp_path / "b") == 5
    writer.append([recorded.stopped()], sync=False)
    writer.close()
    held.release()
    assert seen_elsewhere(address, tmp_path / "b") == 6


def test_segments_stay_small_and_each_driver_begins_its_own(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 2000)
    events = recorded.sweep()
    for number, start in enumerate(range(0, len(events), 60)):
        held, writer = driver(address, tmp_path / f"machine-{number}")
        for event in events[start : start + 60]:
            writer.append([event], sync=True)
        writer.close()
        held.release()
    with machine(tmp_path / "reader"):
        storage = Storage.at(address)
        assert list(journal.read(storage)) == events
        sizes = [path.stat().st_size for path in sorted(storage.path("journal").iterdir())]
    assert len(sizes) > 10
    assert max(sizes) < 4000


def test_driver_given_up_for_dead_cannot_write_behind_the_back_of_the_next_one(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is stale, its clock may be wrong, it knows nothing: the store itself refuses it."""
    first, zombie = driver(address, tmp_path / "a")
    zombie.append([recorded.started(), recorded.driver()], sync=True)
    monkeypatch.setattr(lock, "STALE_S", 0.0)
    second, writer = driver(address, tmp_path / "b")
    writer.append([recorded.driver()], sync=True)
    with pytest.raises(Locked, match="another driver writes to this sweep, so this one stops"):
        zombie.append([recorded.suggested("t00001")], sync=True)
    assert zombie.closed
    with pytest.raises(Locked):
        first._storage.write_atomic("leaderboard.parquet", b"old")
    writer.append([recorded.stopped()], sync=True)
    writer.close()
    second.release()
    assert seen_elsewhere(address, tmp_path / "c") == 4


def test_driver_that_takes_over_while_the_other_one_writes_gives_way(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, busy = driver(address, tmp_path / "a")
    busy.append([recorded.started(), recorded.driver()], sync=True)
    monkeypatch.setattr(lock, "STALE_S", 0.0)
    second, writer = driver(address, tmp_path / "b")
    busy.append([recorded.suggested("t00001")], sync=True)
    with pytest.raises(Locked, match="another driver writes"):
        writer.append([recorded.driver()], sync=True)
    busy.append([recorded.stopped()], sync=True)
    busy.close()
    first.release()
    second.release()
    assert seen_elsewhere(address, tmp_path / "c") == 4


def test_interrupted_upload_is_made_good_before_anything_newer(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, writer = driver(address, tmp_path / "a")
    writer.append([recorded.started()], sync=True)
    store = object_store.bucket("sweeps")
    put = store.put

    def interrupted(*arguments: object, **options: object) -> object:
        monkeypatch.setattr(store, "put", put)
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.append([recorded.driver()], sync=True)
    writer.append([recorded.stopped("interrupted")], sync=True)
    writer.close()
    held.release()
    with machine(tmp_path / "b"):
        assert list(journal.read(Storage.at(address))) == [recorded.started(), recorded.driver(), recorded.stopped("interrupted")]


def test_store_that_takes_nothing_any_more_closes_the_journal_and_loses_nothing_before(
    address: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "PATIENCE_S", 0.2)
    proxy = FaultyProxy(url)
    with object_stores.using(proxy.url):
        held, writer = driver(address, tmp_path / "a")
        writer.append([recorded.started()], sync=True)
        proxy.fault = lambda method, path: 503 if method == "PUT" else None
        with pytest.raises(OSError, match="no answer within"):
            writer.append([recorded.driver()], sync=True)
        assert writer.closed
        held.release()
    proxy.close()
    assert seen_elsewhere(address, tmp_path / "b") == 1


@pytest.mark.parametrize("fault", ["deaf", "reset", 500])
def test_store_that_fails_every_third_time_gets_every_event_once(address: str, url: str, tmp_path: Path, fault: str | int) -> None:
    events = recorded.sweep(2)
    proxy = FaultyProxy(url)
    with object_stores.using(proxy.url):
        proxy.fault = lambda method, path: fault if len(proxy.requests) % 3 == 0 else None
        held, writer = driver(address, tmp_path / "a")
        for event in events:
            writer.append([event], sync=True)
        writer.close()
        held.release()
    proxy.close()
    with machine(tmp_path / "b"):
        assert list(journal.read(Storage.at(address))) == events
