"""Calibration by one number: logits are divided by it, which changes no prediction, only how sure it is.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599, section 4.2.

Shapes: M networks, N images, K classes.
"""

import math

import torch
from torch.nn.functional import cross_entropy

# Between these the temperature is sought. Where every image is classified right the best one is 0: certainty, which nobody should have.
LOWEST, HIGHEST = 0.05, 20.0
HALVINGS = 60  # of the interval of inverse temperatures: 20 / 2**60 is below what a float64 tells apart


def fit(logits_NK: torch.Tensor, labels_N: torch.Tensor) -> float:
    """Return the temperature under which the labels are the likeliest, LOWEST..HIGHEST.

    Args:
        logits_NK: Of validation images, which were not trained on.
        labels_N: int64.
    """
    return float(fit_each(logits_NK[None], labels_N)[0])


def fit_each(logits_MNK: torch.Tensor, labels_N: torch.Tensor, *, halvings: int = HALVINGS) -> torch.Tensor:
    """Return the temperatures_M under which the labels are the likeliest, float64.

    The negative log-likelihood is convex in the inverse temperature, so its slope has one change of sign, found by bisection: no
    step size, the same answer every time.

    Args:
        logits_MNK: Of M networks, each with a temperature of its own.
        labels_N: int64.
        halvings: Of the interval of inverse temperatures.
    """
    logits_MNK = logits_MNK.double()
    of_label_MN = logits_MNK.gather(2, labels_N.expand(len(logits_MNK), -1)[:, :, None]).squeeze(2)
    low_M = torch.full((len(logits_MNK),), 1 / HIGHEST, dtype=torch.float64, device=logits_MNK.device)
    high_M = torch.full_like(low_M, 1 / LOWEST)
    for _ in range(halvings):
        inverse_M = (low_M + high_M) / 2
        expected_MN = ((logits_MNK * inverse_M[:, None, None]).softmax(dim=2) * logits_MNK).sum(dim=2)
        rises_M = (expected_MN - of_label_MN).mean(dim=1) > 0  # the slope: the loss rises with the inverse temperature
        low_M, high_M = torch.where(rises_M, low_M, inverse_M), torch.where(rises_M, inverse_M, high_M)
    return 1 / ((low_M + high_M) / 2)


def loss(logits_NK: torch.Tensor, labels_N: torch.Tensor, temperature: float) -> float:
    """Return the mean negative log-likelihood under a temperature, in nats."""
    found = float(cross_entropy(logits_NK.double() / temperature, labels_N))
    return found if math.isfinite(found) else math.inf
