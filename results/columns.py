"""The columns of `leaderboard.parquet` and `curves.parquet`: types, units, meanings stated once, here.

To add one, add one entry; the file, its documentation and the tables follow. A change of name, type or meaning is a new schema version.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Generic, TypeVar

import pyarrow as pa

from results.events import Reported
from results.history import TrialRecord

Source = TypeVar("Source")

TIME = pa.timestamp("ms", tz="UTC")

_BLOCK = 256  # rows whose records stay in the processor's cache while all columns are taken from them


@dataclass(frozen=True, slots=True)
class Row:
    """One trial as the leaderboard sees it.

    Attributes:
        record: The facts.
        rank: Its place, 1-based; None where it has none.
        rung_epochs: The highest rung at which it has a score; None where it has no rank.
        score: The metric there.
        best: The report with the best score, the earliest of equals; None before the first finite one.
        last: The newest report; None before the first. Here once, for many columns ask for it.
    """

    record: TrialRecord
    rank: int | None
    rung_epochs: int | None
    score: float | None
    best: Reported | None
    last: Reported | None


@dataclass(frozen=True, slots=True)
class Column(Generic[Source]):
    """One column.

    Attributes:
        name: As it stands in the file.
        arrow_type: Its type there; every column may hold nulls.
        unit: What a value counts; empty where there is no unit.
        meaning: One line; says when it is null.
        value: Takes it from a row.
    """

    name: str
    arrow_type: pa.DataType
    unit: str
    meaning: str
    value: Callable[[Source], Any]

    def field(self) -> pa.Field:
        """Return the column as the file describes it."""
        return pa.field(self.name, self.arrow_type, metadata={"unit": self.unit, "meaning": self.meaning})


def _last(name: str) -> Callable[[Row], Any]:
    """Return what takes one figure of the last epoch reported."""
    figure = attrgetter(name)

    def value(row: Row) -> Any:
        return None if row.last is None else figure(row.last)

    return value


def _notes(row: Row) -> str | None:
    return "\n".join(f"{note.at[:10]} {note.author}: {' '.join(note.text.split())}" for note in row.record.notes) or None


def _confirmed(name: str, figure: str, unit: str, meaning: str) -> "Column[Row]":
    """Return the column of one figure of a trial's newest confirmation."""

    def value(row: Row) -> Any:
        return None if row.record.confirmed is None else getattr(row.record.confirmed, figure)

    return Column(name, {"n": pa.int64(), "confirmation": pa.string()}.get(figure, pa.float64()), unit, meaning, value)


def _time(at: str | None) -> datetime | None:
    return None if at is None else datetime.fromisoformat(at)


COLUMNS: tuple[Column[Row], ...] = (
    Column("rank", pa.int64(), "", "Place, 1 is best: by rung_epochs, then score, then trial. Null where unranked.", attrgetter("rank")),
    Column("trial", pa.string(), "", "Id of the trial, in the order of suggestion.", attrgetter("record.trial")),
    Column(
        "config_hash",
        pa.string(),
        "",
        "Equal for configurations that compute the same.",
        attrgetter("record.config_hash"),
    ),
    Column(
        "status",
        pa.string(),
        "",
        "pending, running, paused, stopped, completed, diverged, out_of_memory or failed.",
        attrgetter("record.status"),
    ),
    Column(
        "reason",
        pa.string(),
        "",
        "Why it stands there, in one line. Null where the status says it all.",
        lambda row: row.record.reason or None,
    ),
    Column(
        "rung_epochs",
        pa.int64(),
        "epochs",
        "Highest rung reached; the last epoch of a completed trial. Null where unranked.",
        attrgetter("rung_epochs"),
    ),
    Column("score", pa.float64(), "of the metric", "The metric at the epoch rung_epochs. Null where unranked.", attrgetter("score")),
    Column(
        "best_score",
        pa.float64(),
        "of the metric",
        "Best value of the metric at any epoch; not what ranks.",
        lambda row: None if row.best is None else row.best.score,
    ),
    Column(
        "best_epoch",
        pa.int64(),
        "epochs",
        "The epoch of best_score, the earliest of equals.",
        lambda row: None if row.best is None else row.best.epoch,
    ),
    Column("last_score", pa.float64(), "of the metric", "The metric at the last epoch reported. Null where not finite.", _last("score")),
    Column(
        "val_accuracy",
        pa.float64(),
        "fraction 0..1",
        "Share of validation images classified right, at the last epoch reported.",
        _last("val_accuracy"),
    ),
    Column(
        "val_loss", pa.float64(), "nats", "Mean cross-entropy over the validation images, at the last epoch reported.", _last("val_loss")
    ),
    Column(
        "train_accuracy",
        pa.float64(),
        "fraction 0..1",
        "The same over the training images as they were seen (augmented, while the weights moved).",
        _last("train_accuracy"),
    ),
    Column("train_loss", pa.float64(), "nats", "Mean loss over the training images as they were seen.", _last("train_loss")),
    Column("epochs", pa.int64(), "epochs", "Last epoch reported; 0 before the first.", attrgetter("record.epochs")),
    Column("parameters", pa.int64(), "", "Trainable parameters of the network.", lambda row: row.record.cost.get("parameters")),
    Column(
        "flops_per_image",
        pa.int64(),
        "floating-point operations",
        "One forward pass of one image; a multiply-add counts as two.",
        lambda row: row.record.cost.get("flops_per_image"),
    ),
    Column("wall_s", pa.float64(), "s", "Time of its reported epochs, evaluation included.", attrgetter("record.wall_s")),
    Column(
        "device_s",
        pa.float64(),
        "s",
        "Time in which a device worked for it, epochs repeated after a crash included.",
        attrgetter("record.device_s"),
    ),
    Column(
        "images_per_s",
        pa.float64(),
        "images/s",
        "Training images per second of training, in the last epoch reported.",
        _last("images_per_s"),
    ),
    Column(
        "peak_memory_bytes",
        pa.int64(),
        "bytes",
        "Most memory in use at any epoch: on the device (CUDA), or by the process (CPU).",
        lambda row: max((report.peak_memory_bytes for report in row.record.curve.values()), default=None),
    ),
    Column("host", pa.string(), "", "Machine that trained its last epoch.", attrgetter("record.host")),
    Column("device", pa.string(), "", "Device that trained its last epoch.", _last("device")),
    Column("seed", pa.int64(), "", "Seed of its weights, order of images and augmentation.", lambda row: row.record.config.get("seed")),
    Column("started_at", TIME, "UTC", "When it was first launched.", lambda row: _time(row.record.started_at)),
    Column("ended_at", TIME, "UTC", "When it ended. Null while it may go on.", lambda row: _time(row.record.ended_at)),
    Column("checkpoint", pa.string(), "", "Folder of its newest checkpoint, relative to the sweep.", attrgetter("record.checkpoint")),
    _confirmed("confirmation", "confirmation", "", "Its newest confirmation: a folder below confirmations/. Null before the first."),
    _confirmed(
        "confirmed_score", "mean", "of the metric", "Mean of the metric over fresh seeds, after the last epoch. Null where unconfirmed."
    ),
    _confirmed("confirmed_low", "low", "of the metric", "Lower end of its 95 % interval. Null with a single seed."),
    _confirmed("confirmed_high", "high", "of the metric", "Upper end of it."),
    _confirmed("confirmed_seeds", "n", "", "Fresh seeds that it rests on."),
    _confirmed(
        "p_best", "p_best", "fraction 0..1", "Probability that its mean is the best of those confirmed with it. Null where unknown."
    ),
    _confirmed("rung_mean", "rung_mean", "of the metric", "Mean over fresh seeds at the epoch rung_epochs; score minus this was luck."),
    Column("hidden", pa.bool_(), "", "Whether a person took it out of sight; it is ranked all the same.", attrgetter("record.hidden")),
    Column(
        "tags",
        pa.string(),
        "",
        "Words that people put on it, ascending, separated by blanks.",
        lambda row: " ".join(row.record.tags) or None,
    ),
    Column("notes", pa.string(), "", "What people wrote about it, oldest first, one a line: day, author, text.", _notes),
)


def _figure(name: str, arrow_type: pa.DataType, unit: str, meaning: str) -> Column[Reported]:
    return Column(name, arrow_type, unit, meaning, attrgetter(name))


CURVE_COLUMNS: tuple[Column[Reported], ...] = (
    _figure("trial", pa.string(), "", "Id of the trial."),
    _figure("epoch", pa.int64(), "epochs", "Epochs trained so far, 1-based."),
    _figure("val_accuracy", pa.float64(), "fraction 0..1", "Share of validation images classified right."),
    _figure("val_loss", pa.float64(), "nats", "Mean cross-entropy over the validation images."),
    _figure("train_accuracy", pa.float64(), "fraction 0..1", "The same over the training images as they were seen."),
    _figure("train_loss", pa.float64(), "nats", "Mean loss over the training images as they were seen."),
    _figure("lr", pa.float64(), "", "Learning rate of the epoch's last step."),
    _figure("wall_s", pa.float64(), "s", "From the epoch's start until it could be reported, evaluation included."),
    _figure("device_s", pa.float64(), "s", "Of that, the time in which the device was training or evaluating."),
    _figure("images_per_s", pa.float64(), "images/s", "Training images per second of training, evaluation left out."),
    _figure("peak_memory_bytes", pa.int64(), "bytes", "Most memory in use so far."),
    Column("at", TIME, "UTC", "When it was reported.", lambda report: _time(report.at)),
    _figure("worker", pa.string(), "", "Process that trained it, host:pid."),
    _figure("attempt", pa.int64(), "", "Segment of the trial in which it was trained, 1-based."),
)


def config_columns(parameters: Iterable[str], records: Iterable[TrialRecord]) -> list[Column[Row]]:
    """Return one column `config.<path>` per searched parameter; its type follows from the values drawn so far.

    Whole numbers give int64, other numbers float64, truth values bool, everything else string. Null where the parameter is inactive.
    """
    records = list(records)
    return [_config_column(path, [record.values[path] for record in records if path in record.values]) for path in parameters]


def _config_column(path: str, values: list[Any]) -> Column[Row]:
    kinds = {type(value) for value in values if value is not None}
    arrow_type, convert = _kind(kinds)

    def value(row: Row) -> Any:
        seen = row.record.values.get(path)
        return None if seen is None else convert(seen)

    return Column(f"config.{path}", arrow_type, "", f"Searched parameter {path}. Null where inactive.", value)


def _kind(kinds: set[type]) -> tuple[pa.DataType, Callable[[Any], Any]]:
    if kinds == {bool}:
        return pa.bool_(), bool
    if kinds == {int}:
        return pa.int64(), int
    if kinds and kinds <= {int, float}:
        return pa.float64(), float
    return pa.string(), lambda value: value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def table(columns: Iterable[Column[Source]], rows: Iterable[Source], metadata: Mapping[str, str]) -> pa.Table:
    """Return rows as an Arrow table that describes itself."""
    columns, rows = list(columns), list(rows)
    schema = pa.schema([column.field() for column in columns], metadata=dict(metadata))
    values: list[list[Any]] = [[] for _ in columns]
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        for column, cells in zip(columns, values, strict=True):
            cells.extend(map(column.value, block))
    return pa.Table.from_arrays(
        [pa.array(cells, type=column.arrow_type) for column, cells in zip(columns, values, strict=True)], schema=schema
    )
