"""The training split of one data set, divided, on the device, once per process. Never opens the test split.

Shapes: N images, H height, W width, C channels.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from trainable.config.data import DataConfig
from trainable.data.cache import decoded
from trainable.data.images import Pixels
from trainable.data.split import division


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """What a trial learns from and is judged on, on one device.

    Attributes:
        train_images_NHWC: uint8, 0..255.
        train_labels_N: int64.
        val_images_NHWC: uint8, 0..255; none of them is in the training part, unless the configuration trains on all.
        val_labels_N: int64.
        mean: Mean pixel of the training part, 0..255, one a channel.
        std: Standard deviation of the same pixels, > 0.
        class_names: One a class.
        fingerprint: SHA-256 of the whole training split, from which both parts were taken.
    """

    train_images_NHWC: torch.Tensor
    train_labels_N: torch.Tensor
    val_images_NHWC: torch.Tensor
    val_labels_N: torch.Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    fingerprint: str

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        _, height, width, channels = self.train_images_NHWC.shape
        return channels, height, width

    @property
    def num_classes(self) -> int:
        """Classes of the data set."""
        return len(self.class_names)


@lru_cache(maxsize=1)  # a worker stays with one data set; a second one takes the first one's place in memory
def resident(config: DataConfig, device: torch.device) -> TrainingData:
    """Return the data of a configuration; a reused worker that asks again gets what it has.

    Raises:
        DataError: The images cannot be read, or more of them are asked for than there are.
    """
    images, fingerprint = decoded(config, "train")
    rows = division(config, images.labels_N)
    train_images_NHWC = images.images_NHWC[rows.train]
    mean, std = _statistics(train_images_NHWC)
    return TrainingData(
        train_images_NHWC=torch.from_numpy(train_images_NHWC).to(device),
        train_labels_N=torch.from_numpy(images.labels_N[rows.train]).to(device),
        val_images_NHWC=torch.from_numpy(images.images_NHWC[rows.validation]).to(device),
        val_labels_N=torch.from_numpy(images.labels_N[rows.validation]).to(device),
        mean=mean,
        std=std,
        class_names=images.class_names,
        fingerprint=fingerprint,
    )


def scaled(data: TrainingData) -> TrainingData:
    """Return the data with a mean and a standard deviation that scale pixels to 0..1, for configurations that do not normalize."""
    channels = data.image[0]
    return replace(data, mean=(0.0,) * channels, std=(255.0,) * channels)


def _statistics(images_NHWC: Pixels) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel, from counts of the 256 values: exact, whatever the number of images."""
    moments = [_moments(np.bincount(images_NHWC[..., channel].ravel(), minlength=256)) for channel in range(images_NHWC.shape[3])]
    return tuple(mean for mean, _ in moments), tuple(std for _, std in moments)


def _moments(counts: npt.NDArray[np.int64]) -> tuple[float, float]:
    values = np.arange(256)
    mean = float(counts @ values / counts.sum())
    variance = float(counts @ (values - mean) ** 2 / counts.sum())
    return mean, variance**0.5 or 1.0  # a channel that never varies is centred, and not divided by zero
