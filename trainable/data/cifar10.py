"""CIFAR-10 in its original form, through torchvision, which downloads it where it can.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from trainable.data.images import Images, ImageShape, Split
from trainable.data.locations import cache_root
from trainable.errors import DataError

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10

FOLDER = "cifar-10-batches-py"  # torchvision's name for what the archive holds
FILES: dict[Split, tuple[str, ...]] = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}


class Cifar10:
    """The folder in which torchvision keeps CIFAR-10."""

    def __init__(self, path: str | None) -> None:
        self._folder = Path(path).expanduser() if path else cache_root() / "cifar10"

    def key(self, split: Split) -> str:
        """Return the hash of the split's files, downloading them first where they are missing."""
        files = [self._folder / FOLDER / name for name in FILES[split]]
        if not all(file.is_file() for file in files):
            self._open(split)
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def read(self, split: Split) -> Images:
        """Return the images of one split."""
        dataset = self._open(split)
        return Images(np.asarray(dataset.data, dtype=np.uint8), np.asarray(dataset.targets, dtype=np.int64), tuple(dataset.classes))

    def shape(self) -> ImageShape:
        """Return 3x32x32, ten classes."""
        return ImageShape((3, 32, 32), num_classes=10)

    def _open(self, split: Split) -> "CIFAR10":
        # torchvision checks the files against the published MD5 sums before it unpickles them.
        from torchvision.datasets import CIFAR10  # here: it takes a second, and only the first process on a node decodes

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / "download.lock"):
                return CIFAR10(str(self._folder), train=split == "train", download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"cifar10: no usable {FOLDER} in {self._folder}, and it cannot be downloaded ({error}); unpack "
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz there, or set data.path to the folder that holds "
                f"{FOLDER}, or use `data: {{name: parquet, path: ...}}` with train*.parquet and test*.parquet"
            ) from error
