"""Calibration by one number: logits are divided by it, which changes no prediction, only how sure it is.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599, section 4.2.

Shapes: N images, K classes.
"""

import math

import torch
from torch.nn.functional import cross_entropy

# Between these the temperature is sought. Where every image is classified right the best one is 0: certainty, which nobody should have.
LOWEST, HIGHEST = 0.05, 20.0
HALVINGS = 60  # of the interval of inverse temperatures: 20 / 2**60 is below what a float64 tells apart


def fit(logits_NK: torch.Tensor, labels_N: torch.Tensor) -> float:
    """Return the temperature under which the labels are the likeliest, LOWEST..HIGHEST.

    The negative log-likelihood is convex in the inverse temperature, so its slope has one change of sign, found by bisection: no
    step size, the same answer every time.

    Args:
        logits_NK: Of validation images, which were not trained on.
        labels_N: int64.
    """
    logits_NK = logits_NK.double()
    of_label_N = logits_NK.gather(1, labels_N[:, None]).squeeze(1)
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(HALVINGS):
        inverse = (low + high) / 2
        expected_N = ((logits_NK * inverse).softmax(dim=1) * logits_NK).sum(dim=1)
        if float((expected_N - of_label_N).mean()) > 0:  # the slope: the loss rises with the inverse temperature
            high = inverse
        else:
            low = inverse
    return 1 / ((low + high) / 2)


def loss(logits_NK: torch.Tensor, labels_N: torch.Tensor, temperature: float) -> float:
    """Return the mean negative log-likelihood under a temperature, in nats."""
    found = float(cross_entropy(logits_NK.double() / temperature, labels_N))
    return found if math.isfinite(found) else math.inf
