"""What training minimises: cross-entropy against labels that may be smoothed, or shared between two classes.

Shapes: B batch, K classes.
"""

from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What the images of a batch show.

    Attributes:
        labels_B: int64; the class of each image.
        others_B: int64; the class of the image that was mixed into it. None where nothing was mixed.
        shares_B: How much of each image is its own, 0..1. None where nothing was mixed.
    """

    labels_B: torch.Tensor
    others_B: torch.Tensor | None = None
    shares_B: torch.Tensor | None = None

    @property
    def main(self) -> torch.Tensor:
        """Return main_B: the class that has the larger share of each image: what a classification right means in training."""
        if self.others_B is None or self.shares_B is None:
            return self.labels_B
        return torch.where(self.shares_B >= 0.5, self.labels_B, self.others_B)


def mean_loss(logits_BK: torch.Tensor, targets: Targets, smoothing: float) -> torch.Tensor:
    """Return the mean loss over a batch, in nats.

    Args:
        logits_BK: float32.
        targets: What the images show.
        smoothing: Share of each label that is spread evenly over all classes, 0 <= smoothing < 1.

    Source:
        Smoothing: Szegedy et al., 2015, arXiv:1512.00567, section 7. Two classes: Zhang et al., 2017, arXiv:1710.09412.
    """
    if targets.others_B is None or targets.shares_B is None:
        return cross_entropy(logits_BK, targets.labels_B, label_smoothing=smoothing)
    own_B = cross_entropy(logits_BK, targets.labels_B, reduction="none", label_smoothing=smoothing)
    other_B = cross_entropy(logits_BK, targets.others_B, reduction="none", label_smoothing=smoothing)
    return torch.lerp(other_B, own_B, targets.shares_B).mean()
