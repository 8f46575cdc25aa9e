"""All random alterations of a batch of training images, in one call.

Microseconds a batch of 128 CIFAR images, AMD EPYC, one thread, torch 2.15: five_crop 640, crop 60 (mirrored border 430), flip 120,
vertical_flip 45, brightness 90, contrast 230, saturation and grayscale 385 each, blur 650, cutout 550, erasing 600; all that study E
used 2,900, everything 4,750. A step of the smallest network ([1,1,1] x 8 channels) takes 35,000.

Shapes: B batch, H height, W width, C channels.
"""

from collections.abc import Sequence

import torch

from trainable.augment import colour, geometry
from trainable.config.data import AugmentConfig
from trainable.errors import DataError


class Augment:
    """What an AugmentConfig asks for, in the order of its fields; `repeats` is left to the training loop."""

    def __init__(self, config: AugmentConfig, *, image: tuple[int, int, int], mean: Sequence[float], device: torch.device) -> None:
        """Prepare for images of one size.

        Args:
            config: What to do.
            image: Channels, height and width.
            mean: Mean pixel of the training data, 0..255, one a channel: what covered parts show.
            device: Where the images are.

        Raises:
            DataError: The images are too small for what is asked.
        """
        _check_size(config, min(image[1:]))
        self._config = config
        self._mean_C = torch.tensor(mean, device=device)
        self._rounded_mean_C = self._mean_C.round()

    def __call__(self, images_BHWC: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return altered images of the same shape, 0..255: uint8 as they came, or float32 where pixels had to be computed.

        The generator must be on the images' device.
        """
        config = self._config
        if config.five_crop:
            images_BHWC = geometry.random_five_crop(images_BHWC, config.five_crop, generator)
        if config.crop:
            images_BHWC = geometry.random_crop(images_BHWC, config.crop, generator, reflect=config.crop_border == "reflect")
        if config.flip:
            images_BHWC = geometry.random_flip(images_BHWC, generator)
        if config.vertical_flip:
            images_BHWC = geometry.random_flip(images_BHWC, generator, axis=1)
        images_BHWC = self._coloured(images_BHWC, generator)
        fill_C = self._mean_C if images_BHWC.is_floating_point() else self._rounded_mean_C
        if config.cutout:
            images_BHWC = geometry.random_cutout(images_BHWC, config.cutout, fill_C, generator)
        if config.erasing:
            images_BHWC = geometry.random_erasing(images_BHWC, config.erasing, fill_C, generator)
        return images_BHWC

    def _coloured(self, images_BHWC: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        # Deviates from torchvision's ColorJitter, which draws the order of the three, too.
        config, batch = self._config, len(images_BHWC)
        if config.brightness:
            images_BHWC = colour.brightness(images_BHWC.float(), colour.random_factors(batch, config.brightness, generator))
        if config.contrast:
            images_BHWC = colour.contrast(images_BHWC.float(), colour.random_factors(batch, config.contrast, generator))
        if config.saturation:
            images_BHWC = colour.saturation(images_BHWC.float(), colour.random_factors(batch, config.saturation, generator))
        if config.grayscale:
            images_BHWC = colour.random_grayscale(images_BHWC.float(), config.grayscale, generator)
        if config.blur:
            images_BHWC = colour.random_blur(images_BHWC.float(), config.blur, config.blur_kernel, config.blur_sigma, generator)
        return images_BHWC


def _check_size(config: AugmentConfig, side: int) -> None:
    """Raise DataError where an alteration needs larger images; `side` is the shorter of height and width."""
    for name, seen, most in (
        ("five_crop", config.five_crop, side),
        ("crop", config.crop if config.crop_border == "reflect" else 0, side - 1),
        ("blur_kernel", config.blur_kernel if config.blur else 0, 2 * side - 1),
    ):
        if seen > most:
            raise DataError(f"augment.{name}: {seen}, must be at most {most} for images of {side} pixels; lower it")
