"""Where images come from: one class for each `name` a DataConfig may have."""

from typing import Protocol, assert_never

from trainable.config.data import DataConfig
from trainable.data.cifar10 import Cifar10
from trainable.data.digits import Digits
from trainable.data.images import Images, ImageShape, Split
from trainable.data.parquet import Parquet


class Source(Protocol):
    """What the cache asks of a source. All of it raises DataError where the images cannot be read."""

    def key(self, split: Split) -> str:
        """Return text that changes whenever the split's content does. Decodes nothing."""

    def read(self, split: Split) -> Images:
        """Decode one split, and open no other."""

    def shape(self) -> ImageShape:
        """Return the shape of the training images, decoding one of them at most."""


def source(config: DataConfig) -> Source:
    """Return the source that a configuration names; nothing is opened yet."""
    match config.name:
        case "digits":
            return Digits()
        case "cifar10":
            return Cifar10(config.path)
        case "parquet":
            return Parquet(config.path)
    assert_never(config.name)
