"""Which checkpoints a sweep has and still needs. Names and deletions are the driver's: a worker never knows what the journal has.

A worker writes `000009.2`: epoch, attempt. The driver takes it over as `000009` when it hears of it, so that a worker that was given
up and writes on for a while can never replace what the journal speaks of.
"""

import shutil

from results.history import TrialRecord
from results.storage import Storage

# A trial in one of these states will never go on: nothing of it needs to be kept.
_OVER = frozenset({"stopped", "diverged", "out_of_memory", "failed"})


def accept(storage: Storage, name: str | None) -> str | None:
    """Take over what a worker has written; return the name that the journal shall know, relative to the sweep.

    Args:
        storage: The sweep's folder.
        name: What the worker wrote, `trials/<trial>/checkpoints/<epoch>.<attempt>`; None where it wrote nothing.
    """
    if name is None:
        return None
    accepted = name.rpartition(".")[0]
    target = storage.path(accepted)
    if target.exists():  # taken over by a driver that was killed before its journal knew
        shutil.rmtree(target)
    storage.path(name).rename(target)
    return accepted


def tidy(storage: Storage, record: TrialRecord) -> None:
    """Delete the checkpoints of one trial that nothing will start from any more.

    Kept is the newest one that the journal knows, for a trial that waits, runs or was trained in full. A folder that the journal
    does not know (the driver was killed before it heard of it) goes with the next one that it does.
    """
    over = record.status in _OVER
    if record.checkpoint is None and not over:
        return
    folder = storage.path(f"trials/{record.trial}/checkpoints")
    keep = None if over or record.checkpoint is None else storage.path(record.checkpoint).name
    for checkpoint in folder.iterdir() if folder.is_dir() else ():
        newer = keep is not None and checkpoint.name > keep  # still being written, or not heard of yet
        if checkpoint.name != keep and not newer:
            shutil.rmtree(checkpoint, ignore_errors=True)
