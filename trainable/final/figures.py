"""What predictions are worth: accuracy with its interval, loss, calibration, per class, confusion. Opens no split; numbers in, numbers out.

Shapes: N images, K classes.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

Z_95 = 1.959964  # two-sided 95 % of a normal distribution
NUM_BINS = 15  # of equal width, as in Guo et al., ICML 2017, arXiv:1706.04599


@dataclass(frozen=True, slots=True)
class Figures:
    """How good the predictions of one split are.

    Attributes:
        accuracy: Share of images classified right, 0..1.
        accuracy_low: Lower end of its 95 % interval (Wilson).
        accuracy_high: Upper end of it.
        loss: Mean negative log-likelihood, in nats.
        calibration_error: Expected calibration error over NUM_BINS bins of equal width, 0..1.
        examples: Images.
    """

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    loss: float
    calibration_error: float
    examples: int


def figures(logits_NK: torch.Tensor, labels_N: torch.Tensor) -> Figures:
    """Return the figures of one split.

    Args:
        logits_NK: Whatever a softmax makes probabilities of.
        labels_N: int64, 0 <= label < K; at least one.
    """
    num_right, total = int((logits_NK.argmax(dim=1) == labels_N).sum()), len(labels_N)
    low, high = wilson_interval(num_right, total)
    loss = float(cross_entropy(logits_NK.double(), labels_N))
    error = sum(row["examples"] / total * abs(row["accuracy"] - row["confidence"]) for row in reliability(logits_NK, labels_N))
    return Figures(num_right / total, low, high, loss, error, total)


def reliability(logits_NK: torch.Tensor, labels_N: torch.Tensor) -> list[dict[str, float]]:
    """Return the bins of confidence (the highest probability) that have images: low and high end, examples, confidence, accuracy.

    Source:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599, section 2. A bin holds its upper end.
    """
    confidence_N, predicted_N = logits_NK.double().softmax(dim=1).max(dim=1)
    right_N = (predicted_N == labels_N).double()
    bin_N = (confidence_N * NUM_BINS).ceil().long().clamp(1, NUM_BINS) - 1
    counts_M = torch.bincount(bin_N, minlength=NUM_BINS)
    confidences_M = torch.bincount(bin_N, weights=confidence_N, minlength=NUM_BINS)
    rights_M = torch.bincount(bin_N, weights=right_N, minlength=NUM_BINS)
    return [
        {
            "low": number / NUM_BINS,
            "high": (number + 1) / NUM_BINS,
            "examples": int(counts_M[number]),
            "confidence": float(confidences_M[number] / counts_M[number]),
            "accuracy": float(rights_M[number] / counts_M[number]),
        }
        for number in range(NUM_BINS)
        if counts_M[number]
    ]


def confusion(logits_NK: torch.Tensor, labels_N: torch.Tensor) -> list[list[int]]:
    """Return how many images of each class (row) were taken for each class (column)."""
    num_classes = logits_NK.shape[1]
    pairs_N = labels_N * num_classes + logits_NK.argmax(dim=1)
    counts: list[list[int]] = torch.bincount(pairs_N, minlength=num_classes**2).view(num_classes, num_classes).tolist()
    return counts


def per_class(matrix: list[list[int]], class_names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return for each class: examples, the share of them found (with its Wilson interval), the share of what was taken for it that is.

    Args:
        matrix: As `confusion` returns it.
        class_names: One a row.
    """
    rows = []
    for number, name in enumerate(class_names):
        right, examples, taken = matrix[number][number], sum(matrix[number]), sum(row[number] for row in matrix)
        low, high = wilson_interval(right, examples) if examples else (None, None)
        rows.append(
            {
                "class": name,
                "examples": examples,
                "accuracy": right / examples if examples else None,
                "accuracy_low": low,
                "accuracy_high": high,
                "precision": right / taken if taken else None,
            }
        )
    return rows


def wilson_interval(num_right: int, total: int, *, z: float = Z_95) -> tuple[float, float]:
    """Return the interval that holds the true share with the confidence of z; never leaves 0..1.

    Args:
        num_right: Successes, 0 <= num_right <= total.
        total: Trials, >= 1.
        z: Quantile of the normal distribution.

    Source:
        E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927.
    """
    share = num_right / total
    scale = 1 + z**2 / total
    centre = (share + z**2 / (2 * total)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return max(0.0, centre - half), min(1.0, centre + half)
