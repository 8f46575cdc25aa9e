import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from results import lock
from results.errors import Locked
from results.lock import SweepLock, holder
from results.storage import Storage

ROOT = Path(__file__).parents[1]

HOLD = """
import sys
import time
from pathlib import Path
from results.lock import SweepLock
from results.storage import Storage
with SweepLock(Storage(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE_S", 0.1)


def hold(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_driver_is_told_who_holds_the_sweep_and_what_to_do(tmp_path: Path) -> None:
    with hold(tmp_path) as process:
        with pytest.raises(Locked, match=rf"process {process.pid} on this machine .*since 20.*shortlist stop"):
            SweepLock(Storage(tmp_path)).acquire()
        seen = holder(Storage(tmp_path))
        assert seen is not None
        assert seen.pid == process.pid
        process.communicate()
    with SweepLock(Storage(tmp_path)):
        pass


def test_a_driver_that_was_killed_frees_the_sweep(tmp_path: Path) -> None:
    with hold(tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert holder(Storage(tmp_path)) is None
        with SweepLock(Storage(tmp_path)):
            seen = holder(Storage(tmp_path))
            assert seen is not None
            assert seen.pid == os.getpid()


def test_a_holder_on_another_machine_is_named(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with SweepLock(storage):
        storage.write_atomic(lock.HOLDER, b'{"host": "node7", "pid": 12, "since": "2026-11-21T12:00:00.000+00:00"}')
        with pytest.raises(Locked, match=r"process 12 on node7 .*shortlist stop"):
            SweepLock(storage).acquire()
        storage.write_atomic(lock.HOLDER, b"")
        with pytest.raises(Locked, match="another driver is starting"):
            SweepLock(storage).acquire()


def foreign_note(storage: Storage, *, age_s: float) -> None:
    """Leave the note of a driver on another machine, whose lock this one does not see, last renewed so long ago."""
    storage.write_atomic(lock.HOLDER, b'{"host": "node7", "pid": 12, "since": "2026-11-21T12:00:00.000+00:00", "alive_at": "x", "mood": 1}')
    then = time.time() - age_s
    os.utime(storage.path(lock.HOLDER), (then, then))


def test_a_driver_elsewhere_that_renews_its_note_is_obeyed_although_its_lock_is_not_seen(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    (tmp_path / lock.LOCK).touch()
    foreign_note(storage, age_s=20)
    with pytest.raises(Locked, match=r"process 12 on node7 .*there 2\d s ago; .*shortlist stop .*if node7 is gone, try again in \d\d s"):
        SweepLock(storage).acquire()
    seen = holder(storage)
    assert seen is not None
    assert (seen.host, seen.pid) == ("node7", 12)
    assert sorted(path.name for path in tmp_path.iterdir()) == [lock.HOLDER, lock.LOCK]


def test_a_driver_elsewhere_that_fell_silent_is_taken_over_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    storage = Storage(tmp_path)
    (tmp_path / lock.LOCK).touch()
    foreign_note(storage, age_s=3 * 3600)
    assert holder(storage) is None
    with SweepLock(storage):
        assert "taken over from process 12 on node7, which was last there 3.0 h ago" in caplog.text
        seen = holder(storage)
        assert seen is not None
        assert seen.pid == os.getpid()


def test_age_of_a_note_does_not_depend_on_the_clock_of_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path)
    (tmp_path / lock.LOCK).touch()
    foreign_note(storage, age_s=1)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert holder(storage) is not None
    monkeypatch.setattr(time, "time", lambda: 1e11)
    assert holder(storage) is not None


def test_a_driver_that_was_taken_over_says_so_and_leaves_the_other_ones_note(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with SweepLock(storage) as held:
        held.beat()
        held.check()
        foreign_note(storage, age_s=0)
        held.beat()
        with pytest.raises(Locked, match="process 12 on node7 has taken the sweep over"):
            held.check()
    assert b"node7" in storage.read(lock.HOLDER)


def test_a_beat_renews_the_note_and_tells_how_long_the_sweep_will_take(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with SweepLock(storage) as held:
        os.utime(storage.path(lock.HOLDER), (0, 0))
        held.foresee((60.0, 90.5))
        held.beat()
        assert storage.path(lock.HOLDER).stat().st_mtime > 0
        seen = holder(storage)
        assert seen is not None
        assert (seen.left_low_s, seen.left_high_s) == (60.0, 90.5)


def test_where_the_file_system_has_no_locks_the_note_of_a_living_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    storage = Storage(tmp_path)
    with SweepLock(storage), pytest.raises(Locked, match="shortlist stop"):
        SweepLock(storage).acquire()
    with SweepLock(storage):
        pass


def test_letting_go_twice_is_allowed_and_leaves_nobody(tmp_path: Path) -> None:
    taken = SweepLock(Storage(tmp_path))
    taken.acquire()
    taken.release()
    taken.release()
    assert holder(Storage(tmp_path)) is None
    assert not Storage(tmp_path).exists(lock.HOLDER)


def test_two_who_only_look_do_not_take_each_other_for_a_driver(tmp_path: Path) -> None:
    with SweepLock(Storage(tmp_path)):
        pass
    with (tmp_path / lock.LOCK).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert holder(Storage(tmp_path)) is None


def test_a_sweep_that_never_had_a_driver_has_no_holder(tmp_path: Path) -> None:
    assert holder(Storage(tmp_path)) is None
