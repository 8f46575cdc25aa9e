from typing import Literal

import pytest
import torch
from torch import nn

from trainable.best import Best
from trainable.metrics import EpochMetrics


def report(epoch: int, *, accuracy: float, loss: float) -> EpochMetrics:
    return EpochMetrics(
        epoch=epoch, val_accuracy=accuracy, val_loss=loss, train_accuracy=0.5, train_loss=1.0, lr=0.1, wall_s=1.0, device_s=1.0,
        images_per_s=1.0, peak_memory_bytes=1,
    )  # fmt: skip


CURVE = [(0.0, 9.0), (0.5, 1.0), (0.7, 1.2), (0.7, 0.8), (0.6, 0.8)]


@pytest.mark.parametrize(("metric", "epochs"), [("val_accuracy", [1, 2, 3, 3, 3]), ("val_loss", [1, 2, 2, 4, 4])])
def test_best_is_the_earliest_of_equals(metric: Literal["val_accuracy", "val_loss"], epochs: list[int]) -> None:
    best, module = Best(metric=metric, keep=True), nn.Linear(1, 1)
    seen = []
    for epoch, (accuracy, loss) in enumerate(CURVE, 1):
        nn.init.constant_(module.weight, epoch)
        best.see(report(epoch, accuracy=accuracy, loss=loss), module)
        seen.append(best.epoch)
        assert best.weights is not None
        assert best.weights["weight"].item() == best.epoch
    assert seen == epochs


def test_weights_are_kept_only_where_asked_for() -> None:
    best = Best(metric="val_loss", keep=False)
    best.see(report(1, accuracy=0.5, loss=1.0), nn.Linear(1, 1))
    assert best.weights is None
    assert best.epoch == 1


def test_state_goes_on_where_it_was() -> None:
    best, again = Best(metric="val_loss", keep=True), Best(metric="val_loss", keep=True)
    best.see(report(3, accuracy=0.5, loss=1.0), nn.Linear(1, 1))
    again.load_state_dict(best.state_dict())
    again.see(report(4, accuracy=0.5, loss=1.1), nn.Linear(1, 1))
    assert again.epoch == 3
    assert again.weights is not None
    assert best.weights is not None
    assert torch.equal(again.weights["weight"], best.weights["weight"])
