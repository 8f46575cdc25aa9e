"""A sweep's two tables as data frames, and what their footer says: all that an analysis reads."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import pandas as pd
import pyarrow as pa

from results import curves, leaderboard, ranking
from results.columns import CURVE_COLUMNS
from results.derived import About
from results.storage import Storage

PREFIX = "config."

# Statuses of trials that say nothing about their configuration: what failed may have failed anywhere.
ACCIDENTS = frozenset({"failed", "out_of_memory"})


@dataclass(frozen=True)
class Frames:
    """The leaderboard, the curves, and what they say about themselves.

    Attributes:
        board: One row per trial, in rank order; the columns of `results.columns.COLUMNS`.
        curves: One row per trial and epoch, sorted by both; the columns of `CURVE_COLUMNS`.
        about: The sweep.
    """

    board: pd.DataFrame
    curves: pd.DataFrame
    about: About

    @classmethod
    def read(cls, storage: Storage) -> Self:
        """Return the tables of a stored sweep as they stand now. Errors as in `leaderboard.read_table`."""
        return cls.of(leaderboard.read_table(storage), curves.read_table(storage))

    @classmethod
    def of(cls, board: pa.Table, curves_table: pa.Table) -> Self:
        """Return two Arrow tables as frames; whole numbers stay whole where values are missing."""
        told = curves_table.to_pandas(use_threads=False)
        missing = {column.name: None for column in CURVE_COLUMNS if column.name not in told.columns}  # a file of an earlier release
        return cls(leaderboard.frame(board), told.assign(**missing), About.of(board))

    @property
    def sign(self) -> int:
        """Return +1 where the metric is maximised, -1 where it is minimised."""
        return ranking.sign(self.about.mode)

    @cached_property
    def parameters(self) -> list[str]:
        """Return the paths of the searched parameters, in the order of the sweep file."""
        return [str(name).removeprefix(PREFIX) for name in self.board.columns if str(name).startswith(PREFIX)]

    @cached_property
    def varied(self) -> list[str]:
        """Return the searched parameters in which at least two trials differ."""
        return [path for path in self.parameters if self.values(path).nunique(dropna=False) > 1]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Return the curves with the metric as `score` (NaN where it is not finite) and without the other metrics' names."""
        return self.curves.assign(score=self.curves[self.about.metric].where(self.curves[self.about.metric].abs() < float("inf")))

    @cached_property
    def judged(self) -> pd.DataFrame:
        """Return the trials that say something about their configuration, best first, with `standing`.

        `standing` is 1 for the best and falls to 0: the position in the leaderboard, rungs included, so that trials of different
        length are compared as the leaderboard compares them. Diverged trials share the lowest place; trials without a score yet, and
        those that an accident ended, are left out.
        """
        board = self.board
        judged = board[board["rank"].notna() | (board["status"] == "diverged")].copy()
        ranked = judged["rank"].notna()
        judged["standing"] = 0.0
        num_below = int((~ranked).sum())
        places = judged.loc[ranked, "rank"].astype(float).rank(ascending=False) - 1.0 + num_below
        judged.loc[ranked, "standing"] = places / max(1, len(judged) - 1)
        judged.loc[~ranked, "standing"] = max(0.0, (num_below - 1) / 2 / max(1, len(judged) - 1))
        return judged

    def values(self, path: str) -> pd.Series:
        """Return the values of a searched parameter, trial by trial; missing where it is inactive."""
        return self.board[PREFIX + path]


def is_numeric(values: pd.Series) -> bool:
    """Return whether a parameter is a number (truth values are not)."""
    return bool(pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values))
