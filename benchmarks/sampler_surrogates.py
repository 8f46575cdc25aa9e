"""A table of learning curves as a problem without gaps: a forest that foretells the curve of any configuration.

Extremely randomised trees (Geurts, Ernst, Wehenkel, Machine Learning 63, 2006), with an output for the score after each epoch and one for
being alive then. Where less than half is foretold to be alive, the run has diverged. Scores below the tenth percentile of the finals
count as that percentile: they are useless alike, and their size would hide all else. How far to trust a forest, `held_out` says.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor

from benchmarks.curve_tables import CurveTable, read
from benchmarks.sampler_problems import Problem, trial
from search_spaces.domains import Choice, Domain, LogUniform, Uniform
from search_spaces.space import Space
from tuner.samplers.encoding import Encoding

NUM_TREES = 50
NUM_FOLDS = 5
USELESS = 0.1
NUM_DRAWN, NUM_PARENTS, NUM_CHANGED, NUM_ROUNDS = 4_000, 50, 1_000, 20  # in the search for the optimum


class Surrogate:
    """A forest that was fitted to a table. N rows, D coordinates, T epochs.

    Attributes:
        table: The table.
        space: Its hyperparameters, each over the range that occurs.
        floor: The least that a score counts.
    """

    def __init__(self, table: CurveTable) -> None:
        self.table = table
        self.space = Space(table.parameters)
        self._encoding = Encoding(self.space)
        self.floor = float(np.nanquantile(table.scores_NT[:, -1], USELESS))
        self._x_ND = np.stack([self._encoding.point(values) for values in table.values])
        scores_NT = np.fmax(np.nan_to_num(table.scores_NT, nan=-np.inf), self.floor)
        self._y_N2T = np.hstack([scores_NT, np.isfinite(table.scores_NT)])
        self._forest = _fitted(self._x_ND, self._y_N2T)

    def curves(self, candidates: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return the curves of M candidates, (M, T), NaN from where one diverges."""
        return self._curves(self._forest, np.stack([self._encoding.point(values) for values in candidates]))

    def held_out(self) -> dict[str, float]:
        """Return the rank correlation of final scores with those foretold by forests that had not seen them; five folds.

        `all` is over all rows, `better` over the better half of those that are not useless.
        """
        fold_N = np.random.default_rng(0).permutation(len(self._x_ND)) % NUM_FOLDS
        foretold_N = np.empty(len(fold_N))
        for fold in range(NUM_FOLDS):
            here_N = fold_N == fold
            forest = _fitted(self._x_ND[~here_N], self._y_N2T[~here_N])
            foretold_N[here_N] = np.nan_to_num(self._curves(forest, self._x_ND[here_N])[:, -1], nan=self.floor)
        finals_N = self._y_N2T[:, self.table.max_epochs - 1]
        better_N = finals_N > np.median(finals_N[finals_N > self.floor])
        return {
            "all": float(spearmanr(finals_N, foretold_N).statistic),
            "better": float(spearmanr(finals_N[better_N], foretold_N[better_N]).statistic),
        }

    def optimum(self) -> float:
        """Return the best final score that was found: among random candidates, then among changed copies of the best of them.

        A changed copy has a third of its values from another of the best, and one drawn anew.
        """
        rng = Random(0)
        drawn = [self.space.sample(rng) for _ in range(NUM_DRAWN)]
        best: list[tuple[float, dict[str, Any]]] = []
        for _ in range(NUM_ROUNDS):
            finals = np.nan_to_num(self.curves(drawn)[:, -1], nan=-np.inf).tolist()
            best = sorted([*best, *zip(finals, drawn, strict=True)], key=lambda found: -found[0])[:NUM_PARENTS]
            drawn = [self._changed(rng.choice(best)[1], rng.choice(best)[1], rng) for _ in range(NUM_CHANGED)]
        return best[0][0]

    def _changed(self, one: Mapping[str, Any], other: Mapping[str, Any], rng: Random) -> dict[str, Any]:
        anew = rng.choice(list(one))
        kept = {name: other.get(name, value) if rng.random() < 1 / 3 else value for name, value in one.items() if name != anew}
        return self.space.sample(rng, given=kept)

    def _curves(self, forest: ExtraTreesRegressor, x_MD: np.ndarray) -> np.ndarray:
        scores_MT, alive_MT = np.hsplit(forest.predict(x_MD), 2)
        return np.where(np.logical_and.accumulate(alive_MT >= 0.5, axis=1), scores_MT, np.nan)


@cache
def surrogate(path: Path) -> Surrogate:
    """Return the surrogate of a table; each process fits it once.

    Raises:
        TableError: It is no table of learning curves.
    """
    return Surrogate(read(path))


@cache
def problem(path: Path) -> Problem:
    """Return the problem of a table, named as its file.

    Raises:
        TableError: It is no table of learning curves.
    """
    found = surrogate(path)
    names = {f"x{number}": parameter.path for number, parameter in enumerate(found.space.parameters, 1)}

    def curve(values: Mapping[str, Any]) -> Sequence[float | None]:
        scores_T = found.curves([{names[name]: value for name, value in values.items() if name in names}])[0]
        return [None if np.isnan(score) else score for score in scores_T.tolist()]

    kwargs = {name: _words(parameter.domain) for name, parameter in zip(names, found.space.parameters, strict=True)}
    table = found.table
    return Problem(table.name, "surrogate", trial(kwargs), curve, best=found.optimum(), max_epochs=table.max_epochs, diverged=found.floor)


def _fitted(x_ND: np.ndarray, y_NO: np.ndarray) -> ExtraTreesRegressor:
    return ExtraTreesRegressor(NUM_TREES, random_state=0).fit(x_ND, y_NO)


def _words(domain: Domain) -> dict[str, Any]:
    """Return a domain as a sweep file says it."""
    match domain:
        case Choice():
            return {"choice": list(domain.values())}
        case Uniform(low=low, high=high):
            return {"uniform": [low, high]}
        case LogUniform(low=low, high=high):
            return {"loguniform": [low, high]}
        case _:
            raise AssertionError(f"a table has no {domain}")
