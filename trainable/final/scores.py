"""Figures of a finished model on the test split. Does not open it: `final/test_once.py` does."""

import math
from dataclasses import dataclass

from torch import nn

from trainable.data.resident import TrainingData
from trainable.data.test_split import TestData
from trainable.errors import DataError
from trainable.evaluate import evaluate
from trainable.normalize import Normalize

Z_95 = 1.959964  # two-sided 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Scores:
    """What the test split says.

    Attributes:
        test_accuracy: Share of images classified right, 0..1.
        test_accuracy_low: Lower end of its 95 % interval.
        test_accuracy_high: Upper end of it.
        test_loss: Mean cross-entropy, in nats.
        test_examples: Images.
    """

    test_accuracy: float
    test_accuracy_low: float
    test_accuracy_high: float
    test_loss: float
    test_examples: int


def score(module: nn.Module, test: TestData, data: TrainingData) -> Scores:
    """Evaluate a trained network in float32, as the exported files compute.

    Args:
        module: On the device of the data.
        test: The test split.
        data: What the network was trained on; gives mean and standard deviation.

    Raises:
        DataError: The test images or labels are not of the kind the network was trained on.
    """
    expected, seen = tuple(data.train_images_NHWC.shape[1:]), tuple(test.images_NHWC.shape[1:])
    if seen != expected:
        raise DataError(f"the test images are {seen} (height, width, channels), the training images {expected}; mend the test files")
    if (highest := int(test.labels_N.max())) >= data.num_classes:
        raise DataError(f"the test split has label {highest}, the training split {data.num_classes} classes; mend the test files")
    normalize = Normalize(data.mean, data.std, test.images_NHWC.device)
    evaluation = evaluate(module, test.images_NHWC, test.labels_N, normalize=normalize, number_format="float32")
    low, high = wilson_interval(evaluation.num_right, len(test.labels_N))
    return Scores(evaluation.accuracy, low, high, evaluation.loss, len(test.labels_N))


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
