"""Mixup and CutMix: each image is blended with another one of its batch, and shares its label with it.

Both are one formula, pixels * weights + other pixels * (1 - weights): mixup has one weight for the whole image, CutMix weights of 1
around a box and 0 inside it. The draws and what is done with them are separate functions.

Source: Zhang et al., "mixup", 2017, arXiv:1710.09412; Yun et al., "CutMix", 2019, arXiv:1905.04899. Deviates from the authors' programs:
each image has its own draw, they take one for the batch.

Shapes: B batch, C channels, H height, W width.
"""

import torch

from trainable.config.train import TrainConfig
from trainable.loss import Targets


class Mix:
    """What a configuration's `mixup` and `cutmix` ask for; with both, each image draws one of the two with equal chance."""

    def __init__(self, config: TrainConfig) -> None:
        self._mixup = config.mixup
        self._cutmix = config.cutmix

    def __call__(self, images_BCHW: torch.Tensor, labels_B: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, Targets]:
        """Return the mixed images and what they show; the generator must be on their device."""
        if not self._mixup and not self._cutmix:
            return images_BCHW, Targets(labels_B)
        batch, _, height, width = images_BCHW.shape
        device = images_BCHW.device
        others_B = torch.randperm(batch, generator=generator, device=device)
        blended_BHW = beta(self._mixup, batch, generator)[:, None, None].expand(-1, height, width) if self._mixup else None
        boxed_BHW = None
        if self._cutmix:
            shares_B = beta(self._cutmix, batch, generator)
            rows_B, columns_B = torch.rand((2, batch), generator=generator, device=device)
            boxed_BHW = outside_box(shares_B, rows_B, columns_B, height, width)
        if blended_BHW is not None and boxed_BHW is not None:
            boxes_B = torch.rand(batch, generator=generator, device=device) < 0.5
            weights_BHW = torch.where(boxes_B[:, None, None], boxed_BHW, blended_BHW)
        else:
            weights_BHW = blended_BHW if boxed_BHW is None else boxed_BHW  # type: ignore[assignment]  # one of the two is there
        return mix(images_BCHW, labels_B, others_B, weights_BHW)


def beta(alpha: float, count: int, generator: torch.Generator) -> torch.Tensor:
    """Return float32 draws of Beta(alpha, alpha), 0..1, on the generator's device."""
    shape = torch.full((2, count), alpha, dtype=torch.float64, device=generator.device)
    # The quotient of two gamma draws; they are never zero, torch returns the smallest positive number instead.
    first_B, second_B = torch._standard_gamma(shape, generator=generator)
    shares_B: torch.Tensor = first_B / (first_B + second_B)
    return shares_B.float()


def outside_box(shares_B: torch.Tensor, rows_B: torch.Tensor, columns_B: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return weights_BHW: 0 inside each image's box, 1 outside.

    Args:
        shares_B: How much of each image is to stay, 0..1; a box cut off by the border leaves more.
        rows_B: Where the box's centre lies, 0..1 of the height.
        columns_B: The same of the width.
        height: In pixels.
        width: In pixels.
    """
    side_B = (1 - shares_B).sqrt()
    inside = []
    for centres_B, size in ((rows_B, height), (columns_B, width)):
        # As the authors' program: side and centre are rounded down to pixels, the box is centre - side // 2 up to centre + side // 2.
        half_B, centre_B = (side_B * size).floor().div(2).floor()[:, None], (centres_B * size).floor()[:, None]
        pixels = torch.arange(size, device=shares_B.device)
        inside.append((pixels >= centre_B - half_B) & (pixels < centre_B + half_B))
    return (~(inside[0][:, :, None] & inside[1][:, None, :])).float()


def mix(
    images_BCHW: torch.Tensor, labels_B: torch.Tensor, others_B: torch.Tensor, weights_BHW: torch.Tensor
) -> tuple[torch.Tensor, Targets]:
    """Blend each image with another one of its batch.

    Args:
        images_BCHW: Normalized; their memory layout is kept.
        labels_B: The class of each.
        others_B: Which image of the batch is mixed into it.
        weights_BHW: Share of the image's own pixel, 0..1. Its mean is the share of its own label.
    """
    # Rows are chosen in the order in which they lie in memory: index_select would give up the layout channels_last.
    others_BCHW = images_BCHW.permute(0, 2, 3, 1).index_select(0, others_B).permute(0, 3, 1, 2)
    mixed_BCHW = torch.lerp(others_BCHW, images_BCHW, weights_BHW[:, None])
    return mixed_BCHW, Targets(labels_B, labels_B.index_select(0, others_B), weights_BHW.mean((1, 2)))
