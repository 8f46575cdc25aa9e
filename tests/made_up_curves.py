"""Tables of learning curves that tests of the replay share."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.curve_tables import CurveTable, read


def table_of(curves: list[list[float | None]], path: Path, **columns: list[Any]) -> Path:
    """Write curves, trial 0 onwards; a column has one value a trial."""
    rows = [(trial, epoch + 1, score) for trial, curve in enumerate(curves) for epoch, score in enumerate(curve)]
    data: dict[str, Any] = {"trial": [row[0] for row in rows], "epoch": [row[1] for row in rows], "score": [row[2] for row in rows]}
    for name, values in (columns or {"lr": [float(trial + 1) for trial in range(len(curves))]}).items():
        data[f"config.{name}"] = [values[row[0]] for row in rows]
    pq.write_table(pa.table(data), path / "table.parquet")
    return path / "table.parquet"


def made_up(num: int = 60, epochs: int = 27) -> list[list[float | None]]:
    """Curves that cross, a tenth of which diverge."""
    found: list[list[float | None]] = []
    for trial in range(num):
        quality, speed = (trial * 37 % num) / num, (trial * 17 % 23) / 23
        curve: list[float | None] = [quality * (1 - 0.9 * speed ** (epoch + 1)) for epoch in range(epochs)]
        found.append(curve if trial % 10 else [*curve[: trial // 3 + 1], *[None] * (epochs - trial // 3 - 1)])
    return found


def small_table(path: Path) -> CurveTable:
    """Return a table that other tests replay."""
    columns = {
        "lr": [10.0 ** -(1 + trial * 37 % 60 / 20) for trial in range(60)],
        "optimizer": [("sgd", "adam")[trial % 2] for trial in range(60)],
    }
    return read(table_of(made_up(), path, **columns))
