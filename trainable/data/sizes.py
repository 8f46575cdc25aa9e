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


def resident_bytes(config: DataConfig) -> int:
    """Return what the images of a configuration take on a device, labels left out; raises what `num_images` raises."""
    images, _ = decoded(config, "train")
    return sum(num_images(config)) * int(images.images_NHWC[0].size)
