"""The same numbers to the last bit: interrupted or not, in a fresh process or a used one, on one thread of a CPU."""

import hashlib
import itertools
import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from pictures import CPU, random_data, recipe

from trainable.config.recipe import OPTIMIZERS, SCHEDULES
from trainable.metrics import EpochMetrics
from trainable.training import Training

DATA = random_data()
EPOCHS = 3

# Everything of a recipe that has a memory or draws numbers. One option of each factor is tried with every option of every other.
FACTORS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "optimizer": [{"optimizer": name} for name in OPTIMIZERS],
    "schedule": [{"schedule": name, **({} if name == "onecycle" else {"warmup_epochs": 0.7})} for name in SCHEDULES],
    "ema": [{}, {"ema_decay": 0.9}],
    "lookahead": [{}, {"lookahead_k": 3}],
    "mix": [{}, {"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}],
    "accumulation": [{}, {"accumulation": 2}, {"accumulation": 100}],
    "regularization": [{}, {"dropout": 0.3, "label_smoothing": 0.1, "weight_decay": 1e-3, "decay_norms": False}],
    "clipping": [{}, {"clip_norm": 0.5}],
    "best": [{}, {"keep_best": True, "patience": 50, "metric": "val_loss"}],
    "precision": [{"precision": "float32"}, {"precision": "bfloat16"}],
}


def pairwise(sizes: Sequence[int], seed: int) -> list[tuple[int, ...]]:
    """Return rows of option numbers in which every pair of options of any two factors occurs; about as few as there can be.

    Greedy: each row begins with a pair that is still missing, and takes for every other factor the option that meets most missing pairs.
    """
    rng = random.Random(seed)
    factors = range(len(sizes))
    missing = {((a, i), (b, j)) for a, b in itertools.combinations(factors, 2) for i in range(sizes[a]) for j in range(sizes[b])}
    rows = []
    while missing:
        row: dict[int, int] = dict(min(missing))
        for factor in rng.sample([factor for factor in factors if factor not in row], len(sizes) - 2):
            chosen = list(row.items())
            options = list(range(sizes[factor]))
            rng.shuffle(options)
            row[factor] = max(options, key=lambda option: sum(tuple(sorted([(factor, option), pair])) in missing for pair in chosen))
        cells = sorted(row.items())
        missing -= set(itertools.combinations(cells, 2))
        rows.append(tuple(option for _, option in cells))
    return rows


ROWS = pairwise([len(options) for options in FACTORS.values()], seed=0)


def fields(row: Sequence[int]) -> dict[str, Any]:
    return {name: value for options, option in zip(FACTORS.values(), row, strict=True) for name, value in options[option].items()}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def figures(metrics: EpochMetrics) -> tuple[float, ...]:
    """Return what must be equal to the last bit; times are not."""
    return (metrics.epoch, metrics.train_loss, metrics.train_accuracy, metrics.val_loss, metrics.val_accuracy, metrics.lr)


def weights(training: Training) -> str:
    """Return a hash of all that training has made: the network's weights and those that would be exported."""
    digest = hashlib.sha256()
    for module in (training.module, training.kept):
        for name, tensor in module.state_dict().items():
            digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def test_rows_cover_every_pair_and_are_few() -> None:
    sizes = [len(options) for options in FACTORS.values()]
    for (a, first), (b, second) in itertools.combinations(enumerate(sizes), 2):
        assert len({(row[a], row[b]) for row in ROWS}) == first * second
    assert len(OPTIMIZERS) * len(SCHEDULES) <= len(ROWS) <= 1.2 * len(OPTIMIZERS) * len(SCHEDULES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "".join(map(str, row)))
def test_interrupted_after_every_epoch_equals_uninterrupted(tmp_path: Path, row: Sequence[int]) -> None:
    config = recipe(lr=0.01, max_epochs=EPOCHS, **fields(row))
    whole = Training(config, DATA, CPU)
    expected = [figures(whole.train_epoch()) for _ in range(EPOCHS)]
    seen = []
    for epoch in range(EPOCHS):
        part = Training(config, DATA, CPU)
        if epoch:
            part.load(tmp_path / str(epoch))
        assert part.epoch == epoch
        seen.append(figures(part.train_epoch()))
        part.save(tmp_path / str(epoch + 1))
    assert seen == expected
    assert weights(part) == weights(whole)
    assert part.kept_epoch == whole.kept_epoch


EVERYTHING = fields([len(options) - 1 for options in FACTORS.values()])
RECIPES: list[dict[str, Any]] = [
    {"lr": 0.01, "max_epochs": 2, **EVERYTHING},
    {"optimizer": "adam", "model": {"blocks": [1], "channels": 8}, "lr": 0.01, "dropout": 0.5, "mixup": 1.0, "seed": 7},
]

PROGRAM = """
import json, sys
import torch
from pictures import CPU, random_data, recipe
from test_trainable_exactness import figures, weights
from trainable.training import Training

torch.set_num_threads(1)
for fields in json.loads(sys.argv[1]):
    training = Training(recipe(**fields), random_data(), CPU)
    print(json.dumps([[figures(training.train_epoch()) for _ in range(2)], weights(training)]))
"""


def in_a_process(*recipes: dict[str, Any]) -> list[Any]:
    """Train recipes one after another in one new process; return what each gave."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(recipes)], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_trials_one_after_another_equal_each_in_a_process_of_its_own() -> None:
    first, second = RECIPES
    alone = [*in_a_process(second), *in_a_process(first)]
    assert in_a_process(second, first, second) == [*alone, alone[0]]


@pytest.mark.parametrize("row", ROWS[::12], ids=lambda row: "".join(map(str, row)))
def test_same_seed_same_numbers_other_seed_other_numbers(row: Sequence[int]) -> None:
    def run(seed: int) -> tuple[Any, ...]:
        training = Training(recipe(seed=seed, **fields(row)), DATA, CPU)
        return figures(training.train_epoch()), weights(training)

    torch.manual_seed(1)
    first = run(5)
    torch.manual_seed(2)
    assert run(5) == first
    other = run(6)
    assert other[0] != first[0]
    assert other[1] != first[1]
