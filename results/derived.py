"""Files derived from the journal: Arrow tables that describe themselves, stored as Parquet. Knows no column.

The journal is the truth. `current` answers with the stored file as long as that says the same, else it derives the table anew.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import pyarrow as pa
import pyarrow.parquet as pq

from results import journal, lock
from results.errors import NewerFormat, NotASweep, Unreadable
from results.events import DriverStopped
from results.history import LIMITS, History
from results.storage import Storage

# Key in the footer -> meaning.
METADATA = {
    "schema_version": "Version of this table's schema.",
    "sweep": "Name of the sweep.",
    "sweep_hash": "Identity of the resolved sweep file.",
    "commit": "Commit of shortlist that started the sweep; empty where unknown.",
    "metric": "The objective.",
    "mode": "max or min.",
    "ladder": "Rungs in epochs, ascending, separated by blanks.",
    "max_epochs": "Epochs of a trial trained in full.",
    "num_trials": "Trials asked for.",
    "state": "new, running, finished, interrupted, stopped, budget, failed, failing or extended, when the table was written.",
    "state_at": "Since when, UTC; empty where new.",
    "epochs": "Epochs trained, repeated ones included.",
    "driven_s": "Seconds in which a driver ran, up to its last report.",
    "slot_s": "Seconds of workers' time that drivers had (slots times seconds), up to the last report.",
    "start_slot_s": "Of that, the seconds before the first epoch of each driver began: workers start, data is loaded.",
    "heard_at": "When a driver last said something, UTC; empty where new.",
    "slots": "Trials that the last driver could run at once.",
    "limits": "Limits that people have raised since the sweep began, JSON: trials, epochs, gpu_hours, wall_clock_s.",
    "notes": "What people wrote about the sweep, JSON: a list of at, author, text.",
}


@dataclass(frozen=True, slots=True)
class About:
    """What the footer says of the sweep; see `METADATA`."""

    sweep: str
    sweep_hash: str
    commit: str
    metric: str
    mode: Literal["max", "min"]
    ladder: tuple[int, ...]
    max_epochs: int
    num_trials: int
    state: str

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Return what a table says about itself."""
        said = metadata(table)
        return cls(
            sweep=said["sweep"],
            sweep_hash=said["sweep_hash"],
            commit=said["commit"],
            metric=said["metric"],
            mode="min" if said["mode"] == "min" else "max",
            ladder=tuple(int(rung) for rung in said["ladder"].split()),
            max_epochs=int(said["max_epochs"]),
            num_trials=int(said["num_trials"]),
            state=said["state"],
        )


def footer(history: History, *, version: int) -> dict[str, str]:
    """Return the values of `METADATA`.

    Raises:
        NotASweep: The history is empty: not even the sweep's start is known.
    """
    started = history.started
    if started is None:
        raise NotASweep("the journal is empty, the sweep was never started; start it with: shortlist run SWEEP.yaml")
    slot_s, start_slot_s = history.slot_s()
    return {
        "schema_version": str(version),
        "sweep": started.sweep,
        "sweep_hash": started.sweep_hash,
        "commit": started.commit or "",
        "metric": started.metric,
        "mode": started.mode,
        "ladder": " ".join(map(str, started.ladder)),
        "max_epochs": str(started.max_epochs),
        "num_trials": str(history.num_trials),
        "state": state(history),
        "state_at": _state_at(history),
        "epochs": str(history.epochs),
        "driven_s": f"{history.driven_s():.3f}",
        "slot_s": f"{slot_s:.3f}",
        "start_slot_s": f"{start_slot_s:.3f}",
        "heard_at": history.last_at,
        "slots": str(history.slots),
        "limits": json.dumps({name: getattr(history.extended, name) for name in LIMITS if getattr(history.extended, name, None)}),
        "notes": json.dumps([{"at": note.at, "author": note.author, "text": note.text} for note in history.notes], ensure_ascii=False),
    }


def state(history: History) -> str:
    """Return how far the sweep is: `new`, `running`, `extended` since its last driver let go, or how that was.

    Of a killed driver it still says `running`.
    """
    if history.driver is not None:
        return "running"
    if history.reopened:
        return "extended"
    return "new" if history.stopped is None else history.stopped.reason


def _state_at(history: History) -> str:
    if history.driver is not None:
        return history.driver.at
    return "" if history.stopped is None else history.stopped.at


def write(storage: Storage, name: str, table: pa.Table) -> None:
    """Replace the file; a reader finds the old one or the new one."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    storage.write_atomic(name, sink.getvalue().to_pybytes())


def current(
    storage: Storage, name: str, *, version: int, derive: Callable[[History], pa.Table], columns: Sequence[str] | None = None
) -> pa.Table:
    """Return the stored table, or one derived anew where that is missing or lags behind the journal.

    It lags where a driver was killed before it could refresh it. While a driver is at work it is at most one refresh old. A driver that is
    gone without a word has interrupted its trials: they are `pending`, the sweep's state is `interrupted`.

    Args:
        storage: The sweep's folder.
        name: The file.
        version: The newest schema version that this release reads.
        derive: What makes the table of a history.
        columns: Names of the columns wanted; None for all. One that a file of an earlier release lacks is left out.

    Raises:
        NotASweep: There is neither a table nor a journal.
        NewerFormat: A newer release wrote it.
        Unreadable: A file is damaged.
    """
    alive = lock.holder(storage) is not None
    has_journal = storage.exists(journal.FOLDER)
    if storage.exists(name) and (alive or not has_journal or not _lags(storage, name)):
        table = read(storage, name, version=version, columns=columns)
        if alive or not has_journal or metadata(table)["state"] != "running":
            return table
    if not has_journal:
        raise NotASweep(f"{storage}: neither {name} nor a journal there; name a sweep that was started")
    history = History.of(journal.read(storage))
    if history.driver is not None and not alive:
        history.apply(DriverStopped(at=history.last_at, reason="interrupted"))
    table = derive(history)
    return table if columns is None else table.select([column for column in columns if column in table.column_names])


def read(storage: Storage, name: str, *, version: int, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the file's table.

    Args:
        storage: The sweep's folder.
        name: The file.
        version: The newest schema version that this release reads.
        columns: Names of the columns wanted; None for all.

    Raises:
        FileNotFoundError: There is none.
        NewerFormat: A newer release wrote it.
        Unreadable: It is damaged, or not ours.
    """
    path = storage.path(name)
    remedy = "delete it, it is derived from the journal again"
    try:
        # One thread: a pool that has touched Python's memory aborts the interpreter at its exit, one time in three (apache/arrow#50482).
        table = pq.ParquetFile(pa.BufferReader(storage.read(name)), pre_buffer=False).read(columns=columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise Unreadable(f"{path}: not a whole Parquet file ({str(error).splitlines()[0]}); {remedy}") from error
    seen = metadata(table).get("schema_version", "")
    if not seen.isdecimal():
        raise Unreadable(f"{path}: no schema version in its footer, so shortlist did not write it; {remedy}")
    if int(seen) > version:
        raise NewerFormat(f"{path}: schema version {seen}, this release reads up to {version}; install a newer release, or {remedy}")
    return table


def metadata(table: pa.Table) -> Mapping[str, str]:
    """Return the key-value pairs of the footer, without those that Arrow and pandas keep for themselves."""
    pairs = table.schema.metadata or {}
    return {key.decode(): value.decode() for key, value in pairs.items() if not key.startswith((b"ARROW", b"pandas"))}


def _lags(storage: Storage, name: str) -> bool:
    """Return whether the journal was written after the table."""
    folder = storage.path(journal.FOLDER)
    written = storage.path(name).stat().st_mtime_ns
    return folder.is_dir() and any(segment.stat().st_mtime_ns > written for segment in folder.iterdir())
