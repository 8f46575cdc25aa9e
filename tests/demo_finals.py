"""Finals of the sweep to look at: made-up predictions through the code that judges real ones, written as a promotion leaves them."""

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch

from results import curves, leaderboard
from results.events import Event, SweepStarted
from results.history import History
from results.journal import Journal
from results.storage import Storage
from tests import recorded
from trainable.data.test_split import TestData
from trainable.final import mistakes, temperature
from trainable.final.choices import Choice
from trainable.final.figures import figures
from trainable.final.scores import scored

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Pairs that a network takes for each other, and how much.
ALIKE = {(3, 5): 1.9, (5, 3): 1.7, (1, 9): 1.3, (9, 1): 1.2, (2, 4): 1.0, (4, 7): 0.9, (0, 8): 1.1, (2, 0): 0.9, (6, 3): 0.7}
TEST, VALIDATION, EPOCHS = 10_000, 5_000, 200


def store(storage: Storage, trial: str, accuracy: float, parameters: int, *, num_stages: int = 1, train_on: str = "train") -> Storage:
    """Write a finished final: three seeds, the first one kept, about as accurate on validation as asked for."""
    name = f"{trial}-{EPOCHS}ep-1a2b3c"
    place = Storage(storage.path(f"finals/{name}"))
    generator = torch.Generator().manual_seed(int(trial[1:]))
    stages = [place.path(f"stages/{number + 1:02d}") for number in range(num_stages - 1)] + [place.root]
    for number, folder in enumerate(stages):
        _runs(Storage(folder), accuracy, EPOCHS // num_stages, begun=number / num_stages, rng=random.Random(f"{trial}/{number}"))
    val_logits_NK, val_labels_N = predictions(VALIDATION, accuracy, generator)
    degrees = temperature.fit(val_logits_NK, val_labels_N) if train_on == "train" else 1.0
    logits_NK, labels_N = predictions(TEST, accuracy - 0.004, generator)
    images = torch.zeros(TEST, 1, 1, 3, dtype=torch.uint8)
    choice = Choice(temperature=degrees)
    scores, test = scored(logits_NK, logits_NK, TestData(images, labels_N, CLASSES, "ab" * 32), choice, class_names=CLASSES)
    seen = figures(val_logits_NK, val_labels_N)
    told = {"version": 1, "split": "validation", "learned_from": True, "examples": VALIDATION, "mistakes": None, "images": []}
    if train_on == "train":
        wrong_N = val_logits_NK.argmax(dim=1) != val_labels_N
        images_NHWC = torch.zeros(VALIDATION, 32, 32, 3, dtype=torch.uint8)  # of the others nothing is shown
        images_NHWC[wrong_N] = pictures(val_labels_N[wrong_N])
        told = mistakes.chosen((val_logits_NK / degrees).softmax(dim=1), images_NHWC, val_labels_N, CLASSES)
    place.write_atomic("mistakes.json", json.dumps(told).encode())
    validation = {"val_accuracy": seen.accuracy if train_on == "train" else None, "val_loss": seen.loss if train_on == "train" else None}
    runs = [
        {"trial": f"t{seed + 1:05d}", "seed": seed, "values": {}, "epochs": EPOCHS, **validation, **asdict(scores)} for seed in range(3)
    ]
    for run, lower in zip(runs[1:], (0.0012, 0.0031), strict=True):
        run["test_accuracy"] -= lower - 0.0014
        if run["val_accuracy"] is not None:
            run["val_accuracy"] -= lower
    metrics = {
        "version": 2, "final": name, "epochs": EPOCHS, "parameters": parameters, "train_on": train_on, "chosen_by": "val_accuracy",
        "seed": 0, **validation, **asdict(scores), "test_accuracy_mean": scores.test_accuracy, "test_accuracy_sd": 0.0015, "device_s": 8e4,
        "runs": runs, "test": test, "check": {"accuracy": seen.accuracy, "loss": seen.loss, "examples": VALIDATION},
    }  # fmt: skip
    content = lineage(name, trial, metrics, num_stages)
    place.write_atomic("lineage.json", json.dumps(content).encode())
    names = ("README.md", "metrics.json", "mistakes.json", "model.onnx", "model.pt2", "model.py", "model.safetensors")
    place.write_atomic("checksums.sha256", "".join(f"{_hash(name + file)}  {file}\n" for file in names).encode())
    place.write_atomic("metrics.json", json.dumps(metrics).encode())
    return place


def at_work(storage: Storage, trial: str, accuracy: float) -> Storage:
    """Write a final that is being trained."""
    place = Storage(storage.path(f"finals/{trial}-{EPOCHS}ep-4d5e6f"))
    _runs(place, accuracy, EPOCHS, begun=0.0, rng=random.Random(trial), until=74)
    return place


def predictions(num: int, accuracy: float, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits_NK and labels_N of a network that is too sure of itself and confuses what looks alike."""
    labels_N = torch.randint(len(CLASSES), (num,), generator=generator)
    leaning_KK = torch.zeros(len(CLASSES), len(CLASSES))
    for (is_, as_), weight in ALIKE.items():
        leaning_KK[is_, as_] = weight
    noise_NK = torch.randn(num, len(CLASSES), generator=generator)
    low, high = 0.0, 20.0
    for _ in range(16):  # the margin at which so many are right
        margin = (low + high) / 2
        logits_NK = noise_NK + leaning_KK[labels_N]
        logits_NK[torch.arange(num), labels_N] += margin
        share = float((logits_NK.argmax(dim=1) == labels_N).double().mean())
        low, high = (margin, high) if share < accuracy else (low, margin)
    return 3.8 * logits_NK.double(), labels_N


def pictures(labels_N: torch.Tensor) -> torch.Tensor:
    """Return images_NHWC of 32 x 32: a patch on a ground, of colours that go with the class."""
    generator = torch.Generator().manual_seed(0)
    across = torch.linspace(-1, 1, 32)
    rows_HW, columns_HW = torch.meshgrid(across, across, indexing="ij")
    place_N2 = 0.5 * torch.rand(len(labels_N), 2, generator=generator) - 0.25
    wide_N = 0.35 + 0.04 * labels_N[:, None, None]
    inside_NHW = ((columns_HW - place_N2[:, 0, None, None]) / wide_N) ** 2 + ((rows_HW - place_N2[:, 1, None, None]) / 0.5) ** 2 < 1
    ground_NHWC = 120 + 60 * torch.rand(len(labels_N), 1, 1, 3, generator=generator) * (1 + rows_HW[None, :, :, None])
    patch_N11C = 230 * torch.rand(len(labels_N), 1, 1, 3, generator=generator)
    images_NHWC = torch.where(inside_NHW[..., None], patch_N11C, ground_NHWC)
    return (images_NHWC + 12 * torch.randn(images_NHWC.shape, generator=generator)).clamp(0, 255).to(torch.uint8)


def lineage(name: str, trial: str, metrics: dict[str, Any], num_stages: int) -> dict[str, Any]:
    reading = {"final": name, "at": "2026-06-21T08:14:09.113+00:00", "fingerprint": "ab" * 32}
    return {
        "version": 2, "final": name, "config": {}, "config_hash": _hash(name)[:16],
        "stages": [{"epochs": EPOCHS // num_stages, "journal": ".", "changes": [], "runs": 1, "kept": "t00001"} for _ in range(num_stages)],
        "trial": {"id": trial, "config_hash": _hash(trial)[:16], "values": {}, "status": "completed", "rung_epochs": 54, "score": 0.9},
        "sweep": {
            "name": "cifar10-combinations", "hash": _hash("sweep")[:16], "started_at": recorded.AT, "trials": 120,
            "commit": "3f9c2ab41d5e6f7081920a1b2c3d4e5f60718293",
        },
        "data": {"name": "cifar10", "path": None, "train_fingerprint": _hash("train"), "test_fingerprint": "ab" * 32},
        "test_split": {"read_at": reading["at"], "reader": name, "readings": [reading], "earlier_readings": []},
        "made_with": {},
    }  # fmt: skip


def _runs(place: Storage, accuracy: float, epochs: int, *, begun: float, rng: random.Random, until: int | None = None) -> None:
    """Write the journal, the leaderboard and the curves of three seeds."""
    facts = list(_facts(accuracy, epochs, begun=begun, rng=rng, until=until))
    writer = Journal(place)
    writer.append(facts, sync=False)
    writer.close()
    history = History.of(facts)
    leaderboard.write(place, history)
    curves.write(place, history)


def _facts(accuracy: float, epochs: int, *, begun: float, rng: random.Random, until: int | None) -> Iterator[Event]:
    yield SweepStarted(
        at=recorded.AT, sweep="final", sweep_hash="0" * 16, metric="val_accuracy", mode="max", parameters=("seed",), ladder=(),
        max_epochs=epochs, num_trials=3, commit=None, versions={},
    )  # fmt: skip
    yield recorded.driver()
    for seed in range(3):
        trial = f"t{seed + 1:05d}"
        yield recorded.suggested(trial, values={"seed": seed}, config={"seed": seed})
        yield recorded.launched(trial, until_epoch=epochs)
        for epoch in range(1, (until or epochs) + 1):
            share = begun + (1 - begun) * epoch / epochs
            reached = accuracy - 0.0015 * seed - 0.55 * (1 - share) ** 9 * (1 - begun) - 0.07 * (1 - share)
            seen = reached + rng.gauss(0, 0.022 * (1 - share) + 0.0012)
            learnt = min(0.9995, reached + 0.1 * share**2 - 0.03)
            losses: dict[str, float] = {"val_loss": 3.2 * (1 - seen) + 0.03, "train_loss": 3.0 * (1 - learnt) + 0.01}
            yield recorded.reported(trial, epoch, round(min(seen, 0.999), 4), train_accuracy=learnt, **losses)
        if until is None:
            yield recorded.ended(trial, "completed")
    if until is None:
        yield recorded.stopped()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def all_of(storage: Storage, best: Sequence[tuple[str, float, int]]) -> None:
    """Write finals of the best trials: one in a single stretch, one in stages, one that learned from all images."""
    kinds: Sequence[dict[str, Any]] = ({}, {"num_stages": 4}, {"train_on": "all"})
    for (trial, score, parameters), kind in zip(best, kinds, strict=False):
        store(storage, trial, score + 0.012, parameters, **kind)
