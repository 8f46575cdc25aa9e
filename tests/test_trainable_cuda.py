"""What only a GPU can show: real graphs, real memory, its number formats. `benchmarks/gpu.sh` runs these.

Where numbers are compared to the last bit, cuDNN is told to be deterministic.
"""

import gc
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pictures import ALTERATIONS, Flat, random_data, recipe
from torch import nn

from trainable.config.recipe import OPTIMIZERS
from trainable.data.resident import TrainingData
from trainable.errors import Diverged, OutOfMemory
from trainable.memory import give_back
from trainable.metrics import EpochMetrics
from trainable.optimizers import ON_DEVICE
from trainable.training import Training

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")]

CUDA = torch.device("cuda")
MIB = 2**20
RECIPES: list[dict[str, Any]] = [
    *[{"optimizer": name, "schedule": "cosine"} for name in OPTIMIZERS],
    {"accumulation": 2, "clip_norm": 0.5, "label_smoothing": 0.1, "schedule": "onecycle"},
    {"ema_decay": 0.9, "lookahead_k": 3, "dropout": 0.3, "mixup": 0.4, "cutmix": 1.0, "augment": ALTERATIONS},
    {"optimizer": "adam", "accumulation": 2, "weight_decay": 1e-3, "decay_norms": False, "precision": "bfloat16", "augment": ALTERATIONS},
]


@pytest.fixture(autouse=True)
def _deterministic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    yield
    gc.collect()
    give_back()


def on_the_device(data: TrainingData) -> TrainingData:
    tensors = ("train_images_NHWC", "train_labels_N", "val_images_NHWC", "val_labels_N")
    values = {name: getattr(data, name) for name in TrainingData.__slots__}
    return TrainingData(**values | {name: values[name].to(CUDA) for name in tensors})


def images(**changes: Any) -> TrainingData:
    """135 images by 16 are eight full batches and one of 7."""
    return on_the_device(random_data(**{"num_train": 135, "channels": 3, **changes}))


def figures(metrics: EpochMetrics) -> tuple[float, ...]:
    return (metrics.train_loss, metrics.train_accuracy, metrics.val_loss, metrics.val_accuracy, metrics.lr)


def weights(training: Training) -> Mapping[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in training.kept.state_dict().items()}


@pytest.mark.parametrize("changes", RECIPES, ids=lambda changes: changes.get("optimizer", "") + "-" + str(len(changes)))
def test_captured_steps_equal_eager_ones(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    """The same kernels on the same numbers; the odd last batch of an epoch is eager on both sides."""
    seen = []
    for no_graphs in ("1", "0"):
        monkeypatch.setenv("SHORTLIST_NO_GRAPHS", no_graphs)
        training = Training(recipe(**{"lr": 0.01, **changes}), images(), CUDA)
        seen.append(([figures(training.train_epoch()) for _ in range(3)], weights(training)))
        can_be = OPTIMIZERS[training.config.optimizer].torch_name in ON_DEVICE
        assert training._captured.replays is (no_graphs == "0" and can_be)
    (eager, before), (captured, after) = seen
    assert captured == [pytest.approx(numbers, rel=1e-5) for numbers in eager]
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=1e-4, atol=1e-6)
    assert captured == eager, "within tolerance, but not equal to the last bit"


@pytest.mark.parametrize("changes", RECIPES[-3:], ids=str)
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path, changes: dict[str, Any]) -> None:
    """The resumed run warms up and captures in another place than the whole one."""
    config, data = recipe(**{"lr": 0.01, **changes}), images()
    whole = Training(config, data, CUDA)
    expected = [figures(whole.train_epoch()) for _ in range(3)]
    seen = []
    for epoch in range(3):
        part = Training(config, data, CUDA)
        if epoch:
            part.load(tmp_path / str(epoch))
        seen.append(figures(part.train_epoch()))
        part.save(tmp_path / str(epoch + 1))
    assert seen == expected
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(part)[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("precision", ["auto", "float32", "tf32", "bfloat16", "float16"])
def test_every_number_format_learns(precision: str) -> None:
    training = Training(recipe(precision=precision, max_epochs=12, augment={}), images(num_val=60), CUDA)
    metrics = [training.train_epoch() for _ in range(12)][-1]
    assert metrics.val_accuracy > 0.8
    assert training._captured.replays is (precision != "float16")


def test_a_divergence_names_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are read every 64 steps; the step that is named is the first one all the same."""
    reasons = []
    for no_graphs in ("1", "0"):
        monkeypatch.setenv("SHORTLIST_NO_GRAPHS", no_graphs)
        training = Training(recipe(lr=1000, momentum=0.99, max_epochs=50), images(), CUDA)
        with pytest.raises(Diverged, match=r"loss is (nan|inf)") as caught:
            [training.train_epoch() for _ in range(50)]
        reasons.append(str(caught.value))
    assert reasons[0] == reasons[1]


class Waiting(nn.Module):
    """A user's network that looks at its numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.head = Flat(outputs=3)

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.head(self.drop(images_BCHW))
        return logits_BK if logits_BK.mean().item() < 1e6 else -logits_BK


@pytest.mark.parametrize("noticed_before", [True, False])
def test_network_that_waits_for_the_device_stays_eager(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, noticed_before: bool
) -> None:
    """Noticed in the last warm-up; and where that is switched off, by the capture that fails, after which the generators still work."""
    monkeypatch.setattr("trainable.family.build", lambda *_, **__: Waiting())
    if not noticed_before:
        monkeypatch.setattr("trainable.captured.WARM_UPS", 0)
    seen = []
    for no_graphs in ("1", "0"):
        monkeypatch.setenv("SHORTLIST_NO_GRAPHS", no_graphs)
        torch.manual_seed(0)
        training = Training(recipe(augment={"crop": 1, "flip": True}), images(channels=1), CUDA)
        with caplog.at_level(logging.WARNING):
            seen.append([figures(training.train_epoch()) for _ in range(2)])
    assert seen[0] == seen[1]
    assert ["are not captured" in record.getMessage() for record in caplog.records] == [True]
    assert torch.rand(3, device=CUDA).isfinite().all()


def test_no_memory_left_is_said_so_and_the_next_trial_is_unharmed() -> None:
    small = recipe(batch_size=64)
    expected = figures(Training(small, images(), CUDA).train_epoch())
    total = torch.cuda.get_device_properties(CUDA).total_memory
    torch.cuda.set_per_process_memory_fraction(2**30 / total)
    try:
        data = images(num_train=8_000, size=32)
        with pytest.raises(OutOfMemory, match="out of memory"):
            Training(recipe(model={"blocks": [1, 1], "channels": 64}, batch_size=8_000), data, CUDA).train_epoch()
        assert figures(Training(small, images(), CUDA).train_epoch()) == expected
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_device_memory_is_flat_over_twenty_trials() -> None:
    """What a trial held goes with it, its graphs included, not when Python next looks for cycles."""
    data = images(num_train=1024, size=32)
    reserved = []
    gc.collect()
    gc.disable()
    try:
        for trial in range(20):
            changes = {"optimizer": ("sgd", "adam")[trial % 2], "ema_decay": 0.9, "lookahead_k": 2, "mixup": 0.2 * (trial % 3)}
            model = {"blocks": [1, 1], "channels": (16, 48)[trial % 2]}
            training = Training(recipe(model=model, batch_size=128, **changes), data, CUDA)
            training.train_epoch()
            assert training._captured.replays
            assert torch.cuda.memory_reserved() > 50 * MIB, "what is measured is too small to tell a leak by"
            del training
            give_back()  # as the next trial does
            reserved.append(torch.cuda.memory_reserved() // MIB)
    finally:
        gc.enable()
    assert max(reserved[4:]) - min(reserved[4:]) <= 4, reserved
