"""One driver per sweep: an advisory lock on `driver.lock`, and a note beside it that says who holds it, renewed as long as it does.

The kernel holds the lock for the process, so a driver that was killed frees it at once, and the lock's file itself means nothing. Between
machines not every file system passes locks on (NFS mounted with `nolock`, many object mounts). There the note decides: one
from another host that was renewed within the last minute is obeyed even where the lock is free. Its age is taken from the file's own
time against that of a file written now, so that both come from one clock, the storage's, however far those of the hosts are apart.

On an object store only the note counts; the lock, in the local copy, keeps readers on the same machine from touching what is being written.
"""

import errno
import fcntl
import logging
import os
import platform
import threading
import time
from types import TracebackType
from typing import Self

from results import lease
from results.errors import Locked
from results.events import stamp
from results.lease import HOLDER, Holder
from results.mirror import DRIVER_LOCK
from results.storage import Storage

__all__ = ["HOLDER", "LOCK", "Holder", "SweepLock", "holder"]

LOCK = DRIVER_LOCK

PATIENCE_S = 0.5  # `holder` takes the lock for an instant to look; a driver that starts then tries again
BEAT_S = 10.0
STALE_S = 60.0  # six beats missed: a driver on a busy machine, or a storage that hangs for a while, is not taken for dead
_RETRY_S = 0.02
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})  # a file system without locks

_log = logging.getLogger(__name__)


class SweepLock:
    """A context manager; inside it this process alone may write to the sweep."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._note = lease.note(storage)
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
        path = self._storage.root / LOCK
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
            if not self._note.write(self._me()):
                raise Locked(_refusal(self._storage))
            if self._storage.mirror is not None:
                self._storage.mirror.hold()
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
        try:
            if self._storage.mirror is not None:
                self._storage.mirror.let_go()
            if self._lost is None:
                self._note.remove()
        except OSError as error:  # an object store that is down: whatever has failed before is what there is to tell
            _log.warning("%s: the note of this driver is left behind (%s); it counts for %.0f s", self._storage, error, STALE_S)
        finally:
            os.close(descriptor)

    def beat(self) -> None:
        """Renew the note, unless somebody else has written another: then the sweep is lost, see `check`."""
        try:
            if self._note.write(self._me()):
                return
        except Locked as error:  # the journal has found out before
            self._lost = error
            return
        note = self._note.read()
        who = "another driver" if note is None else f"process {note.pid} on {note.host}"
        self._lost = Locked(
            f"{self._storage}: this driver was silent for more than {STALE_S:.0f} s, and {who} has taken the sweep over; "
            f"everything reported before is kept, see: shortlist status {self._storage}"
        )
        if self._storage.mirror is not None:
            self._storage.mirror.outrun(self._lost)

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
                _log.warning("%s: the note of this driver was not renewed (%s)", self._storage, error)

    def _me(self) -> Holder:
        low, high = self._left or (None, None)
        return Holder(platform.node(), os.getpid(), self._since, stamp(time.time()), low, high)

    def _obey_a_lease(self, *, kernel: bool) -> None:
        """Refuse where no lock is in the way but a driver whose lock is not seen from here renews its note.

        Args:
            kernel: Whether the lock was taken; False on a file system that has none.

        Raises:
            Locked: It was renewed within the last `STALE_S` seconds.
        """
        note = self._note.read()
        if note is None or _gone(note, kernel=kernel and self._storage.mirror is None):
            return
        age_s = self._note.age_s()
        who = f"process {note.pid} on {note.host}"
        if age_s < STALE_S:
            raise Locked(
                f"{self._storage}: {who} has run this sweep since {note.since} and was there {age_s:.0f} s ago; "
                f"stop it with: shortlist stop {self._storage}; if {note.host} is gone, try again in {STALE_S - age_s:.0f} s"
            )
        _log.warning("%s: taken over from %s, which was last there %s ago", self._storage, who, _ago(age_s))


def holder(storage: Storage) -> Holder | None:
    """Return the live driver of a sweep; None where nobody holds it."""
    taken: bool | None = None
    try:
        descriptor = os.open(storage.root / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        if storage.mirror is None:
            return None
    else:
        try:
            taken = _taken(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)
    known = lease.note(storage)
    note = known.read()
    if taken is False:
        return note or Holder("unknown", 0, "unknown")
    return None if note is None or _gone(note, kernel=taken is True and storage.mirror is None) or known.age_s() >= STALE_S else note


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


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _refusal(storage: Storage) -> str:
    other = lease.note(storage).read()
    if other is None:
        return f"{storage}: another driver is starting on this sweep; wait for it, then: shortlist leaderboard {storage}"
    where = "this machine" if other.host == platform.node() else other.host
    stop = f"shortlist stop {storage}"
    return f"{storage}: process {other.pid} on {where} has run this sweep since {other.since}; wait for it, or stop it with: {stop}"
