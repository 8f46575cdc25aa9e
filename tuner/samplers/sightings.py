"""What a history says of each configuration, as one number that a model can be fitted to.

Trials that got to different rungs are compared by rank, never by score: by their place in the leaderboard, and by their place at the
first rung, which all of them have seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from results.events import Decided, Ended
from results.history import History


@dataclass(frozen=True, slots=True)
class Sighting:
    """A trial was compared at a rung, was trained in full, or diverged.

    Attributes:
        trial: Its id.
        rung_epochs: Epochs trained; 0 where it diverged.
        value: Its score there, higher is better; minus infinity where it diverged.
    """

    trial: str
    rung_epochs: int
    value: float


def sighting(history: History, fact: Decided | Ended, *, sign: int) -> Sighting | None:
    """Return what a fact says of its trial's configuration; None where it says nothing.

    Args:
        history: What has happened, the fact included.
        fact: One of `history.judged`.
        sign: +1 where the metric is maximised, -1 where it is minimised.
    """
    match fact:
        case Decided(trial=trial, rung_epochs=int(rung), score=float(score)):
            return Sighting(trial, rung, sign * score)
        case Ended(trial=trial, status="diverged"):
            return Sighting(trial, 0, -math.inf)
        case Ended(trial=trial, status="completed"):
            last = history.trials[trial].last
            return None if last is None or last.score is None else Sighting(trial, last.epoch, sign * last.score)
    return None


def targets(seen: Sequence[Sighting]) -> dict[str, float]:
    """Return trial -> how good it is, from a normal distribution with mean 0 and variance 1: higher is better.

    The rank of the sum of two ranks, that in the leaderboard and that at the first rung, as a normal quantile. Trials that diverged are
    tied at the bottom.

    Args:
        seen: Oldest first, at least one.
    """
    first: dict[str, Sighting] = {}
    highest: dict[str, Sighting] = {}
    diverged: set[str] = set()
    for one in seen:
        if not math.isfinite(one.value):
            diverged.add(one.trial)
        first.setdefault(one.trial, one)
        if one.rung_epochs >= highest.setdefault(one.trial, one).rung_epochs:
            highest[one.trial] = one
    trials = list(first)
    sound = [trial for trial in trials if trial not in diverged]
    ranks = dict.fromkeys(trials, -math.inf)
    if sound:
        leaderboard = _ranks([(highest[trial].rung_epochs, highest[trial].value) for trial in sound])
        ranks |= zip(sound, (leaderboard + _first_ranks([first[trial] for trial in sound])).tolist(), strict=True)
    quantiles = ndtri((rankdata([ranks[trial] for trial in trials]) - 0.5) / len(trials))
    return dict(zip(trials, quantiles.tolist(), strict=True))


def _first_ranks(first: Sequence[Sighting]) -> np.ndarray:
    """Return each trial's rank at its first rung among those that stood there, as a fraction."""
    rungs = np.array([one.rung_epochs for one in first])
    values = np.array([one.value for one in first])
    ranks = np.empty(len(first))
    for rung in np.unique(rungs):
        here = rungs == rung
        ranks[here] = rankdata(values[here]) / np.count_nonzero(here)
    return ranks


def _ranks(places: Sequence[tuple[int, float]]) -> np.ndarray:
    """Return the ranks of pairs, ties shared, as fractions; 1 is the best."""
    rungs, values = (np.array(column) for column in zip(*places, strict=True))
    _, dense = np.unique(values, return_inverse=True)
    return np.asarray(rankdata(rungs * (dense.max() + 1.0) + dense)) / len(places)
