import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from results import lock
from results.errors import Locked
from results.lock import SweepLock, holder
from results.storage import Storage

ROOT = Path(__file__).parents[1]

HOLD = """
import sys
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
        with pytest.raises(Locked, match=rf"process {process.pid} on this machine .*since 20.*kill -INT {process.pid}"):
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
        with pytest.raises(Locked, match=r"process 12 on node7 .*ssh node7 kill -INT 12"):
            SweepLock(storage).acquire()
        storage.write_atomic(lock.HOLDER, b"")
        with pytest.raises(Locked, match="another driver is starting"):
            SweepLock(storage).acquire()


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
