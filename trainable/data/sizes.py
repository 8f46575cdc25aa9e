"""How many images a trial trains on and is judged by, without moving any of them to a device."""

from trainable.config.data import DataConfig
from trainable.data.cache import decoded
from trainable.data.split import division


def num_images(config: DataConfig) -> tuple[int, int]:
    """Return the training and the validation images of a configuration; decodes the training split where nobody has yet.

    Raises:
        DataError: The images cannot be read, or more of them are asked for than there are.
    """
    images, _ = decoded(config, "train")
    rows = division(config, images.labels_N)
    return len(rows.train), len(rows.validation)
