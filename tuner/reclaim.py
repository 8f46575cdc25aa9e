"""What of a sweep's folder nothing needs any more: found first, deleted then. No ray, no torch.

Never a journal, a table, a final, or the checkpoint that a survivor stands at. A sweep that a driver holds is left alone.
"""

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from results import journal, lock
from results.errors import Locked
from results.history import History
from results.lock import SweepLock
from results.storage import REQUESTS, Storage
from tuner import checkpoints
from tuner.session import stored

FOREVER_S = 3600.0  # a file half written for so long was left by a process that died
CACHE_DAYS = 30.0

_TEMPORARY = re.compile(r"^\..+\.[a-z0-9_]{8}$")  # as `mkstemp` names what is being written


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file or folder that can go.

    Attributes:
        path: Where it lies.
        size: Its bytes on disk.
        reason: Why nothing needs it.
    """

    path: Path
    size: int
    reason: str


def leftovers(storage: Storage, now: float) -> list[Leftover]:
    """Return what of a sweep can go, oldest trial first; `now` in seconds since 1970."""
    history, keep = History.of(journal.read(storage)), stored(storage).resources.keep
    found: list[Leftover] = []
    trials = storage.path("trials")
    for folder in sorted(trials.iterdir()) if trials.is_dir() else ():
        record = history.trials.get(folder.name)
        for checkpoint in sorted((folder / "checkpoints").iterdir()) if (folder / "checkpoints").is_dir() else ():
            if record is None:
                reason = "of a trial that the journal does not know"
            elif keep == "all":
                continue
            elif checkpoints.over(record, keep):
                reason = f"{record.status.replace('_', ' ')}: it never goes on"
            elif record.checkpoint is not None and checkpoint.name != Path(record.checkpoint).name:
                reason = f"older than {Path(record.checkpoint).name}, or half written by a worker that was lost"
            else:
                continue
            found.append(Leftover(checkpoint, _size(checkpoint), reason))
    for place in (storage.root, storage.path(REQUESTS)):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if path.is_file() and _old(path, now) and (_TEMPORARY.match(path.name) or path.suffix == ".refused"):
                found.append(Leftover(path, _size(path), "left by a process that died"))
    return found


def caches(root: Path, now: float, days: float = CACHE_DAYS) -> list[Leftover]:
    """Return decoded data sets that no process has opened for so many days; each is decoded again when it is needed."""
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        ours = (folder / "meta.json").is_file() or folder.suffix == ".partial"
        if ours and folder.is_dir() and not folder.is_symlink():
            idle_s = now - max((max(about.st_atime, about.st_mtime) for about in map(os.stat, _files(folder))), default=0.0)
            if idle_s > days * 86_400:
                found.append(Leftover(folder, _size(folder), f"not opened for {idle_s / 86_400:.0f} days"))
    return found


def look(storage: Storage) -> list[Leftover]:
    """Return what of a sweep can go. Errors as in `free`, which deletes it."""
    if (driver := lock.holder(storage)) is not None:
        raise Locked(f"{storage.root}: process {driver.pid} on {driver.host} runs it since {driver.since}; wait for it")
    return leftovers(storage, time.time())


def free(storage: Storage) -> list[Leftover]:
    """Delete what of a sweep can go; return what went. The sweep is held meanwhile, so that no driver starts on it.

    Raises:
        Locked: A driver is at work on it.
    """
    with SweepLock(storage):
        return delete(leftovers(storage, time.time()))


def delete(found: list[Leftover]) -> list[Leftover]:
    """Delete files and folders; return those that are gone."""
    for leftover in found:
        if leftover.path.is_dir() and not leftover.path.is_symlink():
            shutil.rmtree(leftover.path, ignore_errors=True)
        else:
            leftover.path.unlink(missing_ok=True)
    return [leftover for leftover in found if not leftover.path.exists()]


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            yield from _files(inner)
    else:
        yield path


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in _files(path))


def _old(path: Path, now: float) -> bool:
    return now - path.stat().st_mtime > FOREVER_S
