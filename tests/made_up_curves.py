"""Tables of learning curves that tests of the replay share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import replay
from benchmarks.curve_tables import CurveTable, read
from benchmarks.replay_measures import CURVE_AFTER, REGRET_AFTER, Outcome, ratios, summary


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


def recorded(methods: Sequence[str], *, repeats: int, commit: str = "0000000") -> dict[str, Any]:
    """Return a record of a replay of two tables, as `benchmarks.replay` writes it, of outcomes that were made up."""
    rng = np.random.default_rng(0)
    found: dict[str, dict[str, list[Outcome]]] = {}
    for table in ("one", "two"):
        found[table] = {}
        for number, method in enumerate(methods):
            curves = [{after: rng.uniform(0.5, 1.5) * (number + 1) / after**2 for after in CURVE_AFTER} for _ in range(repeats)]
            found[table][method] = [
                Outcome(top1=10.0 + repeat, top5=5.0, regret={after: curve[after] for after in REGRET_AFTER}, curve=curve)
                for repeat, curve in enumerate(curves)
            ]
    measured = {"repeats": repeats, "commit": commit, "machine": "x", "versions": {}, "wall_s": 1.0}
    reference = {table: by_method.get(replay.REFERENCE, []) for table, by_method in found.items()}
    return {
        "tables": {table: {method: summary(by_method[method], rng) for method in methods} for table, by_method in found.items()},
        "ratios": {
            method: ratios({table: by_method[method] for table, by_method in found.items()}, reference, rng)
            for method in methods
            if replay.REFERENCE in methods
        },
        "about": {
            "reference": replay.REFERENCE,
            "rows": {"one": [60, 27], "two": [100, 50]},
            "seed": 0,
            "num_workers": 4,
            "budget": 40,
            "proposals": {method: text for method, text in replay.PROPOSE.items() if method in methods},
            "methods": dict.fromkeys(methods, measured),
            **measured,
        },
    }
