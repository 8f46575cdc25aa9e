"""Figures of a finished model on the test split. Does not open it: `final/test_once.py` does.

Shapes: K classes.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from trainable.data.resident import TrainingData
from trainable.data.test_split import TestData
from trainable.errors import DataError
from trainable.final.choices import Choice, logits
from trainable.final.figures import Figures, confusion, figures, per_class, reliability
from trainable.final.views import SETS, looked_at


@dataclass(frozen=True, slots=True)
class Scores:
    """What the test split says, a number each.

    Attributes:
        test_accuracy: Share of images classified right, 0..1.
        test_accuracy_low: Lower end of its 95 % interval.
        test_accuracy_high: Upper end of it.
        test_loss: Mean cross-entropy (negative log-likelihood), in nats.
        test_calibration_error: Expected calibration error, 0..1.
        test_loss_calibrated: The loss with the temperature that validation has fitted.
        test_calibration_error_calibrated: The calibration error with it.
        test_accuracy_views: Averaged over the views that validation has chosen; the plain accuracy where it chose none.
        test_loss_views: The loss of those, with a temperature of their own.
        test_examples: Images.
    """

    test_accuracy: float
    test_accuracy_low: float
    test_accuracy_high: float
    test_loss: float
    test_calibration_error: float
    test_loss_calibrated: float
    test_calibration_error_calibrated: float
    test_accuracy_views: float
    test_loss_views: float
    test_examples: int


def score(module: nn.Module, test: TestData, data: TrainingData, choice: Choice | None = None) -> tuple[Scores, dict[str, Any]]:
    """Evaluate a trained network in float32, as the exported files compute.

    Args:
        module: On the device of the data.
        test: The test split.
        data: What the network was trained on; gives mean and standard deviation.
        choice: How it is asked, chosen before.

    Returns:
        The scores, and in detail: `plain`, `calibrated` and `views` figures, `per_class`, `confusion`, `reliability` before and after.

    Raises:
        DataError: The test images or labels are not of the kind the network was trained on.
    """
    refuse_another_kind(test, image=data.image, num_classes=data.num_classes)
    choice = choice or Choice()
    plain_NK = logits(module, test.images_NHWC, data)
    views_NK = plain_NK
    if choice.views != "plain":
        views_NK = looked_at(test.images_NHWC, SETS[choice.views], lambda images: logits(module, images, data))
    return scored(plain_NK, views_NK, test, choice, class_names=data.class_names)


def scored(
    plain_NK: torch.Tensor, views_NK: torch.Tensor, test: TestData, choice: Choice, *, class_names: tuple[str, ...]
) -> tuple[Scores, dict[str, Any]]:
    """Return the scores of predictions: see `score`."""
    labels_N = test.labels_N
    calibrated_NK = plain_NK.double() / choice.temperature
    plain, calibrated = figures(plain_NK, labels_N), figures(calibrated_NK, labels_N)
    views = figures(views_NK.double() / choice.views_temperature, labels_N)
    matrix = confusion(plain_NK, labels_N)
    details = {
        "plain": asdict(plain),
        "calibrated": {"temperature": choice.temperature, **asdict(calibrated)},
        "views": {"chosen": choice.views, "temperature": choice.views_temperature, **asdict(views)},
        "per_class": per_class(matrix, class_names),
        "confusion": matrix,
        "reliability": reliability(plain_NK, labels_N),
        "reliability_calibrated": reliability(calibrated_NK, labels_N),
    }
    return _flat(plain, calibrated, views), details


def refuse_another_kind(test: TestData, *, image: tuple[int, int, int], num_classes: int) -> None:
    """Raise DataError where the test images or labels are not of the kind a network was trained on.

    Args:
        test: The test split.
        image: Channels, height, width of what it was trained on.
        num_classes: Its classes.
    """
    channels, height, width = image
    expected, seen = (height, width, channels), tuple(test.images_NHWC.shape[1:])
    if seen != expected:
        raise DataError(f"the test images are {seen} (height, width, channels), the training images {expected}; mend the test files")
    if (highest := int(test.labels_N.max())) >= num_classes:
        raise DataError(f"the test split has label {highest}, the training split {num_classes} classes; mend the test files")


def _flat(plain: Figures, calibrated: Figures, views: Figures) -> Scores:
    return Scores(
        test_accuracy=plain.accuracy,
        test_accuracy_low=plain.accuracy_low,
        test_accuracy_high=plain.accuracy_high,
        test_loss=plain.loss,
        test_calibration_error=plain.calibration_error,
        test_loss_calibrated=calibrated.loss,
        test_calibration_error_calibrated=calibrated.calibration_error,
        test_accuracy_views=views.accuracy,
        test_loss_views=views.loss,
        test_examples=plain.examples,
    )
