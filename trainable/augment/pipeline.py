"""All random alterations of a batch of training images, in one call.

Shapes: B batch, H height, W width, C channels.
"""

import torch

from trainable.augment.geometry import random_crop, random_flip
from trainable.config.data import AugmentConfig


class Augment:
    """What an AugmentConfig asks for, in a fixed order: crop, then flip."""

    def __init__(self, config: AugmentConfig) -> None:
        self._config = config

    def __call__(self, images_BHWC: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return altered images of the same shape and type; the generator must be on their device."""
        if self._config.crop:
            images_BHWC = random_crop(images_BHWC, self._config.crop, generator)
        if self._config.flip:
            images_BHWC = random_flip(images_BHWC, generator)
        return images_BHWC
