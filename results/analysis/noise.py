"""How much of a score is chance: seen between neighbouring epochs, and between seeds. The terminal asks too, so pandas is not imported."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from results.derived import About

if TYPE_CHECKING:
    from results.analysis.frames import Frames

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


def between_epochs(trials: np.ndarray, epochs: np.ndarray, scores: np.ndarray) -> Noise | None:
    """Return the spread of neighbouring epochs around the parabola through them; None where the curves are too short.

    The third difference of four neighbours has variance (1 + 9 + 9 + 1) sd^2, and no share of a level, a slope or a bend. The spread
    between seeds is usually larger: what an initialisation decides stays decided over the epochs.

    Args:
        trials: Trial of each row of the curves, sorted by trial and epoch; any type that compares.
        epochs: Its epoch, 1-based and without gaps.
        scores: The metric there; NaN where it is not finite.
    """
    if len(trials) < 4:
        return None
    starts = np.flatnonzero(np.r_[True, trials[1:] != trials[:-1]])
    length = np.repeat(np.diff(np.r_[starts, len(trials)]), np.diff(np.r_[starts, len(trials)]))
    late = (length >= MIN_EPOCHS) & (epochs > np.floor(length * LATE))
    alike = (trials[3:] == trials[:-3]) & late[:-3]
    found = np.diff(scores, n=3)[alike]
    found = found[np.isfinite(found)]
    if len(found) < MIN_PAIRS:
        return None
    return Noise(sd=float(np.sqrt(np.mean(found**2) / 20)), n=len(found), source="epochs")


def between_seeds(frames: "Frames") -> Noise | None:
    """Return the spread between trials that differ in their seed alone, at the same rung; None where there are too few."""
    board = frames.board[frames.board["rank"].notna()]
    others = [name for name in board.columns if str(name).startswith("config.") and name != "config.seed"]
    squares, free, n = 0.0, 0, 0
    for _, group in board.groupby([*others, "rung_epochs"], dropna=False, observed=True):
        if group["seed"].nunique() > 1:
            scores = group["score"].to_numpy(dtype=float)
            squares += float(((scores - scores.mean()) ** 2).sum())
            free += len(scores) - 1
            n += len(scores)
    return Noise(sd=float(np.sqrt(squares / free)), n=n, source="seeds") if free >= MIN_PAIRS - 1 else None


def tied(board: pa.Table, curves: pa.Table) -> int:
    """Return how many of the first rows of a leaderboard chance alone may have ordered; see `num_tied`.

    Args:
        board: The leaderboard, of which `rank`, `rung_epochs` and `score` are read.
        curves: The curves: `trial`, `epoch` and the metric.
    """
    ranked = board.filter(pc.is_valid(board["rank"]))
    trials = _numbers(pc.dictionary_encode(curves["trial"].combine_chunks()).indices)
    noise = between_epochs(trials, _numbers(curves["epoch"]), _numbers(curves[About.of(board).metric]))
    return num_tied(ranked["rung_epochs"].to_pylist(), ranked["score"].to_pylist(), noise)


def num_tied(rungs: Sequence[int], scores: Sequence[float], noise: Noise | None) -> int:
    """Return how many of the first rows of a leaderboard are at one rung and within noise of the first: 1 where none but itself is.

    Args:
        rungs: The rung of each ranked row, best first.
        scores: The score of each.
        noise: Of one score; None where it is unknown.
    """
    if noise is None or not rungs:
        return len(rungs[:1])
    near = (rung == rungs[0] and not noise.distinguishes(scores[0], score) for rung, score in zip(rungs, scores, strict=True))
    return sum(1 for _ in itertools.takewhile(bool, near))


def _numbers(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a column as floats, NaN where it is null.

    Arrow's own way to numpy, and a scalar to fill with, would import pandas, which takes longer than all the rest.
    """
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.where(_memory(pc.is_valid(whole)), _memory(whole), np.nan)


def _memory(values: pa.Array) -> np.ndarray:
    """Return what lies in an array's memory, as floats; where it is null, anything."""
    floats = values.cast(pa.int8()).cast(pa.float64()) if pa.types.is_boolean(values.type) else values.cast(pa.float64())
    if not len(floats):  # there may be no memory at all
        return np.empty(0)
    return np.frombuffer(floats.buffers()[1], dtype=np.float64, count=len(floats), offset=8 * floats.offset)
