"""Replayed steps compute what eager steps compute, to the last bit; with graphs of recorded operations, on one thread of a CPU."""

import logging
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures import ALTERATIONS, CPU, Flat, random_data, recipe
from recorded_graph import Recording, recorded
from test_trainable_exactness import FACTORS, figures, pairwise, weights
from torch import nn

from trainable import optimizers
from trainable.batches import Batches
from trainable.captured import WARM_UPS, capture_for
from trainable.config.recipe import OPTIMIZERS
from trainable.errors import Diverged
from trainable.normalize import Normalize
from trainable.training import Training

DATA = random_data(num_train=135)  # 8 full batches of 16, one of 7
CUDA = torch.device("cuda")
CAPTURED = [name for name, spec in OPTIMIZERS.items() if spec.torch_name in optimizers.ON_DEVICE]
ROWS = [row for row in pairwise([len(options) for options in FACTORS.values()], seed=1) if list(OPTIMIZERS)[row[0]] in CAPTURED]
EVERYTHING = {
    "augment": ALTERATIONS,
    "mixup": 0.4,
    "cutmix": 1.0,
    "clip_norm": 0.5,
    "dropout": 0.3,
    "ema_decay": 0.9,
    "lookahead_k": 3,
    "schedule": "cosine",
}


def fields(row: Sequence[int]) -> dict[str, Any]:
    return {name: value for options, option in zip(FACTORS.values(), row, strict=True) for name, value in options[option].items()}


@pytest.fixture(autouse=True)
def _as_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let optimizers compute as on CUDA: the rate and all that a step reads in tensors."""
    torch.set_num_threads(1)
    on_device = optimizers.on_device
    monkeypatch.setattr(optimizers, "on_device", lambda config, number_format, device: on_device(config, number_format, CUDA))
    for module in ("adam", "nadam", "rmsprop", "adadelta"):
        monkeypatch.setattr(sys.modules[f"torch.optim.{module}"], "_get_capturable_supported_devices", lambda **_: ["cpu"])


def train(
    monkeypatch: pytest.MonkeyPatch, capture: Any, changes: Mapping[str, Any], *, epochs: int = 2, data: Any = DATA
) -> tuple[Training, list[tuple[float, ...]]]:
    monkeypatch.setattr("trainable.training.capture_for", lambda *_: capture)
    training = Training(recipe(max_epochs=6, **{"lr": 0.01, **changes}), data, CPU)
    return training, [figures(training.train_epoch()) for _ in range(epochs)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "".join(map(str, row)))
def test_replayed_steps_equal_eager_ones(monkeypatch: pytest.MonkeyPatch, row: Sequence[int]) -> None:
    changes = fields(row)
    eager, expected = train(monkeypatch, None, changes)
    replayed, seen = train(monkeypatch, recorded, changes)
    assert replayed._captured.replays is (changes.get("accumulation") != 100)  # whose steps are never full
    assert seen == expected
    assert weights(replayed) == weights(eager)


@pytest.mark.parametrize("name", CAPTURED)
def test_rate_on_the_device_changes_nothing_that_double_precision_shows(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """On a CPU the rate is a double there, too; Adam's capturable kin count their steps in float32, where Python takes doubles."""
    there, seen = train(monkeypatch, None, {"optimizer": name, "schedule": "cosine"})
    monkeypatch.setattr(optimizers, "on_device", lambda *_: False)
    here, expected = train(monkeypatch, None, {"optimizer": name, "schedule": "cosine"})
    if name in ("sgd", "nesterov", "adam", "adamw"):
        assert (seen, weights(there)) == (expected, weights(here))
    else:
        assert np.allclose(seen, expected, rtol=1e-4)


def test_every_alteration_is_drawn_anew_in_each_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_data(num_train=135, channels=3)
    eager, expected = train(monkeypatch, None, EVERYTHING, data=data)
    replayed, seen = train(monkeypatch, recorded, EVERYTHING, data=data)
    assert replayed._captured.replays
    assert (seen, weights(replayed)) == (expected, weights(eager))


def test_no_alteration_copies_numbers_from_python() -> None:
    """A GPU is waited for while it gets them, so a graph cannot hold such a copy."""
    data = random_data(channels=3)
    batches = Batches(recipe(**EVERYTHING), data, Normalize(data.mean, data.std, CPU), CPU)
    batches(torch.arange(16))  # what is kept from the first time on
    batches.begin(1)
    with Recording() as recording:
        batches(torch.arange(16))
    assert len(recording.calls) > 100
    assert not [function for function, *_ in recording.calls if function is torch.ops.aten.lift_fresh.default]


@pytest.mark.parametrize("captured_first", [True, False])
def test_interrupted_and_resumed_equals_uninterrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, captured_first: bool) -> None:
    changes = {"optimizer": "adam", "accumulation": 2, "ema_decay": 0.9, "dropout": 0.3, "mixup": 0.4}
    whole, expected = train(monkeypatch, recorded, changes, epochs=3)
    part, _ = train(monkeypatch, recorded if captured_first else None, changes, epochs=1)
    part.save(tmp_path / "one")
    resumed, _ = train(monkeypatch, None if captured_first else recorded, changes, epochs=0)
    resumed.load(tmp_path / "one")
    assert [figures(resumed.train_epoch()) for _ in range(2)] == expected[1:]
    assert weights(resumed) == weights(whole)


def test_loading_into_a_training_under_way_captures_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    training, expected = train(monkeypatch, recorded, {"optimizer": "nadam"}, epochs=0)
    training.train_epoch()
    training.save(tmp_path / "one")
    expected = [figures(training.train_epoch()) for _ in range(2)]
    training.load(tmp_path / "one")
    assert not training._captured.replays
    assert [figures(training.train_epoch()) for _ in range(2)] == expected


@pytest.mark.parametrize("looks", [1, 3, 64])
def test_divergence_in_a_replay_names_the_step(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    monkeypatch.setattr("trainable.training.STEPS_BETWEEN_LOOKS", {"cpu": looks})
    reasons = []
    for capture in (None, recorded):
        training, _ = train(monkeypatch, capture, {"lr": 1000, "momentum": 0.99}, epochs=1)
        with pytest.raises(Diverged, match=r"training loss is (nan|inf) at step \d of epoch") as caught:
            [training.train_epoch() for _ in range(3)]
        reasons.append(str(caught.value))
        assert training._captured.replays is (capture is recorded)
    assert reasons[0] == reasons[1]


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("half_way", [False, True])
def test_capture_that_fails_leaves_the_numbers_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failing: int, half_way: bool
) -> None:
    """Of a step's three graphs (first batch, another, update) one cannot be made, from its beginning or towards its end."""
    captures = 0

    def fail(work: Callable[[], None], generators: Sequence[torch.Generator]) -> Callable[[], None]:
        nonlocal captures
        captures += 1
        if captures - 1 < failing:
            return recorded(work, generators)
        if half_way:
            recorded(work, generators)  # gradients of the graph that comes to nothing are in the parameters now
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    changes = {"accumulation": 2, "dropout": 0.3, "clip_norm": 0.5, "ema_decay": 0.9}
    _, expected = train(monkeypatch, None, changes)
    with caplog.at_level(logging.WARNING):
        training, seen = train(monkeypatch, fail, changes)
    assert seen == expected
    assert captures == failing + 1
    assert not training._captured.replays
    assert [record.getMessage() for record in caplog.records] == [
        "training steps are not captured as CUDA graphs, only slower: CUDA out of memory. Tried to allocate 2 GiB."
    ]


class Hindered(nn.Module):
    """A user's network that does what a graph would not do again."""

    def __init__(self, does: Callable[["Hindered", torch.Tensor], object]) -> None:
        super().__init__()
        self.head = Flat(outputs=3)
        self.register_buffer("seen", torch.zeros(()))
        self._does = does

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        if self.training:
            self._does(self, images_BCHW)
        logits_BK: torch.Tensor = self.head(images_BCHW)
        return logits_BK


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        (lambda module, images: images.mean().item(), "operation not permitted when stream is capturing"),
        (lambda module, images: random.random(), "the network draws random numbers on the processor"),
        (lambda module, images: np.random.rand(), "the network draws random numbers on the processor"),
        (lambda module, images: setattr(module, "seen", module.seen + 1), "the network puts a new tensor in the place of a buffer"),
    ],
)
def test_network_that_a_graph_would_not_repeat_stays_eager(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, does: Callable[[Hindered, torch.Tensor], object], reason: str
) -> None:
    monkeypatch.setattr("trainable.family.build", lambda *_, **__: Hindered(does))
    seen = []
    for capture in (None, recorded):
        torch.manual_seed(0)
        training, numbers = train(monkeypatch, capture, {})
        assert not training._captured.replays
        seen.append((numbers, weights(training)))
    assert seen[0] == seen[1]
    assert [reason in record.getMessage() for record in caplog.records] == [True]


def test_network_with_a_buffer_changed_in_its_place_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainable.family.build", lambda *_, **__: Hindered(lambda module, images: module.seen.add_(1)))
    training, _ = train(monkeypatch, recorded, {})
    assert training._captured.replays
    assert training.module.seen == 2 * 9


def test_warm_ups_are_full_steps_and_the_odd_ones_stay_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """135 images by 16: eight full steps an epoch and one of 7; 18: one and one of 2; 33: two, and a single image is left out."""
    for num_train, epochs, eager_passes in ((135, 2, WARM_UPS + 1 + 2), (18, 6, WARM_UPS + 1 + 6), (33, 3, WARM_UPS + 1)):
        passes = 0

        def count(module: Hindered, images: torch.Tensor) -> None:
            nonlocal passes
            passes += 1

        monkeypatch.setattr("trainable.family.build", lambda *_, count=count, **__: Hindered(count))
        train(monkeypatch, recorded, {}, epochs=epochs, data=random_data(num_train=num_train))
        assert passes == eager_passes, "Python was asked again"


@pytest.mark.parametrize(
    ("changes", "number_format", "device", "environment", "captured"),
    [
        *[({"optimizer": name}, "bfloat16", "cuda", None, name != "adagrad") for name in OPTIMIZERS],
        ({}, "float32", "cuda", "", True),
        ({}, "tf32", "cuda", "0", True),
        ({}, "tf32", "cuda", "1", False),
        ({}, "float16", "cuda", None, False),
        ({}, "bfloat16", "cpu", None, False),
    ],
)
def test_rule_says_which_steps_are_captured(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], number_format: Any, device: str, environment: str | None, captured: bool
) -> None:
    monkeypatch.undo()  # optimizers are as they are
    monkeypatch.delenv("SHORTLIST_NO_GRAPHS", raising=False)
    if environment is not None:
        monkeypatch.setenv("SHORTLIST_NO_GRAPHS", environment)
    assert (capture_for(recipe(**changes), number_format, torch.device(device)) is not None) is captured
