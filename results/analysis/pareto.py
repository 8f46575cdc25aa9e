"""Trials that nothing beats in everything at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# What people want more of; of everything else in the table less is better.
MORE_IS_BETTER = frozenset({"val_accuracy", "train_accuracy", "images_per_s"})


def directions(columns: Sequence[str], *, metric: str, sign: int) -> list[int]:
    """Return +1 for each column of which more is better, -1 for the others.

    Args:
        columns: Names of the leaderboard's columns.
        metric: The sweep's objective; `score`, `best_score` and `last_score` are measured by it.
        sign: +1 where the objective is maximised.
    """
    return [sign if name in {"score", "best_score", "last_score", metric} else 1 if name in MORE_IS_BETTER else -1 for name in columns]


def undominated(points: npt.NDArray[np.float64], signs: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Say for each row whether no other row is at least as good in every column and better in one.

    Rows with a missing value are dominated. Equal rows stand or fall together. Takes n log n for two columns, n times the size of the
    front for more.

    Args:
        points: Shape (rows, columns); missing values are NaN.
        signs: +1 for each column of which more is better, -1 for the others.

    Returns:
        Shape (rows,).
    """
    points = points * np.asarray(signs, dtype=float)
    stands = np.zeros(len(points), dtype=bool)
    whole = np.flatnonzero(~np.isnan(points).any(axis=1))
    order = whole[np.lexsort(points[whole].T[::-1])[::-1]]  # by the first column, best first, ties by the next
    front = np.empty((0, points.shape[1]))
    for row in order:
        point = points[row]
        at_least = (front >= point).all(axis=1)
        if not (at_least & (front > point).any(axis=1)).any():
            stands[row] = True
            front = np.vstack([front, point])
    return stands
