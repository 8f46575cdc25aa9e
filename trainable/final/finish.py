"""What a final does after its last epoch: export the network, then read the test split, once. Nothing else of ours reads it."""

from dataclasses import asdict
from pathlib import Path

from trainable.data.test_split import open_test_split
from trainable.final.export import export
from trainable.final.scores import score
from trainable.memory import says_out_of_memory
from trainable.training import Training


@says_out_of_memory
def finish(training: Training, folder: Path) -> dict[str, float | str]:
    """Write `model.safetensors` and `model.py`, and return the figures of the test split.

    Args:
        training: After its last epoch.
        folder: Where the files go; made if absent.

    Returns:
        test_accuracy, test_accuracy_low, test_accuracy_high (0..1), test_loss in nats, test_examples, and the test split's fingerprint.

    Raises:
        ExportError: The exported files do not compute what the trained network computes.
        DataError: The test images cannot be read, or are not of the kind the network was trained on.
    """
    export(training.module, training.config, training.data, folder)
    test = open_test_split(training.config.data, training.device)
    return asdict(score(training.module, test, training.data)) | {"fingerprint": test.fingerprint}
