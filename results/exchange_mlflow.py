"""Trials as runs of an MLflow file store: `mlflow ui --backend-store-uri FOLDER`, or `mlflow migrate-filestore` into a database.

Written without mlflow: the layout of the store is frozen (since MLflow 3.7 it "will not receive further updates"), importing mlflow takes
seconds, and its own writer gives every export new run ids, where here a trial keeps its id, so that links to a run outlive the next export.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from results.derived import About

METRICS = ("val_accuracy", "val_loss", "train_accuracy", "train_loss", "lr", "images_per_s", "wall_s", "device_s")
FIGURES = ("score", "best_score", "rung_epochs", "rank", "parameters", "flops_per_image", "epochs")  # of the leaderboard, one value a run
LONGEST = 6000  # characters of a parameter that MLflow keeps

# Numbers of mlflow.entities.RunStatus.
_RUNNING, _SCHEDULED, _FINISHED, _FAILED, _KILLED = 1, 2, 3, 4, 5
_STATUSES = {
    "pending": _SCHEDULED,
    "running": _RUNNING,
    "paused": _KILLED,  # MLflow has no word for a trial that was ended early and might go on
    "stopped": _KILLED,
    "completed": _FINISHED,
}
_PREFIX = "config."
_NOT_ALLOWED = re.compile(r"[^\w. -]|^\.+")  # in the name of a parameter, which is a file's name


def experiment_id(sweep: str) -> str:
    """Return the id of a sweep's experiment: always the same, 18 digits."""
    return str(10**17 + int(hashlib.sha256(sweep.encode()).hexdigest(), 16) % (9 * 10**17))


def run_id(sweep_hash: str, trial: str) -> str:
    """Return the id of a trial's run: always the same, 32 hexadecimal digits, as MLflow demands."""
    return hashlib.sha256(f"{sweep_hash}/{trial}".encode()).hexdigest()[:32]


def look(folder: Path) -> str:
    """Return the command that shows a store."""
    return f"MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {shlex.quote(str(folder))}"


def write_store(folder: Path) -> None:
    """Make a folder a store, as MLflow does with the first one that it is given; one that is a store already stays as it is."""
    default = folder / "0"
    if not default.exists():
        default.mkdir(parents=True)
        _experiment(default, "0", "Default", default.absolute().as_uri(), 0)


def write(folder: Path, board: pa.Table, curves: pa.Table, *, final_place: Path) -> None:
    """Write a sweep's experiment.

    Args:
        folder: Where to write.
        board: The leaderboard.
        curves: The curves.
        final_place: Where the folder will lie: MLflow keeps the address of artifacts.
    """
    about, rows = About.of(board), board.to_pylist()
    began = min((row["started_at"] for row in rows if row["started_at"] is not None), default=None)
    address = final_place.absolute().as_uri()
    _experiment(folder, final_place.name, about.sweep, address, _milliseconds(began) or 0)
    told: dict[str, list[dict[str, Any]]] = {}
    for epoch in curves.to_pylist():
        told.setdefault(epoch["trial"], []).append(epoch)
    for row in rows:
        _run(folder, row, told.get(row["trial"], []), about, address)


def _experiment(folder: Path, number: str, name: str, address: str, created_ms: int) -> None:
    meta = {"artifact_location": address, "creation_time": created_ms, "experiment_id": number, "last_update_time": created_ms}
    _yaml(folder / "meta.yaml", meta | {"lifecycle_stage": "active", "name": name})


def _run(folder: Path, row: Mapping[str, Any], epochs: list[dict[str, Any]], about: About, address: str) -> None:
    number = run_id(about.sweep_hash, row["trial"])
    run = folder / number
    for part in ("artifacts", "metrics", "params", "tags"):
        (run / part).mkdir(parents=True)
    start = _milliseconds(row["started_at"]) or 0
    last = _milliseconds(epochs[-1]["at"]) if epochs else start
    meta = {
        "artifact_uri": f"{address}/{number}/artifacts",
        "end_time": _milliseconds(row["ended_at"]) or (None if row["status"] in {"running", "pending"} else last),
        "entry_point_name": "",
        "experiment_id": address.rpartition("/")[2],
        "lifecycle_stage": "active",
        "run_id": number,
        "run_name": row["trial"],
        "source_name": "",
        "source_type": 4,
        "source_version": about.commit,
        "start_time": start,
        "status": _STATUSES.get(row["status"], _FAILED),
        "tags": [],
        "user_id": "",
    }
    _yaml(run / "meta.yaml", meta)
    for name, value in row.items():
        if name.startswith(_PREFIX) and value is not None:
            _text(run / "params" / _NOT_ALLOWED.sub("_", name.removeprefix(_PREFIX)), str(value)[:LONGEST])
    for name in METRICS:
        lines = [f"{_milliseconds(epoch['at'])} {epoch[name]!r} {epoch['epoch']}\n" for epoch in epochs if epoch.get(name) is not None]
        if lines:
            _text(run / "metrics" / name, "".join(lines))
    for name in FIGURES:
        if row.get(name) is not None:
            _text(run / "metrics" / ("final_epochs" if name == "epochs" else name), f"{last} {row[name]!r} {row['epochs']}\n")
    tags = {
        "mlflow.runName": row["trial"],
        "mlflow.source.name": "shortlist",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": row.get("notes"),
        "shortlist.sweep": about.sweep,
        "shortlist.sweep_hash": about.sweep_hash,
        "shortlist.config_hash": row["config_hash"],
        "shortlist.status": row["status"],
        "shortlist.reason": row["reason"],
        "shortlist.tags": row.get("tags"),
    }
    for name, value in tags.items():
        if value:
            _text(run / "tags" / name, value)


def folder_name(address: str) -> str:
    """Return the last part of an address."""
    return address.rstrip("/").rpartition("/")[2]


def _yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a flat mapping; JSON's scalars are YAML's."""
    _text(path, "".join(f"{name}: {json.dumps(value)}\n" for name, value in sorted(content.items())))


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
