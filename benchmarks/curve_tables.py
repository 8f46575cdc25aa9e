"""Learning curves of a finished sweep, read from Parquet: what `benchmarks.replay` trains instead of networks.

Long form, one row per epoch: `trial`, `epoch` (1-based), `score` (higher is better; missing or not finite from the point where the run
diverged), `seed` (where a source repeats a trial; may be absent) and the hyperparameters as `config.<name>` (missing where one does
not apply).

- Of a trial that was repeated, the lowest seed counts.
- From its first missing or infinite score on, a run has diverged. So has one whose curve ends early: nobody knows how it went on.
- A run that diverged has the worst final score of the table and is never among the top.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from search_spaces.domains import Choice, Domain, LogUniform, Option, Uniform, Value
from search_spaces.settings import Parameter
from tuner.samplers.encoding import logarithmic

PREFIX = "config."


class TableError(ValueError):
    """A file is no table of learning curves; the message says what was seen and what is required."""


@dataclass(frozen=True)
class CurveTable:
    """The curves of one task. N rows, one for each configuration, T epochs.

    Attributes:
        name: The file's name without its suffix.
        scores_NT: float64, NaN from where a run diverged.
        values: The hyperparameters of each row; those that do not apply are absent.
        parameters: What each hyperparameter may be, its range and scale taken from the values that occur.
        num_repeated: Configurations of which the source has further seeds, which are not used.
    """

    name: str
    scores_NT: np.ndarray
    values: Sequence[dict[str, Value]]
    parameters: tuple[Parameter, ...]
    num_repeated: int

    @property
    def num_rows(self) -> int:
        """Return N."""
        return len(self.scores_NT)

    @property
    def max_epochs(self) -> int:
        """Return T."""
        return int(self.scores_NT.shape[1])

    @cached_property
    def curves(self) -> list[list[float | None]]:
        """Return the scores as plain numbers, None from where a run diverged."""
        return [[score if math.isfinite(score) else None for score in row] for row in self.scores_NT.tolist()]

    @cached_property
    def finals(self) -> np.ndarray:
        """Return the final scores, those that diverged as the worst that did not."""
        finals = self.scores_NT[:, -1]
        return np.where(np.isnan(finals), np.nanmin(finals), finals)

    @cached_property
    def span(self) -> float:
        """Return the distance from the median to the 99th percentile of the final scores, the unit of regret."""
        median, high = np.quantile(self.finals, [0.5, 0.99])
        return float(high - median)

    def top(self, share: float) -> frozenset[int]:
        """Return the rows than which fewer than this share of all rows are better: at least one, and all that tie with it."""
        finals = self.finals
        num_better_N = len(finals) - np.searchsorted(np.sort(finals), finals, side="right")
        return frozenset(np.flatnonzero((num_better_N < share * len(finals)) & ~np.isnan(self.scores_NT[:, -1])).tolist())

    def regret(self, row: int) -> float:
        """Return how far a row's final score is from the best, in units of `span`."""
        return float((self.finals.max() - self.finals[row]) / self.span)


def read(path: Path) -> CurveTable:
    """Read one table.

    Raises:
        TableError: It cannot be read, a column is missing or of the wrong type, or no ranking could be made from it.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise TableError(f"{path}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{path}: cannot be read as Parquet: {error}") from None
    trials, epochs = _numbers(table, "trial", path), _numbers(table, "epoch", path)
    scores = _numbers(table, "score", path, missing=True)
    seeds = _numbers(table, "seed", path) if "seed" in table.column_names else np.zeros(len(trials))
    names = [name for name in table.column_names if name.startswith(PREFIX)]
    if not names:
        raise TableError(f"{path}: no column begins with {PREFIX!r}; the hyperparameters must be there, as {PREFIX}<name>")
    if not len(trials):
        raise TableError(f"{path}: no rows")
    ids, row_of = np.unique(trials, return_inverse=True)
    lowest = np.full(len(ids), np.inf)
    np.minimum.at(lowest, row_of, seeds)
    kept = np.flatnonzero(seeds == lowest[row_of])
    scores_NT = _curves(ids, row_of[kept], epochs[kept], scores[kept], path)
    first_of = kept[np.unique(row_of[kept], return_index=True)[1]]
    listed = {
        name.removeprefix(PREFIX): [_plain(value) for value in table.column(name).take(pa.array(first_of)).to_pylist()] for name in names
    }
    found = CurveTable(
        name=path.stem,
        scores_NT=scores_NT,
        values=[{name: values[row] for name, values in listed.items() if values[row] is not None} for row in range(len(ids))],
        parameters=tuple(_parameter(name, values, path) for name, values in listed.items() if any(value is not None for value in values)),
        num_repeated=len(np.unique(row_of[seeds > lowest[row_of]])),
    )
    if not found.span > 0:
        raise TableError(f"{path}: the median of the final scores equals the 99th percentile; regret has no unit there")
    return found


def _numbers(table: pa.Table, name: str, path: Path, *, missing: bool = False) -> np.ndarray:
    if name not in table.column_names:
        raise TableError(f"{path}: no column {name!r}; it has {', '.join(table.column_names)}")
    column = table.column(name)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise TableError(f"{path}: column {name!r} is {column.type}, must be a number")
    numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if not missing and np.isnan(numbers).any():
        raise TableError(f"{path}: column {name!r} has missing values")
    return np.asarray(numbers)


def _curves(ids: np.ndarray, rows: np.ndarray, epochs: np.ndarray, scores: np.ndarray, path: Path) -> np.ndarray:
    """Return the curves as (N, T); see the module's docstring for what counts as diverged."""
    if not np.array_equal(epochs, np.floor(epochs)) or epochs.min() != 1:
        raise TableError(f"{path}: the smallest epoch is {epochs.min():g}; epochs must be whole numbers from 1 on")
    columns = epochs.astype(int) - 1
    counts_NT = np.zeros((len(ids), int(columns.max()) + 1), dtype=int)
    np.add.at(counts_NT, (rows, columns), 1)
    if (twice := np.argwhere(counts_NT > 1)).size:
        row, column = twice[0].tolist()
        raise TableError(f"{path}: trial {ids[row]:g} has epoch {column + 1} twice under one seed; one row per trial, seed and epoch")
    if (gaps := (np.diff(counts_NT, axis=1, prepend=1) > 0).any(axis=1) | (counts_NT[:, 0] == 0)).any():
        raise TableError(f"{path}: the curve of trial {ids[int(np.argmax(gaps))]:g} has a gap; every epoch up to its last is needed")
    scores_NT = np.full(counts_NT.shape, np.nan)
    scores_NT[rows, columns] = scores
    scores_NT[np.cumsum(~np.isfinite(scores_NT), axis=1) > 0] = np.nan
    if np.isnan(scores_NT[:, -1]).all():
        raise TableError(f"{path}: no run has a finite score at epoch {scores_NT.shape[1]}, the last")
    return scores_NT


def _plain(value: Any) -> Value:
    """Return a value as a table can hold it; NaN is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value if isinstance(value, bool | int | float | str) else str(value)


def _parameter(name: str, values: Sequence[Value], path: Path) -> Parameter:
    return Parameter(path=name, domain=_domain(name, values, path), conditions=(), keys=(name,), place=(name,))


def _domain(name: str, values: Sequence[Value], path: Path) -> Domain:
    """Return numbers as a range on the scale on which they lie more evenly, all else as a choice."""
    present = [value for value in values if value is not None]
    numbers = [value for value in present if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(present):
        return Choice(tuple(Option(option, option, index) for index, option in enumerate(sorted(set(present), key=str))))
    if not np.isfinite(numbers).all():
        raise TableError(f"{path}: {PREFIX}{name} has an infinite value")
    distinct = np.unique(np.array(numbers, dtype=float))
    low, high = float(distinct[0]), float(distinct[-1])
    return LogUniform(low, high) if logarithmic(distinct) else Uniform(low, high)
