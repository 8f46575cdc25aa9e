"""Which checkpoints a sweep still needs. Deleting is the driver's: a worker never knows what the journal has."""

import shutil

from results.history import TrialRecord
from results.storage import Storage

# A trial in one of these states will never go on: nothing of it needs to be kept.
_OVER = frozenset({"stopped", "diverged", "out_of_memory", "failed"})


def tidy(storage: Storage, record: TrialRecord) -> None:
    """Delete the checkpoints of one trial that nothing will start from any more.

    Kept is the newest one that the journal knows, for a trial that waits, runs or was trained in full. A folder that the journal
    does not know (the driver was killed before it heard of it) goes with the next one that it does.
    """
    folder = storage.path(f"trials/{record.trial}/checkpoints")
    keep = None if record.status in _OVER or record.checkpoint is None else storage.path(record.checkpoint).name
    if record.checkpoint is None and record.status not in _OVER:
        return
    for checkpoint in folder.iterdir() if folder.is_dir() else ():
        newer = keep is not None and checkpoint.name > keep  # still being written, or not heard of yet
        if checkpoint.name != keep and not newer:
            shutil.rmtree(checkpoint, ignore_errors=True)
