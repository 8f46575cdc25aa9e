"""How long an epoch of a configuration takes, predicted from a few that were measured. No clock, no ray, no torch.

Seconds per training image are fitted, never negative, to the network's operations, what it keeps in memory, and its weights and a
constant per batch (the optimizer's step and the start of each operation do not depend on how many images there are). What the fit misses
at the measured configurations is carried over to those near them: a configuration that was measured is predicted as it was measured.
"""

import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.optimize

from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig

# Fields that say how well an epoch trains, not how long it takes.
TIMELESS = frozenset({"data", "lr", "momentum", "beta1", "beta2", "alpha", "rho", "momentum_decay", "eps", "weight_decay", "decay_norms"})
TIMELESS |= {"schedule", "warmup_epochs", "warmup_share", "lr_start", "lr_floor", "restarts", "restart_growth", "step_share", "milestones"}
TIMELESS |= {"gamma", "cooldown_share", "label_smoothing", "metric", "patience", "seed", "max_epochs", "lookahead_alpha"}

# How far apart two recipes are whose networks and batch sizes are equal, in powers of e of those: other optimizers, other augmentation.
OTHER_RECIPE = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration whose time is wanted.

    Attributes:
        config: Its recipe.
        cost: What its network costs.
    """

    config: TrainConfig
    cost: ArchitectureCost

    @property
    def network(self) -> str:
        """Return text that is equal for networks that compute the same."""
        return self.config.model.model_dump_json(exclude={"label"})

    @property
    def recipe(self) -> str:
        """Return text that is equal for recipes whose epochs take equally long on one network, its batch size left out."""
        content = self.config.model_dump(mode="json", exclude=set(TIMELESS) | {"model", "batch_size"})
        return json.dumps(content | {"dropout": self.config.dropout > 0, "ema_decay": self.config.ema_decay > 0}, sort_keys=True)

    @property
    def place(self) -> tuple[float, ...]:
        """Return where it stands among others: logarithms of what its time depends on."""
        cost = self.cost
        sizes = (cost.flops_per_image, cost.activation_bytes_per_image, cost.parameters, self.config.batch_size)
        return tuple(math.log(max(1, size)) for size in sizes)

    def distance(self, other: "Candidate") -> float:
        """Return how unlike two candidates are, >= 0; 0 for equally long epochs."""
        return math.dist(self.place, other.place) + OTHER_RECIPE * (self.recipe != other.recipe) + 0.01 * (self.network != other.network)


@dataclass(frozen=True, slots=True)
class Sample:
    """A candidate that was measured.

    Attributes:
        train_image_s: Seconds per training image, > 0.
        val_image_s: Seconds per validation image, >= 0.
    """

    candidate: Candidate
    train_image_s: float
    val_image_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What epochs take on one kind of machine.

    Attributes:
        source: Where the figures come from, for people.
        samples: What was measured, at least one.
        start_s: Seconds from the driver's start to the first epoch's.
        segment_s: Seconds from the end of one segment to the next one's first epoch, on one worker.
        save_s: Seconds to write a checkpoint.
        num_train: Training images.
        num_val: Validation images.
    """

    source: str
    samples: tuple[Sample, ...]
    start_s: float
    segment_s: float
    save_s: float
    num_train: int
    num_val: int

    def epoch_s(self) -> Callable[[Candidate], float]:
        """Return a function that predicts the seconds of one epoch, evaluation included; checkpoints are not."""
        train = _fit(self.samples, _train_features, lambda sample: sample.train_image_s)
        val = _fit(self.samples, _val_features, lambda sample: sample.val_image_s)
        known: dict[tuple[str, str, int], float] = {}

        def predict(candidate: Candidate) -> float:
            key = candidate.network, candidate.recipe, candidate.config.batch_size
            if key not in known:
                num_train = self.num_train * candidate.config.augment.repeats
                known[key] = num_train * train(candidate) + self.num_val * val(candidate)
            return known[key]

        return predict


def spread(candidates: Iterable[tuple[Candidate, float]], number: int) -> list[Candidate]:
    """Return the candidates to measure: the one that will be trained most, then always the one farthest from those chosen.

    Args:
        candidates: Each with the epochs that it will probably be trained.
        number: How many, >= 1; fewer where fewer differ.
    """
    weights: dict[tuple[str, str, int], tuple[Candidate, float]] = {}
    for candidate, epochs in candidates:
        key = candidate.network, candidate.recipe, candidate.config.batch_size
        before = weights[key][1] if key in weights else 0.0
        weights[key] = candidate, before + epochs * candidate.cost.flops_per_image
    left = list(weights.values())
    most = max(range(len(left)), key=lambda index: left[index][1])
    chosen = [left.pop(most)[0]]
    nearest = [candidate.distance(chosen[0]) for candidate, _ in left]
    while left and len(chosen) < number:
        # Far apart counts most; of two as far, the one that is trained more.
        index = max(range(len(left)), key=lambda place: (round(nearest[place], 3), left[place][1]))
        candidate, _ = left.pop(index)
        nearest.pop(index)
        chosen.append(candidate)
        nearest = [min(before, other.distance(candidate)) for before, (other, _) in zip(nearest, left, strict=True)]
    return chosen


def _train_features(candidate: Candidate) -> list[float]:
    cost, batch = candidate.cost, candidate.config.batch_size
    step = batch * candidate.config.accumulation
    return [cost.flops_per_image, cost.activation_bytes_per_image, cost.parameters / step, 1.0 / batch, 1.0]


def _val_features(candidate: Candidate) -> list[float]:
    return [candidate.cost.flops_per_image, candidate.cost.activation_bytes_per_image, 1.0]


def _fit(
    samples: Sequence[Sample], features: Callable[[Candidate], list[float]], of: Callable[[Sample], float]
) -> Callable[[Candidate], float]:
    """Return a function that predicts what `of` says of samples.

    Least squares of relative errors with coefficients >= 0 (Lawson and Hanson, 1974); then the ratio of measured to fitted, averaged
    over the samples with weights 1 / distance squared (Shepard, 1968).
    """
    measured = np.array([max(of(sample), 1e-12) for sample in samples])
    rows = np.array([features(sample.candidate) for sample in samples])
    scale = rows.max(axis=0).clip(min=1e-12)
    coefficients, _ = scipy.optimize.nnls(rows / scale / measured[:, None], np.ones(len(samples)))

    def fitted(candidate: Candidate) -> float:
        return max(float(np.array(features(candidate)) / scale @ coefficients), 1e-12)

    ratios = [math.log(value / fitted(sample.candidate)) for value, sample in zip(measured, samples, strict=True)]

    def predict(candidate: Candidate) -> float:
        weights = [1.0 / (candidate.distance(sample.candidate) ** 2 + 1e-6) for sample in samples]
        missed = sum(weight * ratio for weight, ratio in zip(weights, ratios, strict=True)) / sum(weights)
        return fitted(candidate) * math.exp(missed)

    return predict


def typical(values: Iterable[float], default: float = 0.0) -> float:
    """Return the median; `default` where there is no value."""
    found = list(values)
    return statistics.median(found) if found else default
