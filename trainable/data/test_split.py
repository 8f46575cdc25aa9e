"""The only door to test images: final training opens it, once, after the last epoch.

Shapes: N images, H height, W width, C channels.
"""

from dataclasses import dataclass

import torch

from trainable.config.data import DataConfig
from trainable.data.cache import decoded


@dataclass(frozen=True, slots=True, eq=False)
class TestData:
    """A test split on one device.

    Attributes:
        images_NHWC: uint8, 0..255.
        labels_N: int64.
        class_names: One a class.
        fingerprint: SHA-256 of the images and labels.
    """

    __test__ = False  # pytest would take the name for a test class

    images_NHWC: torch.Tensor
    labels_N: torch.Tensor
    class_names: tuple[str, ...]
    fingerprint: str


def open_test_split(config: DataConfig, device: torch.device) -> TestData:
    """Read the whole test split.

    Raises:
        DataError: The images cannot be read.
    """
    images, fingerprint = decoded(config, "test")
    return TestData(
        images_NHWC=torch.from_numpy(images.images_NHWC).to(device),
        labels_N=torch.from_numpy(images.labels_N).to(device),
        class_names=images.class_names,
        fingerprint=fingerprint,
    )
