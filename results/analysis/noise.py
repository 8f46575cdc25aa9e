"""How much of a score is chance: seen between neighbouring epochs, and between seeds."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.frames import PREFIX, Frames

MIN_EPOCHS = 6  # of a curve, for its wiggle to be told from its slope
LATE = 1 / 3  # what comes after this share of a curve, where it is nearly a parabola
MIN_PAIRS = 4

# Two scores whose difference is less than this many standard deviations of it are not told apart (95 %, two-sided).
Z = 1.96


@dataclass(frozen=True, slots=True)
class Noise:
    """The spread of one score around what the configuration would give on average.

    Attributes:
        sd: Standard deviation, in units of the metric.
        n: Third differences, or trials, that it rests on.
        source: `epochs` or `seeds`.
    """

    sd: float
    n: int
    source: str

    def distinguishes(self, first: float, second: float) -> bool:
        """Return whether two single scores differ by more than chance would make them."""
        return abs(first - second) > Z * math.sqrt(2.0) * self.sd


def between_epochs(frames: Frames) -> Noise | None:
    """Return the spread of neighbouring epochs around the parabola through them; None where the curves are too short.

    The third difference of four neighbours has variance (1 + 9 + 9 + 1) sd^2, and no share of a level, a slope or a bend. The spread
    between seeds is usually larger: what an initialisation decides stays decided over the epochs.
    """
    deviations = []
    for _, curve in frames.scores.groupby("trial", sort=True)["score"]:
        scores = curve.to_numpy(dtype=float)
        if len(scores) < MIN_EPOCHS or np.isnan(scores).any():
            continue
        late = scores[int(len(scores) * LATE) :]
        deviations.append(np.diff(late, n=3))
    found = np.concatenate(deviations) if deviations else np.empty(0)
    if len(found) < MIN_PAIRS:
        return None
    return Noise(sd=float(np.sqrt(np.mean(found**2) / 20)), n=len(found), source="epochs")


def between_seeds(frames: Frames) -> Noise | None:
    """Return the spread between trials that differ in their seed alone, at the same rung; None where there are too few."""
    board = frames.board[frames.board["rank"].notna()]
    others = [name for name in board.columns if str(name).startswith(PREFIX) and name != f"{PREFIX}seed"]
    squares, free, n = 0.0, 0, 0
    for _, group in board.groupby([*others, "rung_epochs"], dropna=False, observed=True):
        if group["seed"].nunique() > 1:
            scores = group["score"].to_numpy(dtype=float)
            squares += float(((scores - scores.mean()) ** 2).sum())
            free += len(scores) - 1
            n += len(scores)
    return Noise(sd=float(np.sqrt(squares / free)), n=n, source="seeds") if free >= MIN_PAIRS - 1 else None


def tied_leaders(frames: Frames, noise: Noise | None) -> list[str]:
    """Return the trials at the leader's rung whose scores are within noise of the leader's, itself first; only itself where none is."""
    ranked: pd.DataFrame = frames.board[frames.board["rank"].notna()]
    if ranked.empty:
        return []
    leader = ranked.iloc[0]
    peers = ranked[ranked["rung_epochs"] == leader["rung_epochs"]]
    if noise is None:
        return [str(leader["trial"])]
    near = [not noise.distinguishes(float(leader["score"]), float(score)) for score in peers["score"]]
    return [str(trial) for trial in peers["trial"][near]]
