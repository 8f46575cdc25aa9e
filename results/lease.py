"""The note that says who holds a sweep, in a folder or on an object store: read, renewed, its age by the storage's own clock.

On an object store nothing else says so: every write is conditional on the note that was last seen, so that of two drivers which find
a sweep free only one gets it.
"""

import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from typing import Protocol

from results.errors import Changed
from results.mirror import Mirror
from results.storage import Storage

HOLDER = "driver.json"


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

    def same_driver(self, other: "Holder") -> bool:
        """Return whether both are notes of one driver."""
        return (self.host, self.pid, self.since) == (other.host, other.pid, other.since)


class Note(Protocol):
    """What a lock asks of a note."""

    def read(self) -> Holder | None:
        """Return who holds the sweep; None: nobody, or no readable note."""

    def age_s(self) -> float:
        """Return the seconds since the note that was read was renewed, by the storage's clock."""

    def write(self, holder: Holder) -> bool:
        """Replace the note that was last read or written; return False where it is another one by now."""

    def remove(self) -> None:
        """Take the note away: nobody holds the sweep."""


class FolderNote:
    """A file; the kernel's lock, where there is one, stands behind it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._seen: Holder | None = None

    def read(self) -> Holder | None:
        """See `Note`."""
        try:
            self._seen = _parsed(self._storage.read(HOLDER))
        except OSError:
            self._seen = None
        return self._seen

    def age_s(self) -> float:
        """See `Note`."""
        try:
            with tempfile.NamedTemporaryFile(dir=self._storage.root, prefix=f".{HOLDER}.") as probe:
                now = os.fstat(probe.fileno()).st_mtime
        except OSError:  # we may only look: then this host's clock has to do
            now = time.time()
        return max(0.0, now - self._storage.path(HOLDER).stat().st_mtime)

    def write(self, holder: Holder) -> bool:
        """See `Note`."""
        seen, there = self._seen, self.read()
        if there is not None and (seen is None or not there.same_driver(seen)):
            return False
        self._storage.write_atomic(HOLDER, _encoded(holder))
        self._seen = holder
        return True

    def remove(self) -> None:
        """See `Note`."""
        self._storage.remove(HOLDER)


class ObjectNote:
    """An object, replaced only under the condition that it is the one last seen."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._etag: str | None = None
        self._age_s = 0.0

    def read(self) -> Holder | None:
        """See `Note`. Errors of the store are the caller's: who holds a sweep must not be guessed."""
        try:
            there = self._mirror.store.get(self._mirror.key(HOLDER))
        except FileNotFoundError:
            self._etag = None
            return None
        self._etag, self._age_s = there.etag, there.age_s
        return _parsed(there.data)

    def age_s(self) -> float:
        """See `Note`."""
        return self._age_s

    def write(self, holder: Holder) -> bool:
        """See `Note`."""
        try:
            self._etag = self._mirror.push(HOLDER, _encoded(holder), instead_of=self._etag, new=self._etag is None)
        except Changed:
            return False
        return True

    def remove(self) -> None:
        """See `Note`."""
        self._mirror.remove(HOLDER)


def note(storage: Storage) -> Note:
    """Return the note of a sweep."""
    return FolderNote(storage) if storage.mirror is None else ObjectNote(storage.mirror)


def _parsed(content: bytes) -> Holder | None:
    """Return what a note says; its writer may have been killed, or stopped by us, just before it wrote."""
    try:
        said = json.loads(content)
        known = {field.name for field in fields(Holder)}
        return Holder(**{name: value for name, value in said.items() if name in known})
    except (ValueError, TypeError, AttributeError):
        return None


def _encoded(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode() + b"\n"
