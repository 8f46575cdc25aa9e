"""How large the images are and how many classes they have, without decoding them all: the driver counts costs with it."""

from trainable.config.data import DataConfig
from trainable.data.images import ImageShape
from trainable.data.sources import source


def image_shape(config: DataConfig) -> ImageShape:
    """Return what a network must fit; decodes one image at most and downloads nothing.

    Raises:
        DataError: The images cannot be found or read.
    """
    return source(config).shape()
