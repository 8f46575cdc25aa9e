"""Which parameters decided where a trial stands: permutation importance over random forests, with intervals.

The forests predict a trial's standing in the leaderboard (rungs included, so that trials of different length compare; diverged ones
last) from its parameters; the importance of one is how much worse they predict trials that they have not seen when its values are
exchanged among these. Source: Breiman, "Random Forests", Machine Learning 45, 2001, section 10; here with cross-validation
instead of out-of-bag trials. A conditional parameter is exchanged only among trials in which it is active.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.frames import Frames, is_numeric

MIN_TRIALS = 12
# Of longer sweeps so many are drawn at random, the same ones each time, because the time grows with the trials: of 10,000 these take a
# quarter of what all take. Forests of fewer trials see less, so the number must be large enough that little is left to see: on 6,000
# made-up trials, 22 of 24 figures of all of them lay within the 95 % intervals of 8 such samples; samples of 40 of 160 saw too little.
MOST_TRIALS = 2_000
FOLDS = 4
REPEATS = 5  # cross-validations, each over other folds
EXCHANGES = 3  # of each parameter in each fold
TREES = 60
RESAMPLES = 1_000

# Below this share of the variance, predicted on unseen trials, the forests have learnt nothing worth telling. Forests on shuffled scores
# stay below zero on average, and above 0.1 in about 1 of 100 sweeps of 30 trials.
MIN_EXPLAINED = 0.1


@dataclass(frozen=True)
class Importance:
    """What was found.

    Attributes:
        parameters: One row per parameter in which trials differ, most important first: `parameter`, `importance` (share of the standing's
            variance that is no longer predicted without it, about 0..1; parameters that act together each count the common part),
            `low` and `high` (95 % interval over trials); empty where too little is known.
        explained: Share of the variance that the forests predict on trials they have not seen; NaN where none was grown.
        n: Trials that it rests on.
        of: Trials that there are with a place; more than n where only MOST_TRIALS of them were asked.
        remark: Why nothing is said; empty where something is.
    """

    parameters: pd.DataFrame
    explained: float
    n: int
    of: int
    remark: str = ""


def importance(frames: Frames, *, seed: int = 0) -> Importance:
    """Return how much each parameter mattered in a sweep; the same tables and seed give the same figures."""
    nothing = pd.DataFrame(columns=["parameter", "importance", "low", "high"])
    judged, paths = frames.judged, frames.varied
    of = len(judged)
    if len(judged) < MIN_TRIALS or not paths:
        needed = f"needs {MIN_TRIALS}" if paths else "no parameter differs"
        return Importance(nothing, float("nan"), of, of, f"too few trials to say: {len(judged)} with a place, {needed}")
    rng = np.random.default_rng(seed)
    if of > MOST_TRIALS:
        judged = judged.iloc[np.sort(rng.choice(of, MOST_TRIALS, replace=False))]
    inputs = np.column_stack([_numbers(judged[f"config.{path}"]) for path in paths])
    target = judged["standing"].to_numpy()
    errors, losses = _cross_validate(inputs, target, rng)
    variance = float(target.var())
    explained = 1 - float(errors.mean()) / variance if variance else 0.0
    if explained < MIN_EXPLAINED:
        drawn = f" of {of}, drawn at random," if of > len(judged) else ""
        remark = f"too few trials to say: from {len(judged)}{drawn} the standing of unseen ones cannot be predicted"
        return Importance(nothing, explained, len(judged), of, remark)
    shares = losses / variance  # (trials, parameters)
    chosen = rng.integers(len(shares), size=(RESAMPLES, len(shares)))
    low, high = np.quantile(shares[chosen].mean(axis=1), [0.025, 0.975], axis=0)
    table = pd.DataFrame({"parameter": paths, "importance": shares.mean(axis=0), "low": low, "high": high})
    return Importance(table.sort_values("importance", ascending=False, ignore_index=True, kind="stable"), explained, len(judged), of)


def _numbers(values: pd.Series) -> np.ndarray:
    """Return a parameter as numbers: itself, or the place of its category; NaN, which a tree sends its own way, where it is inactive."""
    if is_numeric(values):
        return values.to_numpy(dtype=float, na_value=np.nan)
    codes = pd.Categorical(values.astype("string")).codes.astype(float)
    return np.where(codes < 0, np.nan, codes)


def _cross_validate(inputs: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared error of each trial when it was unseen, and how much each parameter's exchange added to it.

    Shapes: inputs (trials, parameters), target (trials,); the answers (trials,) and (trials, parameters), means over all repeats.
    """
    from sklearn.ensemble import RandomForestRegressor

    n, num_parameters = inputs.shape
    errors, losses = np.zeros(n), np.zeros((n, num_parameters))
    for _ in range(REPEATS):
        folds = rng.permutation(n) % FOLDS
        for fold in range(FOLDS):
            unseen = np.flatnonzero(folds == fold)
            forest = RandomForestRegressor(TREES, min_samples_leaf=2, max_features=0.7, random_state=int(rng.integers(2**31)))
            forest.fit(inputs[folds != fold], target[folds != fold])
            error = (forest.predict(inputs[unseen]) - target[unseen]) ** 2
            errors[unseen] += error / REPEATS
            for column in range(num_parameters):
                exchanged = np.concatenate([_exchanged(inputs[unseen], column, rng) for _ in range(EXCHANGES)])
                worse = (forest.predict(exchanged).reshape(EXCHANGES, -1) - target[unseen]) ** 2
                losses[unseen, column] += (worse.mean(axis=0) - error) / REPEATS
    return errors, losses


def _exchanged(inputs: np.ndarray, column: int, rng: np.random.Generator) -> np.ndarray:
    """Return the trials with one parameter's values dealt anew among those in which it is active."""
    copy = inputs.copy()
    active = np.flatnonzero(~np.isnan(copy[:, column]))
    copy[active, column] = rng.permutation(copy[active, column])
    return copy
