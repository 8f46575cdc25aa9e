"""What of a sweep's folder nothing needs any more: found first, deleted then. No ray, no torch.

Never a journal, a table, a final, or the checkpoint that a survivor stands at. A sweep that a driver holds is left alone.
"""

import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from results import journal, lock, places
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
        name: Relative to the sweep, or to the folder of decoded images.
        size: Its bytes.
        reason: Why nothing needs it.
    """

    name: str
    size: int
    reason: str


def look(storage: Storage) -> list[Leftover]:
    """Return what of a sweep can go, oldest trial first. Errors as in `free`, which deletes it."""
    if (driver := lock.holder(storage)) is not None:
        raise Locked(f"{storage}: process {driver.pid} on {driver.host} runs it since {driver.since}; wait for it")
    return _leftovers(storage, time.time())


def free(storage: Storage) -> list[Leftover]:
    """Delete what of a sweep can go; return what went. The sweep is held meanwhile, so that no driver starts on it.

    Raises:
        Locked: A driver is at work on it.
    """
    with SweepLock(storage):
        found = _leftovers(storage, time.time())
        if storage.mirror is None:
            return _delete(storage.root, found)
        for leftover in found:
            storage.mirror.delete(storage.mirror.files(leftover.name))
        return found


def caches(root: Path, now: float, days: float = CACHE_DAYS) -> list[Leftover]:
    """Return decoded data sets that no process has opened for so many days; each is decoded again when it is needed."""
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        ours = (folder / "meta.json").is_file() or folder.suffix == ".partial"
        if ours and folder.is_dir() and not folder.is_symlink():
            idle_s = now - max((max(about.st_atime, about.st_mtime) for about in map(os.stat, _files(folder))), default=0.0)
            if idle_s > days * 86_400:
                found.append(Leftover(folder.name, _size(folder), f"not opened for {idle_s / 86_400:.0f} days"))
    return found


def free_caches(root: Path, now: float, days: float = CACHE_DAYS) -> list[Leftover]:
    """Delete what `caches` finds; return what went."""
    return _delete(root, caches(root, now, days))


def _leftovers(storage: Storage, now: float) -> list[Leftover]:
    history, keep = History.of(journal.read(storage)), stored(storage).resources.keep
    found: list[Leftover] = []
    for trial, checkpoint, size in _checkpoints(storage):
        record = history.trials.get(trial)
        if record is None:
            reason = "of a trial that the journal does not know"
        elif keep == "all":
            continue
        elif checkpoints.over(record, keep):
            reason = f"{record.status.replace('_', ' ')}: it never goes on"
        elif record.checkpoint is not None and checkpoint != Path(record.checkpoint).name:
            reason = f"not {Path(record.checkpoint).name}, where the trial stands"
        else:
            continue
        found.append(Leftover(f"trials/{trial}/checkpoints/{checkpoint}", size, reason))
    for place in (".", REQUESTS) if storage.mirror is None else ():  # an object store has no half-written files
        folder = storage.root / place
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.is_file() and _old(path, now) and (_TEMPORARY.match(path.name) or path.suffix == ".refused"):
                found.append(Leftover(str(path.relative_to(storage.root)), _size(path), "left by a process that died"))
    return found


def _checkpoints(storage: Storage) -> Iterator[tuple[str, str, int]]:
    """Yield trial, checkpoint and bytes of all checkpoints of the search; those of finals are not looked at."""
    sizes: Counter[tuple[str, str]] = Counter()
    if storage.mirror is not None:
        root = storage.mirror.key("")
        for listed in storage.mirror.store.list_below(f"{root}trials/"):
            parts = listed.key.removeprefix(root).split("/")
            if len(parts) > 4 and parts[2] == "checkpoints" and all(map(places.is_safe_part, parts)):
                sizes[parts[1], parts[3]] += listed.size
    else:
        for folder in storage.root.glob("trials/*/checkpoints/*"):
            sizes[folder.parts[-3], folder.name] += _size(folder)
    for trial, checkpoint in sorted(sizes):
        yield trial, checkpoint, sizes[trial, checkpoint]


def _delete(root: Path, found: list[Leftover]) -> list[Leftover]:
    """Delete files and folders below a folder, links themselves and never what they point to; return those that are gone."""
    for leftover in found:
        path = root / leftover.name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return [leftover for leftover in found if not (root / leftover.name).exists()]


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
