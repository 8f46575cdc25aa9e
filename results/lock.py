"""One driver per sweep: an advisory lock on `driver.lock`, and a note beside it that says who holds it, renewed as long as it does.

The kernel holds the lock for the process, so a driver that was killed frees it at once, and the lock's file itself means nothing. Between
machines not every file system passes locks on (NFS mounted with `nolock`, many object mounts). There the note decides: one
from another host that was renewed within the last minute is obeyed even where the lock is free. Its age is taken from the file's own
time against that of a file written now, so that both come from one clock, the storage's, however far those of the hosts are apart.
"""

import errno
import fcntl
import json
import logging
import os
import platform
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, fields
from types import TracebackType
from typing import Self

from results.errors import Locked
from results.events import stamp
from results.storage import Storage

LOCK = "driver.lock"
HOLDER = "driver.json"

PATIENCE_S = 0.5  # `holder` takes the lock for an instant to look; a driver that starts then tries again
BEAT_S = 10.0
STALE_S = 60.0  # six beats missed: a driver on a busy machine, or a storage that hangs for a while, is not taken for dead
_RETRY_S = 0.02
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})  # a file system without locks

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """The driver that holds a sweep.

    Attributes:
        host: Its machine.
        pid: Its process there.
        since: UTC, ISO 8601, by its own clock.
        alive_at: When it last renewed this note; the same clock.
        left_low_s: Seconds that it expects to need at least; None while it cannot say.
        left_high_s: Seconds at most.
    """

    host: str
    pid: int
    since: str
    alive_at: str = ""
    left_low_s: float | None = None
    left_high_s: float | None = None


class SweepLock:
    """A context manager; inside it this process alone may write to the sweep."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._descriptor: int | None = None
        self._since = ""
        self._left: tuple[float, float] | None = None
        self._let_go = threading.Event()
        self._beating: threading.Thread | None = None
        self._lost: Locked | None = None

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
        try:
            deadline = time.monotonic() + PATIENCE_S
            while (taken := _taken(descriptor, fcntl.LOCK_EX)) is False:
                if time.monotonic() > deadline:
                    raise Locked(_refusal(self._storage))
                time.sleep(_RETRY_S)
            self._obey_a_lease(kernel=taken is True)
            self._since = stamp(time.time())
            self._write()
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._let_go.clear()
        self._beating = threading.Thread(target=self._renew, name="sweep-lock", daemon=True)
        self._beating.start()

    def release(self) -> None:
        """Let the sweep go; twice is allowed."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        self._let_go.set()
        if self._beating is not None:
            self._beating.join(timeout=BEAT_S)  # it is in the middle of a write at most
        if self._lost is None:
            self._storage.path(HOLDER).unlink(missing_ok=True)
        os.close(descriptor)

    def beat(self) -> None:
        """Renew the note, unless somebody else has written another: then the sweep is lost, see `check`."""
        note = _note(self._storage)
        if note is not None and (note.host, note.pid, note.since) != (platform.node(), os.getpid(), self._since):
            self._lost = Locked(
                f"{self._storage.root}: this driver was silent for more than {STALE_S:.0f} s, and process {note.pid} on {note.host} has "
                f"taken the sweep over; everything reported before is kept, see: shortlist status {self._storage.root}"
            )
            return
        self._write()

    def check(self) -> None:
        """Raise if another driver has taken the sweep over: this one must not write any more.

        Raises:
            Locked: It has; the message says which.
        """
        if self._lost is not None:
            raise self._lost

    def foresee(self, left_s: tuple[float, float] | None) -> None:
        """Keep the seconds that the sweep will still need, least and most, for whoever reads the note."""
        self._left = left_s

    def _renew(self) -> None:
        while not self._let_go.wait(BEAT_S) and self._lost is None:
            try:
                self.beat()
            except OSError as error:  # a full disk: the kernel's lock still holds, and the next beat tries again
                _log.warning("%s: the note of this driver was not renewed (%s)", self._storage.root, error)

    def _write(self) -> None:
        low, high = self._left or (None, None)
        me = Holder(platform.node(), os.getpid(), self._since, stamp(time.time()), low, high)
        self._storage.write_atomic(HOLDER, json.dumps(asdict(me)).encode() + b"\n")

    def _obey_a_lease(self, *, kernel: bool) -> None:
        """Refuse where no lock is in the way but a driver whose lock is not seen from here renews its note.

        Args:
            kernel: Whether the lock was taken; False on a file system that has none.

        Raises:
            Locked: It was renewed within the last `STALE_S` seconds.
        """
        note = _note(self._storage)
        if note is None or _gone(note, kernel=kernel):
            return
        age_s = _age_s(self._storage)
        who = f"process {note.pid} on {note.host}"
        if age_s < STALE_S:
            raise Locked(
                f"{self._storage.root}: {who} has run this sweep since {note.since} and was there {age_s:.0f} s ago; "
                f"stop it with: shortlist stop {self._storage.root}; if {note.host} is gone, try again in {STALE_S - age_s:.0f} s"
            )
        _log.warning("%s: taken over from %s, which was last there %s ago", self._storage.root, who, _ago(age_s))


def holder(storage: Storage) -> Holder | None:
    """Return the live driver of a sweep; None where nobody holds it."""
    try:
        descriptor = os.open(storage.path(LOCK), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        taken = _taken(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
    note = _note(storage)
    if taken is False:
        return note or Holder("unknown", 0, "unknown")
    return None if note is None or _gone(note, kernel=taken is True) or _age_s(storage) >= STALE_S else note


def _taken(descriptor: int, kind: int) -> bool | None:
    """Return whether the lock could be taken; None where the file system has none."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return True


def _gone(note: Holder, *, kernel: bool) -> bool:
    """Return whether the writer of a note is known to be dead: on its own host, where the kernel let us have its lock."""
    if note.host != platform.node():
        return False
    if kernel:
        return True
    try:
        os.kill(note.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is somebody else's
        return False
    return False


def _note(storage: Storage) -> Holder | None:
    """Return what the holder wrote about itself; it may have been killed, or stopped by us, just before it wrote."""
    try:
        content = json.loads(storage.read(HOLDER))
        known = {field.name for field in fields(Holder)}
        return Holder(**{name: value for name, value in content.items() if name in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _age_s(storage: Storage) -> float:
    """Return the seconds since the note was renewed, by the storage's clock."""
    try:
        with tempfile.NamedTemporaryFile(dir=storage.root, prefix=f".{HOLDER}.") as probe:
            now = os.fstat(probe.fileno()).st_mtime
    except OSError:  # we may only look: then this host's clock has to do
        now = time.time()
    return max(0.0, now - storage.path(HOLDER).stat().st_mtime)


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _refusal(storage: Storage) -> str:
    other = _note(storage)
    if other is None:
        return f"{storage.root}: another driver is starting on this sweep; wait for it, then: shortlist leaderboard {storage.root}"
    where = "this machine" if other.host == platform.node() else other.host
    stop = f"shortlist stop {storage.root}"
    return f"{storage.root}: process {other.pid} on {where} has run this sweep since {other.since}; wait for it, or stop it with: {stop}"
