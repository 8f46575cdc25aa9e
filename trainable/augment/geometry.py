"""Crops, mirrors and covered boxes of whole batches. Every image has its own draw; there is no loop over images.

The draws (`random_...`) and what is done with them are separate functions, so that the second can be checked against the plain
definition.

Shapes: B batch, H height, W width, C channels, R = W * C numbers of a row.
"""

import math

import torch
from torch.nn.functional import interpolate, pad

# Random erasing as published: share of the image's area, and height / width. Zhong et al., AAAI 2020, arXiv:1708.04896, section 4.
ERASED_AREA = (0.02, 0.33)
ERASED_ASPECT = (0.3, 3.3)


def random_crop(images_BHWC: torch.Tensor, padding: int, generator: torch.Generator, *, reflect: bool = False) -> torch.Tensor:
    """Shift each image by -padding..padding pixels along both axes, both ends included; what comes in is black, or mirrored."""
    device = images_BHWC.device
    tops_B, lefts_B = torch.randint(0, 2 * padding + 1, (2, len(images_BHWC)), generator=generator, device=device)
    return crop(images_BHWC, tops_B, lefts_B, padding, reflect=reflect)


def random_flip(images_BHWC: torch.Tensor, generator: torch.Generator, *, axis: int = 2) -> torch.Tensor:
    """Mirror each image with probability 1/2: left to right (axis 2) or top to bottom (axis 1)."""
    mirrored_B = torch.randint(0, 2, (len(images_BHWC),), generator=generator, device=images_BHWC.device)
    return flip(images_BHWC, mirrored_B, axis=axis)


def random_five_crop(images_BHWC: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """Cut each image at one of its corners or in the centre, each with probability 1/5; return float32 of the old height and width."""
    places_B = torch.randint(0, 5, (len(images_BHWC),), generator=generator, device=images_BHWC.device)
    return five_crop(images_BHWC, places_B, size)


def random_cutout(images_BHWC: torch.Tensor, size: int, fill_C: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Cover a square around a random pixel of each image; what lies outside is lost.

    Source:
        DeVries and Taylor, arXiv:1708.04552: there the fill is 0 after normalization, which is the mean pixel.
    """
    batch, height, width, _ = images_BHWC.shape
    device = images_BHWC.device
    rows_B = torch.randint(0, height, (batch,), generator=generator, device=device)
    columns_B = torch.randint(0, width, (batch,), generator=generator, device=device)
    sizes_B = torch.full((batch,), size, device=device)
    return cover(images_BHWC, rows_B - size // 2, columns_B - size // 2, sizes_B, sizes_B, fill_C)


def random_erasing(images_BHWC: torch.Tensor, probability: float, fill_C: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Cover a rectangle of random area and aspect, all of it inside, in a share of the images.

    Source:
        Zhong et al., arXiv:1708.04896, algorithm 1. Deviates: a rectangle longer than the image is cut to its size, not drawn again.
    """
    batch, height, width, _ = images_BHWC.shape
    chosen_B, area_B, aspect_B, top_B, left_B = torch.rand((5, batch), generator=generator, device=images_BHWC.device)
    area_B = height * width * (ERASED_AREA[0] + (ERASED_AREA[1] - ERASED_AREA[0]) * area_B)
    low, high = map(math.log, ERASED_ASPECT)
    root_aspect_B = torch.exp((low + (high - low) * aspect_B) / 2)
    root_area_B = area_B.sqrt()
    heights_B = (root_area_B * root_aspect_B).round().long().clamp(1, height)
    widths_B = (root_area_B / root_aspect_B).round().long().clamp(1, width)
    tops_B = (top_B * (height - heights_B + 1)).long()
    lefts_B = (left_B * (width - widths_B + 1)).long()
    return cover(images_BHWC, tops_B, lefts_B, heights_B * (chosen_B < probability), widths_B, fill_C)


def crop(images_BHWC: torch.Tensor, tops_B: torch.Tensor, lefts_B: torch.Tensor, padding: int, *, reflect: bool = False) -> torch.Tensor:
    """Pad with zeros or with the mirrored image, then cut each image out again at its own place.

    Args:
        images_BHWC: Of any type.
        tops_B: First row of the cut in the padded image, 0 <= top <= 2 * padding.
        lefts_B: First column of it, 0 <= left <= 2 * padding.
        padding: Pixels added on each side; smaller than height and width where it reflects.
        reflect: Whether the padding continues the image as a mirror would, without the edge itself, instead of with zeros.
    """
    _, height, width, _ = images_BHWC.shape
    padded = reflected(images_BHWC, padding) if reflect else pad(images_BHWC, (0, 0, padding, padding, padding, padding))
    return _cut(padded, tops_B, lefts_B, height, width)


def flip(images_BHWC: torch.Tensor, mirrored_B: torch.Tensor, *, axis: int = 2) -> torch.Tensor:
    """Mirror the images whose entry in mirrored_B is 1, the others have 0: left to right (axis 2) or top to bottom (axis 1)."""
    batch = len(images_BHWC)
    both = torch.cat((images_BHWC, images_BHWC.flip(axis)))
    return both.index_select(0, torch.arange(batch, device=images_BHWC.device) + batch * mirrored_B)


def five_crop(images_BHWC: torch.Tensor, places_B: torch.Tensor, size: int) -> torch.Tensor:
    """Cut a square of each image and enlarge it, bilinearly, to the image's own height and width.

    Args:
        images_BHWC: Of any type.
        places_B: 0..4: top left, top right, bottom left, bottom right, centre (torchvision's order).
        size: Side of the square, 1 <= size <= height and width.

    Returns:
        float32 images_BHWC.
    """
    _, height, width, _ = images_BHWC.shape
    # Computed rather than looked up: a GPU would be waited for while a table is copied to it.
    centred_B, bottom_B, right_B = places_B == 4, (places_B == 2) | (places_B == 3), (places_B == 1) | (places_B == 3)
    last_top, last_left = height - size, width - size
    tops_B = bottom_B * last_top + centred_B * round(last_top / 2)
    lefts_B = right_B * last_left + centred_B * round(last_left / 2)
    cuts_BHWC = _cut(images_BHWC.contiguous(), tops_B, lefts_B, size, size)
    enlarged_BCHW = interpolate(cuts_BHWC.float().permute(0, 3, 1, 2), size=(height, width), mode="bilinear")
    return enlarged_BCHW.permute(0, 2, 3, 1).contiguous()


def cover(
    images_BHWC: torch.Tensor,
    tops_B: torch.Tensor,
    lefts_B: torch.Tensor,
    heights_B: torch.Tensor,
    widths_B: torch.Tensor,
    fill_C: torch.Tensor,
) -> torch.Tensor:
    """Cover one box of each image with the colour fill_C; what of it lies outside the image is ignored, an empty box covers nothing."""
    batch, height, width, channels = images_BHWC.shape
    device = images_BHWC.device
    rows_H = torch.arange(height, device=device)
    columns_R = torch.arange(width, device=device).repeat_interleave(channels)
    inside_BH = (rows_H >= tops_B[:, None]) & (rows_H < (tops_B + heights_B)[:, None])
    inside_BR = (columns_R >= lefts_B[:, None]) & (columns_R < (lefts_B + widths_B)[:, None])
    inside_BHR = inside_BH[:, :, None] & inside_BR[:, None, :]
    rows_BHR = images_BHWC.reshape(batch, height, width * channels)
    return torch.where(inside_BHR, fill_C.to(images_BHWC.dtype).repeat(width), rows_BHR).view(images_BHWC.shape)


def reflected(images_BHWC: torch.Tensor, padding: int) -> torch.Tensor:
    """Continue each image by its mirror image on all sides, without repeating the edge; padding < height and width."""
    for axis in (1, 2):
        last = images_BHWC.shape[axis] - 1
        places = torch.arange(-padding, last + 1 + padding, device=images_BHWC.device).abs()
        images_BHWC = images_BHWC.index_select(axis, last - (last - places).abs())
    return images_BHWC


def _cut(images_BHWC: torch.Tensor, tops_B: torch.Tensor, lefts_B: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Cut a window of one size out of each image, which must be contiguous, at its own place."""
    batch, _, _, channels = images_BHWC.shape
    # Each row of a cut lies in memory in one piece, wherever it begins. So the rows are chosen, by their address, from all pieces of
    # that length, which overlap: 30 us for a batch of 128 CIFAR images where indexing pixels takes 1,055 (measured, one thread).
    row, piece = images_BHWC.stride(1), width * channels
    pieces = images_BHWC.as_strided((images_BHWC.numel() - piece + 1, piece), (1, 1))
    rows_H = torch.arange(height, device=images_BHWC.device) * row
    firsts_B = torch.arange(batch, device=images_BHWC.device) * images_BHWC.stride(0) + tops_B * row + lefts_B * channels
    return pieces.index_select(0, (firsts_B[:, None] + rows_H).flatten()).view(batch, height, width, channels)
