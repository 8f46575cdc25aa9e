"""Several networks as one: the weighted mean of their probabilities. Imports torch alone.

This file stands alone: the `model.py` of an ensemble holds it, as it is, below the files of its networks.

Shapes: M members, B batch, C channels, H height, W width, K classes.
"""

from collections.abc import Sequence

import torch
from torch import nn


class Ensemble(nn.Module):
    """Pixels in, logarithms of the mean of the members' probabilities out: they serve as logits, whose softmax is that mean."""

    mean_MC: torch.Tensor
    std_MC: torch.Tensor
    log_share_M: torch.Tensor

    def __init__(
        self, members: Sequence[nn.Module], *, shares: Sequence[float], means: Sequence[Sequence[float]], stds: Sequence[Sequence[float]]
    ) -> None:
        """Put networks together, which keep their weights.

        Args:
            members: Normalized images in, logits out; all of the same classes.
            shares: What each counts for in the mean, > 0, 1 in all.
            means: Mean pixel by which each member's images were normalized, 0..255, one a channel.
            stds: Standard deviation by which they were, > 0.
        """
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("mean_MC", torch.tensor(means), persistent=False)
        self.register_buffer("std_MC", torch.tensor(stds), persistent=False)
        self.register_buffer("log_share_M", torch.tensor(shares).log(), persistent=False)

    def forward(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """Return logarithms_BK of the mean probabilities of float32 pixels_BCHW, 0..255."""
        logarithms_MBK = [
            member((pixels_BCHW - mean_C[:, None, None]) / std_C[:, None, None]).log_softmax(dim=1) + log_share
            for member, mean_C, std_C, log_share in zip(self.members, self.mean_MC, self.std_MC, self.log_share_M, strict=True)
        ]
        return torch.stack(logarithms_MBK).logsumexp(dim=0)
