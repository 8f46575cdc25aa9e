"""Rows of a leaderboard, chosen and ordered: at one epoch, undominated, by a condition, by a column. Arrow in, Arrow out."""

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

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
    there = curves.filter(pc.equal(curves["epoch"], epoch))
    if not there.num_rows:
        longest = pc.max(curves["epoch"]).as_py() or 0
        raise BadQuestion(f"--at-epoch {epoch}: no trial was trained for so long, the longest has {longest} epochs")
    scores = dict(zip(there["trial"].to_pylist(), there[about.metric].to_pylist(), strict=True))
    rows = board.filter(pc.is_in(board["trial"], value_set=pa.array(list(scores))))
    found = [scores[trial] for trial in rows["trial"].to_pylist()]
    finite = [score is not None and abs(score) < float("inf") for score in found]
    better = -1 if about.mode == "max" else 1
    trials = rows["trial"].to_pylist()
    order = sorted(range(len(found)), key=lambda i: (not finite[i], better * found[i] if finite[i] else 0.0, trials[i]))
    rank = [place + 1 if finite[i] else None for place, i in enumerate(order)]
    rows = rows.take(pa.array(order, type=pa.int64()))
    columns = {"rank": rank, "rung_epochs": [epoch] * len(order), "score": [found[i] if finite[i] else None for i in order]}
    for name, values in columns.items():
        field = rows.schema.field(name)
        rows = rows.set_column(rows.schema.get_field_index(name), field, pa.array(values, type=field.type))
    return rows


def pareto(board: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return the trials that no other trial beats in all of these columns at once, in the table's order.

    Raises:
        BadQuestion: A column is not there, or not a number.
    """
    from results.analysis import pareto as analysis
    from results.leaderboard import frame

    about = About.of(board)
    names = [_known(board, name, "--pareto") for name in columns]
    for name in names:
        if not (pa.types.is_integer(board.schema.field(name).type) or pa.types.is_floating(board.schema.field(name).type)):
            raise BadQuestion(f"--pareto {name}: not a number, must be a column of numbers, such as score, parameters or wall_s")
    sign = 1 if about.mode == "max" else -1
    stands = analysis.undominated(frame(board), names, analysis.directions(names, metric=about.metric, sign=sign))
    return board.filter(pa.array(stands))


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

    return board.filter(pa.array([holds(row(index)) for index in range(board.num_rows)], type=pa.bool_()))


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
    return board.take(pa.array([*order, *rest], type=pa.int64()))


def pick(board: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return these columns, in this order.

    Raises:
        BadQuestion: One is not there.
    """
    return board.select([_known(board, name, "--columns") for name in columns])


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
