"""Rows -> aligned text, CSV, Markdown or JSON. Knows no sweep; prints nothing."""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

GAP = "  "
LEAST_PROSE = 20  # characters: a cell cut shorter than this says nothing, its column rather goes


@dataclass(frozen=True, slots=True)
class TextColumn:
    """One column of a table that people read.

    Attributes:
        header: Short; carries the unit.
        cells: One per row.
        right: Whether it is aligned to the right, as numbers are.
        spare: How readily it gives way where the terminal is narrow: the highest first; 0 stays always.
        longest: Characters of a cell; what is longer ends in an ellipsis, and is whole in every other format.
    """

    header: str
    cells: Sequence[str]
    right: bool = False
    spare: int = 0
    longest: int = 28

    @property
    def width(self) -> int:
        """Return its characters."""
        return max(map(len, (self.header, *self.cells)))


def fit(columns: Sequence[TextColumn], width: int | None) -> tuple[list[TextColumn], list[TextColumn]]:
    """Return the columns that fit side by side, in order, and those that had to give way; None is endlessly wide."""
    kept = [_cut(column, column.longest) for column in columns]
    dropped: list[TextColumn] = []
    while width is not None and (excess := sum(column.width + len(GAP) for column in kept) - len(GAP) - width) > 0:
        # Of equals the last gives way: the first parameters of a sweep file are the ones its author thought of first.
        _, index = max((column.spare, index) for index, column in enumerate(kept))
        if kept[index].spare == 0:
            break
        column = kept.pop(index)
        if column.width - excess >= LEAST_PROSE:
            kept.insert(index, _cut(column, column.width - excess))
        else:
            dropped.insert(0, column)
    return kept, dropped


def aligned(columns: Sequence[TextColumn]) -> list[str]:
    """Return the header's line and one line per row, columns aligned, no blanks at line ends."""
    widths = [column.width for column in columns]  # once: each looks at every cell

    def line(cells: Iterable[str]) -> str:
        places = zip(cells, columns, widths, strict=True)
        padded = (cell.rjust(width) if column.right else cell.ljust(width) for cell, column, width in places)
        return GAP.join(padded).rstrip()

    return [line(column.header for column in columns), *map(line, zip(*(column.cells for column in columns), strict=True))]


def shorten(text: str, width: int) -> str:
    """Return one line of at most so many characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1].rstrip() + "…"


def figures(values: Sequence[float | None]) -> list[str]:
    """Return numbers with three significant digits, aligned at the decimal point; empty for None.

    All in powers of ten where one of them is below 0.001 or from 100,000 on, so that a column reads the same way from top to bottom.
    """
    present = [abs(value) for value in values if value is not None and math.isfinite(value) and value]
    powers = bool(present) and (min(present) < 1e-3 or max(present) >= 1e5)
    return at_the_point([_figure(value, powers) for value in values])


def at_the_point(cells: Sequence[str]) -> list[str]:
    """Return number texts padded so that their decimal points stand below each other when aligned to the right."""
    tails = [len(cell) - cell.find(".") if "." in cell else 0 for cell in cells]
    longest = max(tails, default=0)
    return [cell + " " * (longest - tail) if cell else "" for cell, tail in zip(cells, tails, strict=True)]


def plain_columns(table: pa.Table) -> list[TextColumn]:
    """Return the columns of any table as they are, numbers to three digits and aligned at their points."""
    return [_plain_column(name, table[name]) for name in table.column_names]


def _plain_column(name: str, values: pa.ChunkedArray) -> TextColumn:
    cells = _cells(values)
    if pa.types.is_floating(values.type):
        return TextColumn(name, figures(cells), right=True, spare=1)
    texts = ["" if cell is None else str(cell) for cell in cells]
    return TextColumn(name, texts, right=pa.types.is_integer(values.type), spare=1)


def csv_text(table: pa.Table) -> str:
    """Return a table as CSV; null is empty, times are ISO 8601."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*(_cells(column) for column in table.columns), strict=True))
    return out.getvalue()


def json_text(table: pa.Table) -> str:
    """Return a table as a JSON list of objects, one a line; null where a number is missing or not finite."""
    names = table.column_names
    rows = zip(*(_json_cells(column) for column in table.columns), strict=True)
    objects = (json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows)
    return "[\n" + ",\n".join(objects) + "\n]\n"


def markdown(columns: Sequence[TextColumn]) -> str:
    """Return a table for a README or an issue."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |\n"

    rule = line("---:" if column.right else "---" for column in columns)
    rows = (line(cells) for cells in zip(*(column.cells for column in columns), strict=True))
    return line(column.header for column in columns) + rule + "".join(rows)


def _cut(column: TextColumn, width: int) -> TextColumn:
    return replace(column, cells=[shorten(cell, width) if len(cell) > width else cell for cell in column.cells])


def _figure(value: float | None, powers: bool) -> str:
    if value is None:
        return ""
    if not powers or not value or not math.isfinite(value):
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _cells(column: pa.ChunkedArray) -> list[Any]:
    """Return a column's values, times as ISO 8601. Arrow's own way with times brings in pandas, which takes longer than all the rest."""
    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    zone = UTC if column.type.tz else None
    start, microseconds = datetime(1970, 1, 1, tzinfo=zone), column.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64())
    return [None if value is None else (start + timedelta(microseconds=value)).isoformat() for value in microseconds.to_pylist()]


def _json_cells(column: pa.ChunkedArray) -> list[Any]:
    cells = _cells(column)
    if not pa.types.is_floating(column.type):
        return cells
    return [cell if cell is not None and math.isfinite(cell) else None for cell in cells]
