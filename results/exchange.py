"""A stored sweep for other tools: CSV, JSON, Parquet, TensorBoard's event files, MLflow's file store.

Each export is one folder below the one that is named, so that many sweeps share it: `<folder>/<sweep>/`, or the sweep's experiment in an
MLflow store. It is written aside and put in place when it is whole; an earlier export of the same sweep is replaced, anything else is left
alone.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pyarrow.parquet as pq

from results import curves, exchange_mlflow, exchange_tensorboard, leaderboard, tables
from results.derived import About
from results.errors import CannotExport
from results.storage import Storage

_SAFE = re.compile(r"[\w.=@+-]{1,200}")

MARK = ".shortlist-export.json"  # in each export: whose it is


class Form(StrEnum):
    """What a sweep can be exported to."""

    csv = "csv"
    json = "json"
    parquet = "parquet"
    tensorboard = "tensorboard"
    mlflow = "mlflow"


@dataclass(frozen=True, slots=True)
class Export:
    """What was written.

    Attributes:
        folder: Where it lies.
        form: In which form.
        trials: Trials in it.
        epochs: Rows of their curves.
        replaced: Whether an earlier export was there.
        look: The command that shows it; empty where there is none.
    """

    folder: Path
    form: Form
    trials: int
    epochs: int
    replaced: bool
    look: str


def export(storage: Storage, form: Form, folder: Path) -> Export:
    """Write a sweep, as its tables are now, below a folder; the same twice leaves what one leaves.

    Raises:
        NotASweep: There is neither a table nor a journal.
        CannotExport: Something else lies where the export belongs, or the package that it takes is not installed.
        OSError: The folder cannot be written.
    """
    board, told = leaderboard.read_table(storage), curves.read_table(storage)
    about = About.of(board)
    for part in (about.sweep, *board["trial"].to_pylist()):  # a table can come from anywhere, and these become names of folders
        if _SAFE.fullmatch(part) is None or part.startswith("."):
            raise CannotExport(f"{part!r} cannot be the name of a folder, must be letters, digits and _ . = @ + -; the table is not ours")
    name = exchange_mlflow.experiment_id(about.sweep) if form is Form.mlflow else about.sweep
    target = folder / name
    with _whole(target, {"sweep": about.sweep, "sweep_hash": about.sweep_hash, "form": str(form)}) as (aside, replaced):
        match form:
            case Form.csv:
                _write(aside / "leaderboard.csv", tables.csv_text(board))
                _write(aside / "curves.csv", tables.csv_text(told))
            case Form.json:
                _write(aside / "leaderboard.json", tables.json_text(board))
                _write(aside / "curves.json", tables.json_text(told))
            case Form.parquet:
                for file, table in ((leaderboard.NAME, board), (curves.NAME, told)):
                    pq.write_table(table, aside / file, compression="zstd")
            case Form.tensorboard:
                exchange_tensorboard.write(aside, board, told)
            case Form.mlflow:
                exchange_mlflow.write_store(folder)
                exchange_mlflow.write(aside, board, told, final_place=target)
    looks = {Form.tensorboard: f"tensorboard --logdir {folder}", Form.mlflow: exchange_mlflow.look(folder)}
    return Export(target, form, board.num_rows, told.num_rows, replaced, looks.get(form, ""))


@contextmanager
def _whole(target: Path, mark: dict[str, str]) -> Iterator[tuple[Path, bool]]:
    """Give an empty folder to write into, and whether there is an export already; put it in its place when the context ends well.

    Two renames: a reader finds the old export, for an instant none, then the new one, never a part. Where the process is killed in between,
    the old one lies beside its place, and the next export removes it.
    """
    replaced = _may_replace(target, mark)
    target.parent.mkdir(parents=True, exist_ok=True)
    before = target.parent / f".{target.name}.before"
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        aside.chmod(0o755)
        yield aside, replaced
        _write(aside / MARK, json.dumps(mark) + "\n")
        shutil.rmtree(before, ignore_errors=True)
        if replaced:
            target.rename(before)
        aside.rename(target)
        shutil.rmtree(before, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _may_replace(target: Path, mark: dict[str, str]) -> bool:
    """Return whether an earlier export of this sweep lies at a place.

    Raises:
        CannotExport: Something else does.
    """
    if not os.path.lexists(target):
        return False
    try:
        found = json.loads((target / MARK).read_bytes())
    except (OSError, ValueError):
        raise CannotExport(f"{target} is there and no export of ours, so it is left alone; name another folder with -o") from None
    if not isinstance(found, dict) or found.get("sweep_hash") != mark["sweep_hash"]:
        raise CannotExport(f"{target} holds another sweep of the name {mark['sweep']}; name another folder with -o, or delete it")
    return True


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
