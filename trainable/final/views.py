"""Views of images whose predictions are averaged: test-time augmentation without chance. Imports torch alone: `model.py` gets `view`.

Shapes: V views, B batch, N images, H height, W width, C channels, K classes.
"""

import math
from collections.abc import Callable, Mapping

import torch

SHIFTS = ("up", "down", "left", "right")

# What validation chooses from. The image itself is always among the views.
SETS: Mapping[str, tuple[str, ...]] = {
    "plain": ("plain",),
    "flip": ("plain", "mirrored"),
    "shifts": ("plain", *SHIFTS),
    "flip_shifts": ("plain", *SHIFTS, "mirrored", *(f"mirrored {shift}" for shift in SHIFTS)),
    "blur": ("plain", "blurred"),
    "jitter": ("plain", "brighter", "darker", "more_contrast", "less_contrast"),
}


def view(images_BHWC: torch.Tensor, name: str) -> torch.Tensor:
    """Return float32 images in 0..255, altered as the words of the name say, one after the other.

    A shift is by a sixteenth of the image (at least one pixel) and repeats the edge; brightness and contrast change by a tenth.
    """
    images_BHWC = images_BHWC.float()
    _, height, width, _ = images_BHWC.shape
    rows_H, columns_W = torch.arange(height, device=images_BHWC.device), torch.arange(width, device=images_BHWC.device)
    down, right = max(1, height // 16), max(1, width // 16)
    for word in name.split():
        if word == "mirrored":
            images_BHWC = images_BHWC.flip(2)
        elif word in ("up", "down"):
            rows = (rows_H + (down if word == "up" else -down)).clamp(0, height - 1)
            images_BHWC = images_BHWC.index_select(1, rows)
        elif word in ("left", "right"):
            columns = (columns_W + (right if word == "left" else -right)).clamp(0, width - 1)
            images_BHWC = images_BHWC.index_select(2, columns)
        elif word == "blurred":  # 1 2 1 along both axes
            for axis, places, last in ((1, rows_H, height - 1), (2, columns_W, width - 1)):
                before = images_BHWC.index_select(axis, (places - 1).clamp(0, last))
                after = images_BHWC.index_select(axis, (places + 1).clamp(0, last))
                images_BHWC = (before + 2 * images_BHWC + after) / 4
        elif word in ("brighter", "darker"):
            images_BHWC = (images_BHWC * (1.1 if word == "brighter" else 0.9)).clamp(0, 255)
        elif word in ("more_contrast", "less_contrast"):
            mean_B111 = images_BHWC.mean(dim=(1, 2, 3), keepdim=True)
            factor = 1.1 if word == "more_contrast" else 0.9
            images_BHWC = (mean_B111 + factor * (images_BHWC - mean_B111)).clamp(0, 255)
        elif word != "plain":
            raise ValueError(f"view {name!r} is unknown")
    return images_BHWC


def averaged(logits_VNK: torch.Tensor) -> torch.Tensor:
    """Return the logarithms_NK of the mean of the views' (or the members') probabilities."""
    return logits_VNK.log_softmax(dim=2).logsumexp(dim=0) - math.log(len(logits_VNK))


def looked_at(images_NHWC: torch.Tensor, names: tuple[str, ...], logits: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Return the averaged logarithms_NK over views; of the image alone, the logits themselves.

    Args:
        images_NHWC: uint8.
        names: The views, at least one.
        logits: Images in 0..255 -> logits_NK.
    """
    if names == ("plain",):
        return logits(images_NHWC)
    return averaged(torch.stack([logits(images_NHWC if name == "plain" else view(images_NHWC, name)) for name in names]))
