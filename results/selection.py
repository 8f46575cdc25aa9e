"""Rows of a leaderboard, chosen and ordered: at one epoch, undominated, by a condition, by a column. Arrow in, Arrow out."""

import difflib
import math
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from results.derived import About
from results.errors import BadQuestion


def at_epoch(board: pa.Table, curves: pa.Table, epoch: int) -> pa.Table:
    """Return the trials that were trained for so many epochs, ranked by the metric at that epoch: like with like.

    `rank`, `rung_epochs` and `score` are those of that epoch; everything else stays. A trial whose metric is not finite there has no
    rank. Equal scores are ordered by trial.

    Raises:
        BadQuestion: No trial was trained for so long.
    """
    about = About.of(board)
    reached = zip(*(curves[name].to_pylist() for name in ("trial", "epoch", about.metric)), strict=True)
    scores = {trial: score for trial, of_epoch, score in reached if of_epoch == epoch}
    if not scores:
        longest = max(curves["epoch"].to_pylist(), default=0)
        raise BadQuestion(f"--at-epoch {epoch}: no trial was trained for so long, the longest has {longest} epochs")
    trials = board["trial"].to_pylist()
    there = sorted((row for row, trial in enumerate(trials) if trial in scores), key=lambda row: trials[row])
    finite = [row for row in there if (score := scores[trials[row]]) is not None and math.isfinite(score)]
    finite.sort(key=lambda row: scores[trials[row]], reverse=about.mode == "max")  # equals stay as they stood, in both directions
    ranked = set(finite)
    rows = _take(board, [*finite, *(row for row in there if row not in ranked)])
    told = {"rank": range(1, len(finite) + 1), "score": [scores[trials[row]] for row in finite]}
    for name, values in {**told, "rung_epochs": [epoch] * len(there)}.items():
        place, field = rows.schema.get_field_index(name), rows.schema.field(name)
        rows = rows.set_column(place, field, [_numbers(values, field.type), pa.nulls(len(there) - len(values), field.type)])
    return rows


def pareto(board: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return the trials that no other trial beats in all of these columns at once, in the table's order.

    Raises:
        BadQuestion: A column is not there, or not a number.
    """
    import numpy as np

    from results.analysis import pareto as analysis

    about = About.of(board)
    names = [_known(board, name, "--pareto") for name in columns]
    for name in names:
        if not (pa.types.is_integer(board.schema.field(name).type) or pa.types.is_floating(board.schema.field(name).type)):
            raise BadQuestion(f"--pareto {name}: not a number, must be a column of numbers, such as score, parameters or wall_s")
    sign = 1 if about.mode == "max" else -1
    points = np.array([board[name].to_pylist() for name in names], dtype=float).T
    stands = analysis.undominated(points, analysis.directions(names, metric=about.metric, sign=sign))
    return _take(board, np.flatnonzero(stands).tolist())


def where(board: pa.Table, names: Sequence[str], holds: Callable[[Callable[[str], Any]], bool]) -> pa.Table:
    """Return the rows of which a condition holds.

    Args:
        board: The table.
        names: The columns that the condition asks for; searched parameters by their paths.
        holds: The condition; it is given what returns the value of a name in the row at hand, None where it is missing.

    Raises:
        BadQuestion: A column is not there.
    """
    columns = {name: board[_known(board, name, "--where")].to_pylist() for name in names}

    def row(index: int) -> Callable[[str], Any]:
        return lambda name: columns[name][index]

    return _take(board, [index for index in range(board.num_rows) if holds(row(index))])


def sort(board: pa.Table, column: str) -> pa.Table:
    """Return the rows by one column, ascending, or descending with a leading minus; missing values last, equals as they stood.

    Raises:
        BadQuestion: The column is not there.
    """
    name = _known(board, column.removeprefix("-"), "--sort")
    values = board[name].to_pylist()
    present = (i for i, value in enumerate(values) if value is not None)
    order = sorted(present, key=values.__getitem__, reverse=column.startswith("-"))  # equals stay as they stood, in both directions
    rest = [i for i, value in enumerate(values) if value is None]
    return _take(board, [*order, *rest])


def pick(board: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return these columns, in this order.

    Raises:
        BadQuestion: One is not there.
    """
    return board.select([_known(board, name, "--columns") for name in columns])


def _take(board: pa.Table, rows: Sequence[int]) -> pa.Table:
    return board.take(_numbers(rows, pa.int64()))


def _numbers(values: Sequence[float], kind: pa.DataType) -> pa.Array:
    """Return `pa.array` of int64 or float64 without its import of pandas, which takes longer than choosing among 10,000 trials."""
    buffer = pa.py_buffer(array("q" if pa.types.is_integer(kind) else "d", values))
    return pa.Array.from_buffers(kind, len(values), [None, buffer])


def _known(board: pa.Table, name: str, option: str) -> str:
    """Return the column of that name; a searched parameter may be called by its path, with or without its beginning."""
    for candidate in (name, f"config.{name}"):
        if candidate in board.column_names:
            return candidate
    endings = [column for column in board.column_names if column.startswith("config.") and column.endswith(f".{name}")]
    if len(endings) == 1:
        return str(endings[0])
    bare = [column.removeprefix("config.") for column in board.column_names]
    close = difflib.get_close_matches(name, bare, n=1)
    hint = f"did you mean {close[0]}?" if close else f"must be one of {', '.join(bare)}"
    raise BadQuestion(f"{option} {name}: no such column; {hint}")
