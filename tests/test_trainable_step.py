"""What one optimizer step does, seen from the epoch that takes it."""

from typing import Any

import pytest
import torch
from pictures import CPU, Flat, random_data, recipe

from trainable.schedules import lr_at
from trainable.step import TrainStep
from trainable.training import Training

DATA = random_data()


def test_accumulated_step_is_the_step_of_one_large_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """35 images by 8 are 4 batches and one of 3; two at a time: the last step has 3 images, which weigh as much as any others."""
    data = random_data(num_train=35)
    monkeypatch.setattr("trainable.family.build", lambda *_, **__: Flat(outputs=3))  # no batch norm: batches do not matter
    fields: dict[str, Any] = {"augment": {}, "label_smoothing": 0.1, "weight_decay": 1e-3}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        together = Training(recipe(batch_size=16, **fields), data, CPU)
        torch.manual_seed(0)
        apart = Training(recipe(batch_size=8, accumulation=2, **fields), data, CPU)
    apart.module.load_state_dict(together.module.state_dict())
    for _ in range(2):
        one, other = together.train_epoch(), apart.train_epoch()
        assert (one.lr, one.train_accuracy) == (other.lr, other.train_accuracy)
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-6)
    torch.testing.assert_close(apart.module.head.weight, together.module.head.weight)


def test_schedule_counts_optimizer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    update = TrainStep.update
    monkeypatch.setattr(TrainStep, "update", lambda self, lr: (seen.append(lr), update(self, lr))[1])
    config = recipe(batch_size=16, accumulation=2, schedule="cosine", max_epochs=2)
    training = Training(config, DATA, CPU)  # 70 images: 5 batches, 3 steps
    for _ in range(2):
        training.train_epoch()
    assert seen == [lr_at(config, step, 3) for step in range(6)]


def test_gradient_is_clipped_to_its_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain gradient descent at lr 1 moves by the gradient."""
    moves: list[float] = []
    update = TrainStep.update

    def watched(self: TrainStep, lr: float) -> None:
        before = [parameter.detach().clone() for parameter in training.module.parameters()]
        update(self, lr)
        change = [(old - new).detach() for old, new in zip(before, training.module.parameters(), strict=True)]
        moves.append(float(torch.cat([part.flatten() for part in change]).norm()))

    monkeypatch.setattr(TrainStep, "update", watched)
    for clip_norm in (0.0, 0.01):
        training = Training(recipe(lr=1.0, momentum=0.0, clip_norm=clip_norm), DATA, CPU)
        training.train_epoch()
    assert min(moves[:5]) > 0.02
    assert moves[5:] == pytest.approx([0.01] * 5, rel=1e-3)


def test_smoothed_labels_leave_more_loss() -> None:
    plain, smoothed = (Training(recipe(label_smoothing=share, max_epochs=3), DATA, CPU) for share in (0.0, 0.3))
    losses = [[training.train_epoch() for _ in range(3)][-1].train_loss for training in (plain, smoothed)]
    assert losses[1] > losses[0] + 0.1


def test_mixed_images_train_and_change_the_numbers() -> None:
    seen = set()
    for fields in ({}, {"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}):
        training = Training(recipe(**fields), DATA, CPU)
        seen.add([training.train_epoch() for _ in range(3)][-1].train_loss)
    assert len(seen) == 4
