"""What the report's page knows of each trial: the table, the curves, what was decided and why. Columnar and rounded, ready for JSON."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from results.analysis.frames import PREFIX, Frames, is_numeric
from results.columns import COLUMNS
from results.history import History, TrialRecord

# Curves are whole numbers of this part: 0.01 % of an accuracy, a ten-thousandth of a nat; finer than a pixel, and half the bytes.
SCALE = 10_000
CURVES = ("val_accuracy", "val_loss", "train_accuracy", "train_loss")

# Significant digits of a number in the table; scores of 50,000 images need five.
DIGITS = 6

# A number spanning more than this factor is drawn on a logarithmic axis.
LOG_FACTOR = 20

# Columns of the table: id -> (header, how it is shown, whether it is shown at first). `fraction` becomes per cent.
_SHOWN: Mapping[str, tuple[str, str, bool]] = {
    "rank": ("rank", "count", True),
    "score": ("score", "metric", True),
    "best_score": ("best", "metric", True),
    "rung_epochs": ("rung", "rung", True),
    "epochs": ("epochs", "count", False),
    "parameters": ("parameters", "count", True),
    "status": ("status", "status", True),
    "best_epoch": ("best epoch", "count", False),
    "last_score": ("last", "metric", False),
    "val_accuracy": ("val accuracy", "fraction", False),
    "val_loss": ("val loss", "number", False),
    "train_accuracy": ("train accuracy", "fraction", False),
    "train_loss": ("train loss", "number", False),
    "flops_per_image": ("FLOPs per image", "number", False),
    "device_s": ("device time", "seconds", False),
    "wall_s": ("time", "seconds", False),
    "images_per_s": ("images/s", "number", False),
    "peak_memory_bytes": ("memory", "bytes", False),
    "host": ("host", "text", False),
    "device": ("device", "text", False),
    "seed": ("seed", "text", False),
    "started_at": ("started", "time", False),
    "ended_at": ("ended", "time", False),
    "reason": ("reason", "text", False),
    "tags": ("tags", "text", True),
    "notes": ("notes", "text", False),
}


def parameters(frames: Frames) -> list[dict[str, Any]]:
    """Return what is known of each searched parameter, in the order of the sweep file.

    Keys: `path`; `label`, the shortest ending of the path that means no other; `number`, whether it is one; `log`, whether its axis is
    logarithmic; `values`, the categories in order, where it is none; `varies`.
    """
    labels = short_names(frames.parameters)
    varied = set(frames.varied)
    found = []
    for path in frames.parameters:
        values = frames.values(path).dropna()
        about: dict[str, Any] = {"path": path, "label": labels[path], "number": is_numeric(values), "varies": path in varied}
        if about["number"]:
            low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
            about["log"] = low > 0 and high / low > LOG_FACTOR
        else:
            about["values"] = sorted({shown(value) for value in values})
        found.append(about)
    return found


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """Return path -> the shortest ending of it that means no other one."""
    parts = {path: path.split(".") for path in paths}

    def short(path: str) -> str:
        for length in range(1, len(parts[path])):
            if sum(other[-length:] == parts[path][-length:] for other in parts.values()) == 1:
                return ".".join(parts[path][-length:])
        return path

    return {path: short(path) for path in paths}


def table(frames: Frames, about_parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the leaderboard: `columns`, a description each, and `values`, id -> one value a trial, in rank order."""
    meanings = {column.name: (column.unit, column.meaning) for column in COLUMNS}
    columns: list[dict[str, Any]] = []
    values: dict[str, list[Any]] = {"trial": [str(trial) for trial in frames.board["trial"]]}
    metric_kind = "fraction" if frames.about.metric.endswith("accuracy") else "number"
    for name, (label, shown_as, on) in _SHOWN.items():
        if name not in frames.board.columns:  # a file of an earlier release
            continue
        cells = rounded(frames.board[name])
        empty = all(cell is None for cell in cells)
        kind = metric_kind if shown_as == "metric" else shown_as
        unit, meaning = meanings[name]
        columns.append({"id": name, "label": label, "kind": kind, "unit": unit, "meaning": meaning, "on": on and not empty, "empty": empty})
        values[name] = cells
    for parameter in about_parameters:
        name = PREFIX + parameter["path"]
        cells = rounded(frames.board[name])
        kind = "number" if parameter["number"] else "text"
        meaning = f"Searched parameter {parameter['path']}. Empty where inactive."
        described = {"label": parameter["label"], "kind": kind, "unit": "", "meaning": meaning, "on": parameter["varies"], "empty": False}
        columns.append({"id": name, **described, "varies": parameter["varies"]})
        values[name] = cells if parameter["number"] else [None if cell is None else shown(cell) for cell in cells]
    hidden = frames.board["hidden"] if "hidden" in frames.board.columns else pd.Series(False, index=frames.board.index)
    values["hidden"] = [bool(cell) for cell in hidden.fillna(False)]
    return {"columns": columns, "values": values}


def rounded(column: pd.Series) -> list[Any]:
    """Return a column's values as JSON has them: times as whole seconds since 1970, None where there is none."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return [None if pd.isna(moment) else int(moment.timestamp()) for moment in column]
    if pd.api.types.is_float_dtype(column):
        return [significant(value) for value in column.to_numpy(dtype=float, na_value=np.nan).tolist()]
    return [None if pd.isna(value) else getattr(value, "item", lambda value=value: value)() for value in column]


def significant(value: float | None, digits: int = DIGITS) -> float | int | None:
    """Return a number with so many significant digits; None where it is none."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def shown(value: object) -> str:
    """Return a category as people read it."""
    return ("yes" if value else "no") if isinstance(value, (bool, np.bool_)) else str(value)


def curves(frames: Frames) -> dict[str, Any]:
    """Return metric -> one list a trial, in rank order: the value at epochs 1, 2, ... as whole numbers of 1 / `scale`; null is a gap."""
    told = frames.curves
    order = {trial: place for place, trial in enumerate(frames.board["trial"])}
    told = told[told["trial"].isin(order)]
    places = told["trial"].map(order).to_numpy(dtype=int)
    epochs = told["epoch"].to_numpy(dtype=int)
    found: dict[str, Any] = {"scale": SCALE}
    for metric in CURVES:
        numbers = told[metric].to_numpy(dtype=float)
        finite = np.isfinite(numbers)
        if not finite.any():  # nobody measured it
            continue
        whole = np.rint(np.where(finite, numbers, 0.0) * SCALE).astype(np.int64).tolist()
        rows: list[list[int | None]] = [[] for _ in order]
        for place, epoch, value, known in zip(places.tolist(), epochs.tolist(), whole, finite.tolist(), strict=True):
            row = rows[place]
            row.extend([None] * (epoch - 1 - len(row)))
            row.append(value if known else None)
        found[metric] = rows
    return found


def details(history: History, trials: Sequence[str]) -> dict[str, Any]:
    """Return what the panel of a trial tells beyond the table.

    Keys: `common`, flattened field -> value of all configurations; `trials`, one object each in the order asked for: `config` (the
    fields that are not common), `source`, `draw`, `decisions` (epoch, score, action, cut-off, reason), `segments` (attempt, from, until,
    why, at, how it was lost), `log`, `checkpoint`.
    """
    flat = {trial: dict(_flattened(history.trials[trial].config)) for trial in trials if trial in history.trials}
    first = next(iter(flat.values()), {})
    missing = object()
    common = {name: value for name, value in first.items() if all(config.get(name, missing) == value for config in flat.values())}
    if len(flat) == 1:
        common = {}  # of one trial everything is its own
    told = []
    for trial in trials:
        record = history.trials.get(trial)
        own = {name: value for name, value in flat.get(trial, {}).items() if name not in common}
        told.append({} if record is None else {"config": own, **_record(record)})
    return {"common": common, "trials": told}


def _record(record: TrialRecord) -> dict[str, Any]:
    lost = {loss.attempt: loss.reason for loss in record.losses}
    content = {
        "source": record.source,
        "draw": record.draw,
        "decisions": [
            [fact.epoch, significant(fact.score), fact.action, significant(fact.cutoff), fact.reason] for fact in record.decisions
        ],
        "segments": [
            [launch.attempt, launch.from_epoch + 1, launch.until_epoch, launch.why, launch.at[:19], lost.get(launch.attempt, "")]
            for launch in record.attempts
        ],
        "log": list(record.ended.log_tail) if record.ended is not None else [],
        "checkpoint": record.checkpoint,
    }
    return {name: value for name, value in content.items() if value not in (None, [], "")}


def _flattened(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        elif value is not None:
            yield prefix + name, value if isinstance(value, str) else json.dumps(value)
