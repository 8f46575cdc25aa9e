"""What each value of a parameter did to a trial's standing, taken by itself."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from results.analysis.frames import Frames, is_numeric

MAX_BINS = 6  # of a number's range; each holds about as many trials
RESAMPLES = 1_000  # of the bootstrap behind each interval
COLUMNS = ["parameter", "value", "low_value", "high_value", "n", "standing", "low", "high", "diverged", "best_trial", "best_score"]


def effects(frames: Frames, *, seed: int = 0) -> pd.DataFrame:
    """Return one row per parameter and value, or bin of values, in which trials differ.

    Columns: `parameter`; `value`, as text; `low_value`, `high_value` of a bin (NaN for a category); `n` trials; `standing`, their mean
    place in the leaderboard on 0 (last) to 1 (first), with a 95 % bootstrap interval `low` to `high` (NaN for fewer than 3); `diverged`
    trials among them; `best_trial` and `best_score`. Other parameters are not held constant. A parameter of few values, up to `MAX_BINS`,
    is not binned.
    """
    rng = np.random.default_rng(seed)
    rows = [
        {"parameter": path, **label, **_summary(trials, rng)}
        for path in frames.varied
        for label, trials in _groups(frames.judged, frames.judged[f"config.{path}"])
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _groups(judged: pd.DataFrame, values: pd.Series) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    values = values.dropna()
    if is_numeric(values) and values.nunique() > MAX_BINS:
        numbers = values.astype(float)
        num_bins = min(MAX_BINS, max(2, len(numbers) // 5))
        for _, members in numbers.groupby(pd.qcut(numbers, num_bins, duplicates="drop"), observed=True):
            low, high = float(members.min()), float(members.max())
            yield {"value": f"{low:.3g} to {high:.3g}", "low_value": low, "high_value": high}, judged.loc[members.index]
        return
    for value, members in values.groupby(values, sort=True):
        yield (
            {"value": f"{value:g}" if is_numeric(values) else str(value), "low_value": np.nan, "high_value": np.nan},
            judged.loc[members.index],
        )


def _summary(trials: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    standing = trials["standing"].to_numpy()
    low, high = np.nan, np.nan
    if len(standing) >= 3:
        means = rng.choice(standing, size=(RESAMPLES, len(standing))).mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
    best = trials.iloc[0] if len(trials) and pd.notna(trials["rank"].iloc[0]) else None
    return {
        "n": len(trials),
        "standing": float(standing.mean()),
        "low": float(low),
        "high": float(high),
        "diverged": int((trials["status"] == "diverged").sum()),
        "best_trial": None if best is None else str(best["trial"]),
        "best_score": np.nan if best is None else float(best["score"]),
    }
