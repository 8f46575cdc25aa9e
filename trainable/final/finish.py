"""What a final does after its last epoch: export the network, then read the test split, once. Nothing else of ours reads it."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from trainable.checkpoint import write_synced
from trainable.data.test_split import open_test_split
from trainable.final.export import export
from trainable.final.scores import score
from trainable.memory import says_out_of_memory
from trainable.training import Training

# Beside the exported weights: what the test split said of them. Written the moment it is known, so that a driver killed before it
# heard of the figures does not have the split read again.
FIGURES = "test.json"


@says_out_of_memory
def finish(training: Training, folder: Path) -> dict[str, float | str]:
    """Write `model.safetensors` and `model.py`, and return the figures of the test split, which is read once for these weights.

    Args:
        training: After its last epoch.
        folder: Where the files go; made if absent.

    Returns:
        test_accuracy, test_accuracy_low, test_accuracy_high (0..1), test_loss in nats, test_examples, the test split's fingerprint,
        the training split's as train_fingerprint, and the epoch after which the network stood as it was exported.

    Raises:
        ExportError: The exported files do not compute what the trained network computes.
        DataError: The test images cannot be read, or are not of the kind the network was trained on.
    """
    kept = training.kept
    export(kept, training.config, training.data, folder)
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    known = folder / FIGURES
    if known.exists():
        content = json.loads(known.read_bytes())
        if content["weights"] == weights:
            return dict(content["figures"])
    test = open_test_split(training.config.data, training.device)
    figures = asdict(score(kept, test, training.data))
    figures |= {"fingerprint": test.fingerprint, "train_fingerprint": training.data.fingerprint}
    figures |= {"epoch": training.kept_epoch}
    partial = folder / f".{FIGURES}.partial"
    write_synced(partial, json.dumps({"weights": weights, "figures": figures}, indent=2).encode() + b"\n")
    partial.replace(known)
    return figures
