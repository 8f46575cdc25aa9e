"""Which checkpoints a sweep has and still needs. Names and deletions are the driver's: a worker never knows what the journal has.

A worker writes `000009.2`: epoch, attempt. The driver takes it over as `000009` when it hears of it, so that a worker that was given
up and writes on for a while can never replace what the journal speaks of. On an object store, which cannot rename, it keeps the name with
the attempt, which no other attempt writes either; there the worker uploads it, and whoever goes on from it downloads it.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

from results.history import TrialRecord
from results.mirror import Mirror
from results.storage import Storage

LAST = "meta.json"  # of a checkpoint on an object store: where it is, the rest is

Keep = Literal["survivors", "all", "none"]

# A trial in one of these states will never go on: nothing of it needs to be kept.
_OVER = frozenset({"stopped", "diverged", "out_of_memory", "failed"})


def accept(storage: Storage, name: str | None) -> str | None:
    """Take over what a worker has written; return the name that the journal shall know, relative to the sweep.

    Args:
        storage: The sweep's folder.
        name: What the worker wrote, `trials/<trial>/checkpoints/<epoch>.<attempt>`; None where it wrote nothing.
    """
    if name is None or storage.mirror is not None:
        return name
    accepted = name.rpartition(".")[0]
    target = storage.path(accepted)
    if target.exists():  # taken over by a driver that was killed before its journal knew
        shutil.rmtree(target)
    storage.path(name).rename(target)
    return accepted


def over(record: TrialRecord, keep: Keep) -> bool:
    """Return whether nothing of a trial is kept under a sweep's `resources.keep`: it will never go on."""
    return keep != "all" and (record.status in _OVER or (keep == "none" and record.status == "completed"))


def tidy(storage: Storage, record: TrialRecord, keep: Keep = "survivors") -> None:
    """Delete the checkpoints of one trial that nothing will start from any more.

    Kept is the newest one that the journal knows, for a trial that waits, runs or was trained in full. A folder that the journal
    does not know (the driver was killed before it heard of it) goes with the next one that it does.
    """
    gone = over(record, keep)
    if keep == "all" or (record.checkpoint is None and not gone):
        return
    place = f"trials/{record.trial}/checkpoints"
    newest = None if gone or record.checkpoint is None else storage.path(record.checkpoint).name
    if storage.mirror is not None:
        if gone or (record.last is not None and record.last.checkpoint is not None):
            storage.mirror.later(partial(_tidy_objects, storage.mirror, place, newest))
        return
    folder = storage.path(place)
    for checkpoint in folder.iterdir() if folder.is_dir() else ():
        if not _needed(checkpoint.name, newest):
            shutil.rmtree(checkpoint, ignore_errors=True)


def publish(storage: Storage, name: str, *, last: str = LAST) -> None:
    """Let the driver and every node see the checkpoint, or the export, that a worker has written; `last` stands for all its files."""
    if storage.mirror is not None:
        storage.publish(name, last=last)
        shutil.rmtree(storage.path(name))  # whoever goes on from it may be on another node


@contextmanager
def fetched(storage: Storage, name: str) -> Iterator[Path]:
    """Have a checkpoint on this node for as long as it is read; an empty folder or none where it is gone."""
    folder = storage.fetch(name)
    try:
        yield folder
    finally:
        if storage.mirror is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _tidy_objects(mirror: Mirror, place: str, keep: str | None) -> None:
    names = mirror.files(place)
    mirror.delete([name for name in names if not _needed(name.removeprefix(f"{place}/").partition("/")[0], keep)])


def _needed(checkpoint: str, keep: str | None) -> bool:
    """Return whether a checkpoint is the one to keep, or newer: still being written, or not heard of yet."""
    return keep is not None and (checkpoint == keep or _age(checkpoint) > _age(keep))


def _age(checkpoint: str) -> tuple[int, int]:
    """Return epoch and attempt; any other name is what a killed worker left half written, older than all."""
    epoch, _, attempt = checkpoint.partition(".")
    return (int(epoch), int(attempt or 0)) if epoch.isdecimal() and (attempt or "0").isdecimal() else (-1, 0)
