"""What a final's run does after its last epoch: export the network. The test split is not read here: `final/test_once.py` does, later."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from trainable.checkpoint import write_synced
from trainable.final.export import export
from trainable.memory import says_out_of_memory
from trainable.training import Training

# Beside the exported weights: which ones they are. Written last, so that a folder that holds it is whole.
RUN = "run.json"


@dataclass(frozen=True, slots=True)
class Exported:
    """What a run has exported.

    Attributes:
        epoch: The epoch after which the network stood as it was exported.
        weights: SHA-256 of `model.safetensors`.
        train_fingerprint: Content of the training split that it was trained on.
    """

    epoch: int
    weights: str
    train_fingerprint: str


@says_out_of_memory
def finish(training: Training, folder: Path) -> Exported:
    """Write `model.safetensors`, `model.py` and, last, `run.json`.

    Args:
        training: After its last epoch.
        folder: Where the files go; made if absent.

    Raises:
        ExportError: The exported files do not compute what the trained network computes.
    """
    (folder / RUN).unlink(missing_ok=True)
    export(training.kept, training.config, training.data, folder)
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    exported = Exported(training.kept_epoch, weights, training.data.fingerprint)
    partial = folder / f".{RUN}.partial"
    write_synced(partial, json.dumps(asdict(exported), indent=2).encode() + b"\n")
    partial.replace(folder / RUN)
    return exported
