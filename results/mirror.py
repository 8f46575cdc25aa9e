"""The local copy of one sweep on an object store: brought up to date before it is read, written through while it is held.

    <cache>/mirrors/<endpoint>/<bucket>/<prefix>/<sweep>/   the sweep's folder, as it is on any storage

What is on the store is the truth: a file that only lies here, because a driver was killed before it could upload it, is none. Readers
download what has changed, by ETag. The driver that holds the sweep downloads once, then uploads whatever it writes before anybody hears of
it, and its copy is not touched by readers on the same machine. Checkpoints and exports, below `trials/`, are moved when they are asked for.
"""

import fcntl
import functools
import json
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from results import object_store, places
from results.errors import Locked
from results.object_store import Listed, ObjectStore

DRIVER_LOCK = "driver.lock"  # held, in the local copy, by a driver on this machine

FRESH_S = 2.0  # a reader that asks again within this time sees what it has seen
_THREADS = 8
_INDEX = ".mirror.json"
_SYNC_LOCK = ".sync.lock"
_ON_DEMAND = "trials"  # at any depth: finals have trials, too
_STRICT = frozenset({"journal", "requests"})  # what is not on the store is not there at all

_log = logging.getLogger(__name__)


class Mirror:
    """One sweep, or one final: a folder here and a prefix there."""

    def __init__(self, folder: Path, store: ObjectStore, prefix: str) -> None:
        self.folder = folder
        self.store = store
        self.address = f"{places.SCHEME}{store.bucket}/{prefix}"
        self._prefix = f"{prefix}/"
        self._held = False
        self._outrun: Locked | None = None
        self._synced_at: float | None = None
        self._index: dict[str, tuple[str, int, int]] = {}  # name -> ETag, and size and mtime (ns) of the file that is the same
        self._index_lock = threading.Lock()
        self._later: ThreadPoolExecutor | None = None

    def key(self, name: str) -> str:
        """Return the key of a file of the sweep."""
        return self._prefix + name

    def freshen(self) -> None:
        """Bring the copy up to date, unless this process holds the sweep or has just done so."""
        if self._held or (self._synced_at is not None and time.monotonic() - self._synced_at < FRESH_S):
            return
        with self._alone():
            if not _driven(self.folder):
                self._sync()
        self._synced_at = time.monotonic()

    def hold(self) -> None:
        """Bring the copy up to date and keep readers on this machine off it; the caller has the driver's lock."""
        with self._alone():
            self._sync()
            self._held = True
            self._outrun = None

    def let_go(self) -> None:
        """Finish what was put off, and let readers on this machine update the copy again; twice is allowed."""
        later, self._later = self._later, None
        if later is not None:
            later.shutdown(wait=True)
        if self._held:
            self._save_index()
        self._held = False
        self._synced_at = None

    def outrun(self, error: Locked) -> None:
        """Write nothing more: another driver has taken the sweep over."""
        self._outrun = error

    def etag(self, name: str) -> str | None:
        """Return the ETag of a file as it was last seen on the store."""
        entry = self._index.get(name)
        return None if entry is None else entry[0]

    def push(self, name: str, data: bytes, *, instead_of: str | None = None, new: bool = False) -> str:
        """Write a file, there and then here; return its ETag. Errors as in `ObjectStore.put`, and Locked."""
        if self._outrun is not None:
            raise self._outrun
        etag, written_ns = self.store.put(self.key(name), data, instead_of=instead_of, new=new)
        self._place(name, data, etag, written_ns)
        return etag

    def push_file(self, path: Path, *, instead_of: str | None, new: bool) -> str:
        """Upload a file that lies here already and may be open for writing; return its ETag. Errors as in `push`."""
        if self._outrun is not None:
            raise self._outrun
        name = str(path.relative_to(self.folder))
        etag, written_ns = self.store.put(self.key(name), path.read_bytes(), instead_of=instead_of, new=new)
        os.utime(path, ns=(written_ns, written_ns))
        self._remember(name, path, etag)
        return etag

    def remove(self, name: str) -> None:
        """Delete a file, there and then here."""
        self.store.delete([self.key(name)])
        (self.folder / name).unlink(missing_ok=True)
        with self._index_lock:
            self._index.pop(name, None)

    def pull(self, folder: str) -> None:
        """Bring one folder up to date, also for the driver that holds the sweep: what others leave there for it."""
        self._take_over(self._listing(self.store.list_below(self.key(f"{folder}/"))), [folder])

    def fetch(self, folder: str) -> None:
        """Download a folder below `trials/`, or a small one, whole, whatever lies here."""
        for found in self.store.list_below(self.key(f"{folder}/")):
            if (name := self._name(found.key)) is not None:
                self._download(name)

    def publish(self, folder: str, *, last: str | None = None) -> None:
        """Upload a folder with everything in it; the file called `last` comes last, so that it stands for the rest."""
        files = sorted((path for path in (self.folder / folder).rglob("*") if path.is_file()), key=lambda path: (path.name == last, path))
        for path in files:
            self.store.upload(self.key(str(path.relative_to(self.folder))), path)

    def files(self, folder: str) -> list[str]:
        """Return the names of the files in a folder on the store, relative to the sweep."""
        return [name for found in self.store.list_below(self.key(f"{folder}/")) if (name := self._name(found.key)) is not None]

    def delete(self, names: Sequence[str]) -> None:
        """Delete files on the store."""
        self.store.delete([self.key(name) for name in names])

    def move(self, target: "Mirror") -> None:
        """Give everything another prefix: copied first, deleted when all is there."""
        keys = [found.key for found in self.store.list_below(self._prefix)]
        for key in keys:
            self.store.copy(key, target.key(key.removeprefix(self._prefix)))
        self.store.delete(keys)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._index.clear()

    def later(self, call: Callable[[], None]) -> None:
        """Do something when there is time, in order, while the sweep is held; at once otherwise. What fails is logged only."""

        def do() -> None:
            try:
                call()
            except OSError as error:
                _log.warning("%s: %s", self.address, error)

        if not self._held:
            do()
            return
        if self._later is None:
            self._later = ThreadPoolExecutor(1, thread_name_prefix="storage")
        self._later.submit(do)

    def _sync(self) -> None:
        """Make the copy what is on the store."""
        try:
            self._index = {
                name: (etag, size, time_ns) for name, (etag, size, time_ns) in json.loads((self.folder / _INDEX).read_bytes()).items()
            }
        except (OSError, ValueError, AttributeError):
            self._index = {}
        objects, folders = self.store.list_folder(self._prefix)
        named = [folder for folder in folders if self._name(self.key(folder)) is not None]
        deep = [folder for folder in named if folder != _ON_DEMAND and not folder.startswith(".")]
        with ThreadPoolExecutor(_THREADS) as pool:
            for found in pool.map(self.store.list_below, [self.key(f"{folder}/") for folder in deep]):
                objects += found
        self._take_over(self._listing(objects), None)
        self._save_index()

    def _listing(self, objects: Sequence[Listed]) -> dict[str, Listed]:
        """Return name -> object for those that belong into the copy."""
        named = ((self._name(found.key), found) for found in objects)
        return {name: found for name, found in named if name is not None and _ON_DEMAND not in name.split("/")[:-1]}

    def _name(self, key: str) -> str | None:
        """Return a key as a file's name; None, with a warning, where it could lead elsewhere."""
        name = key.removeprefix(self._prefix)
        if name and all(map(places.is_safe_part, name.split("/"))):
            return name
        if key == self._prefix or not key.endswith("/"):  # some tools leave an empty object for a folder
            _log.warning("%s holds %r, which is no name of ours; it is left alone", self.address, name)
        return None

    def _take_over(self, there: dict[str, Listed], folders: Sequence[str] | None) -> None:
        """Download what differs and delete what is gone, in some folders or (None) in all."""
        driven = {path.parent for path in self.folder.glob(f"finals/*/{DRIVER_LOCK}") if _driven(path.parent)}
        mine = {name: found for name, found in there.items() if not driven.intersection((self.folder / name).parents)}
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(self._download, [name for name, found in mine.items() if not self._same(name, found)]))
        for path in list(self._files(folders)):
            name = str(path.relative_to(self.folder))
            known = name in self._index or bool(_STRICT.intersection(name.split("/")[:-1]))
            if name not in there and known and not driven.intersection(path.parents):
                path.unlink(missing_ok=True)
                with self._index_lock:
                    self._index.pop(name, None)

    def _files(self, folders: Sequence[str] | None) -> Iterator[Path]:
        for folder in [self.folder] if folders is None else [self.folder / folder for folder in folders]:
            for base, below, names in os.walk(folder):
                below[:] = [name for name in below if name != _ON_DEMAND]
                yield from (Path(base, name) for name in names if not name.startswith(".") and name != DRIVER_LOCK)

    def _same(self, name: str, found: Listed) -> bool:
        try:
            seen = (self.folder / name).stat()
        except FileNotFoundError:
            return False
        return self._index.get(name) == (found.etag, seen.st_size, seen.st_mtime_ns)

    def _download(self, name: str) -> None:
        if _ON_DEMAND in name.split("/"):
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            self.store.download(self.key(name), target)
            return
        try:
            fetched = self.store.get(self.key(name))
        except FileNotFoundError:  # deleted since the listing
            return
        self._place(name, fetched.data, fetched.etag, fetched.written_ns)

    def _place(self, name: str, data: bytes, etag: str, written_ns: int) -> None:
        """Replace a file here. Its time is that of its writer: whether a table lags behind its journal is told by them."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.utime(temporary, ns=(written_ns, written_ns))
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._remember(name, target, etag)

    def _remember(self, name: str, path: Path, etag: str) -> None:
        seen = path.stat()
        with self._index_lock:
            self._index[name] = (etag, seen.st_size, seen.st_mtime_ns)

    def _save_index(self) -> None:
        partial = self.folder / f"{_INDEX}.partial"
        with self._index_lock:
            partial.write_text(json.dumps(self._index))
        partial.replace(self.folder / _INDEX)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process of this machine at a time update the copy, or begin to hold it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / _SYNC_LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@functools.cache
def _known(folder: Path, bucket: str, prefix: str) -> Mirror:
    return Mirror(folder, object_store.bucket(bucket), prefix)


def of(folder: Path) -> Mirror | None:
    """Return the mirror whose copy a folder is, one object a process; None for a folder that is just one.

    Raises:
        Unsupported: boto3 is not installed.
    """
    known = places.bucket_and_prefix(folder)
    return None if known is None else _known(folder.resolve(), *known)


def folders(folder: Path) -> list[str]:
    """Return the names of the folders right below a mirrored one on its store."""
    known = places.bucket_and_prefix(folder)
    assert known is not None
    bucket, prefix = known
    _, found = object_store.bucket(bucket).list_folder(f"{prefix}/" if prefix else "")
    return sorted(name for name in found if places.is_safe_part(name))


def _driven(folder: Path) -> bool:
    """Return whether a driver on this machine works in a folder."""
    try:
        with (folder / DRIVER_LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
