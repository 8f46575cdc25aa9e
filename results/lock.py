"""One driver per sweep: an advisory lock on `driver.lock`, and a note beside it that says who holds it.

The kernel holds the lock for the process, so a driver that was killed frees it at once, and the file itself means nothing.
"""

import fcntl
import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from results.errors import Locked
from results.events import stamp
from results.storage import Storage

LOCK = "driver.lock"
HOLDER = "driver.json"

PATIENCE_S = 0.5  # `holder` takes the lock for an instant to look; a driver that starts then tries again
_RETRY_S = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """The driver that holds a sweep.

    Attributes:
        host: Its machine.
        pid: Its process there.
        since: UTC, ISO 8601.
    """

    host: str
    pid: int
    since: str


class SweepLock:
    """A context manager; inside it this process alone may write to the sweep."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the sweep.

        Raises:
            Locked: Another driver holds it; the message says which, and how to end it.
        """
        path = self._storage.path(LOCK)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)  # not inherited by the workers that this process starts
        deadline = time.monotonic() + PATIENCE_S
        while not _taken(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise Locked(_refusal(self._storage))
            time.sleep(_RETRY_S)
        self._descriptor = descriptor
        me = Holder(platform.node(), os.getpid(), stamp(time.time()))
        self._storage.write_atomic(HOLDER, json.dumps(asdict(me)).encode() + b"\n")

    def release(self) -> None:
        """Let the sweep go; twice is allowed."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._storage.path(HOLDER).unlink(missing_ok=True)
            os.close(descriptor)


def holder(storage: Storage) -> Holder | None:
    """Return the live driver of a sweep; None where nobody holds it."""
    try:
        descriptor = os.open(storage.path(LOCK), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return None if _taken(descriptor, fcntl.LOCK_SH) else _note(storage)
    finally:
        os.close(descriptor)


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _note(storage: Storage) -> Holder:
    """Return what the holder wrote about itself; it may have been killed, or stopped by us, just before it wrote."""
    try:
        return Holder(**json.loads(storage.read(HOLDER)))
    except (OSError, ValueError, TypeError):
        return Holder("unknown", 0, "unknown")


def _refusal(storage: Storage) -> str:
    other = _note(storage)
    if not other.pid:
        return f"{storage.root}: another driver is starting on this sweep; wait for it, then: shortlist leaderboard {storage.root}"
    here = other.host == platform.node()
    stop = f"kill -INT {other.pid}" if here else f"ssh {other.host} kill -INT {other.pid}"
    where = "this machine" if here else other.host
    return f"{storage.root}: process {other.pid} on {where} has run this sweep since {other.since}; wait for it, or stop it with: {stop}"
