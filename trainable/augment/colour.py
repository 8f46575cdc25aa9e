"""Brightness, contrast, saturation, shades of grey and blur of whole batches. Every image has its own draw; there is no loop over images.

The formulas are torchvision's for float images, on a scale of 0..255: nothing is rounded in between. A grey image (one channel) has no
saturation. The draws (`random_...`) and what is done with them are separate functions.

Shapes: B batch, H height, W width, C channels (3 for RGB, 1 for grey), P = H * W * C, T taps of a kernel.
"""

from functools import lru_cache

import torch

from trainable.augment.geometry import reflected

# What the eye makes of red, green and blue: ITU-R BT.601, with torchvision's digits.
LUMA = (0.2989, 0.587, 0.114)
NARROWEST_BLUR = 0.1  # pixels; torchvision's default


def random_factors(batch: int, strength: float, generator: torch.Generator) -> torch.Tensor:
    """Return factors_B drawn from 1 - strength to 1 + strength."""
    return 1.0 + strength * (2.0 * torch.rand(batch, generator=generator, device=generator.device) - 1.0)


def random_grayscale(images_BHWC: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Take the colours out of a share of the images."""
    chosen_B = torch.rand(len(images_BHWC), generator=generator, device=images_BHWC.device) < probability
    return saturation(images_BHWC, 1.0 - chosen_B.float())  # a factor of 1 changes nothing, to the bit


def random_blur(images_BHWC: torch.Tensor, probability: float, kernel: int, widest: float, generator: torch.Generator) -> torch.Tensor:
    """Blur a share of the images, each by its own standard deviation from NARROWEST_BLUR to `widest` pixels."""
    chosen_B, sigmas_B = torch.rand((2, len(images_BHWC)), generator=generator, device=images_BHWC.device)
    kernels_BT = gaussian_kernels(NARROWEST_BLUR + (widest - NARROWEST_BLUR) * sigmas_B, kernel)
    untouched_T = (torch.arange(kernel, device=images_BHWC.device) == kernel // 2).float()
    return blur(images_BHWC, torch.where(chosen_B[:, None] < probability, kernels_BT, untouched_T))


def brightness(images_BHWC: torch.Tensor, factors_B: torch.Tensor) -> torch.Tensor:
    """Multiply each float32 image by its factor."""
    return (images_BHWC.flatten(1) * factors_B[:, None]).clamp_(0.0, 255.0).view(images_BHWC.shape)


def contrast(images_BHWC: torch.Tensor, factors_B: torch.Tensor) -> torch.Tensor:
    """Move each float32 image away from its mean grey (factor > 1) or towards it (factor < 1)."""
    means_B = _grey(images_BHWC).view(len(images_BHWC), -1).mean(dim=1)
    moved_BP = (images_BHWC.flatten(1) * factors_B[:, None]).add_(((1.0 - factors_B) * means_B)[:, None])
    return moved_BP.clamp_(0.0, 255.0).view(images_BHWC.shape)


def saturation(images_BHWC: torch.Tensor, factors_B: torch.Tensor) -> torch.Tensor:
    """Move each pixel of a float32 image away from its own grey (factor > 1) or towards it (factor < 1; 0 is grey)."""
    channels = images_BHWC.shape[3]
    if channels == 1:
        return images_BHWC
    grey_BP = _grey(images_BHWC).repeat_interleave(channels).view(len(images_BHWC), -1)
    return torch.lerp(grey_BP, images_BHWC.flatten(1), factors_B[:, None]).clamp_(0.0, 255.0).view(images_BHWC.shape)


def gaussian_kernels(sigmas_B: torch.Tensor, taps: int) -> torch.Tensor:
    """Return kernels_BT, each a normal density at -taps//2..taps//2 pixels that adds up to 1; taps is odd."""
    distances_T = torch.arange(taps, device=sigmas_B.device) - taps // 2
    kernels_BT = torch.exp(-0.5 * (distances_T / sigmas_B[:, None]) ** 2)
    return kernels_BT / kernels_BT.sum(dim=1, keepdim=True)


def blur(images_BHWC: torch.Tensor, kernels_BT: torch.Tensor) -> torch.Tensor:
    """Weigh the neighbours of each pixel of a float32 image, along one axis, then the other; beyond the edge the image is mirrored."""
    _, height, width, channels = images_BHWC.shape
    taps = kernels_BT.shape[1]
    padded_BHR = reflected(images_BHWC, taps // 2).flatten(2)
    columns_BHR = _weighted_sum([padded_BHR[:, tap : tap + height] for tap in range(taps)], kernels_BT)
    shifts = [columns_BHR[:, :, tap * channels : (tap + width) * channels] for tap in range(taps)]
    return _weighted_sum(shifts, kernels_BT).view(images_BHWC.shape)


def _weighted_sum(shifted: list[torch.Tensor], kernels_BT: torch.Tensor) -> torch.Tensor:
    """Return the sum of the shifted batches, each image weighed by its own kernel."""
    weights_TB11 = kernels_BT.T[:, :, None, None]
    total = shifted[0] * weights_TB11[0]
    for batch, weights_B11 in zip(shifted[1:], weights_TB11[1:], strict=True):
        total.addcmul_(batch, weights_B11)
    return total


def _grey(images_BHWC: torch.Tensor) -> torch.Tensor:
    """Return the grey of each pixel of the batch, one after the other."""
    if images_BHWC.shape[3] == 1:
        return images_BHWC.flatten()
    # A product with a vector: 100 us for 128 images of 32x32, where adding up three strided channels takes 160.
    return images_BHWC.reshape(-1, 3).mv(_luma(images_BHWC.device))


@lru_cache
def _luma(device: torch.device) -> torch.Tensor:
    """Return LUMA on the device, where it was copied once: a GPU is waited for while numbers are copied to it."""
    return torch.tensor(LUMA, device=device)
