"""A sweep at a glance: who runs it, how far it is, what it has cost, what went wrong. For `status` and for whoever polls.

Read from the table that is refreshed while the sweep runs, not from the journal: it answers as quickly for ten thousand trials as for ten.
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from results import derived, leaderboard, lock
from results.errors import Unreadable
from results.events import seconds
from results.history import STATUSES, Status
from results.lock import Holder
from results.storage import REQUESTS, Storage

LAST_FAILURES = 3

_FAILED = ("diverged", "out_of_memory", "failed")


@dataclass(frozen=True, slots=True)
class Spending:
    """What has been spent of one thing.

    Attributes:
        spent: So much.
        limit: Of so much; None without a limit.
    """

    spent: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class Leader:
    """The first trial of the leaderboard that nobody has hidden."""

    trial: str
    rung_epochs: int
    score: float
    status: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A trial that ended badly."""

    trial: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Where a sweep stands.

    Attributes:
        sweep: Its name.
        metric: The objective.
        state: See `results.derived.METADATA`.
        state_at: Since when, UTC, ISO 8601; empty where new.
        driver: The driver at work; None where there is none.
        slots: Trials that the driver can run at once, or the last one could.
        busy: Workers that train now.
        training: Share of the workers' time in which they trained or evaluated, 0..1, up to the last report; None before the first.
        training_after_start: The same without the time until each driver's first epoch began.
        num_trials: Trials asked for.
        counts: Status -> trials, in the order of a trial's life.
        epochs: Epochs trained, repeated ones included.
        device_hours: Hours of workers' time.
        wall_s: Seconds in which a driver ran.
        leader: Who is ahead; None before the first rung.
        left_s: Seconds still needed, least and most; None while the driver cannot say, or there is none.
        failures: The newest ones, newest first.
        num_failures: How many there are.
        pending: Requests that nobody has obeyed yet.
        notes: What people wrote about the sweep, oldest first: at, author, text.
    """

    sweep: str
    metric: str
    state: str
    state_at: str
    driver: Holder | None
    slots: int
    busy: int
    training: float | None
    training_after_start: float | None
    num_trials: int
    counts: dict[Status, int]
    epochs: Spending
    device_hours: Spending
    wall_s: Spending
    leader: Leader | None
    left_s: tuple[float, float] | None
    failures: list[Failure]
    num_failures: int
    pending: int
    notes: list[dict[str, str]]


def overview(storage: Storage, now: float) -> Overview:
    """Return where a sweep stands; `now` in seconds since 1970.

    Raises:
        NotASweep: There is neither a table nor a journal.
        NewerFormat: A newer release wrote it.
        Unreadable: A file is damaged.
    """
    return of(leaderboard.read_table(storage), storage, lock.holder(storage), now)


def of(table: pa.Table, storage: Storage, driver: Holder | None, now: float) -> Overview:
    """Return what a leaderboard that was read before says; the other arguments are as in `Overview` and `overview`.

    Raises:
        Unreadable: `sweep.json` is damaged.
    """
    about = derived.About.of(table)
    said = derived.metadata(table)
    seen = Counter(table["status"].to_pylist())
    limits = _limits(storage) | json.loads(said.get("limits", "{}"))
    failures = _failures(table)
    driven_s = float(said.get("driven_s", 0.0))
    if driver is not None and about.state == "running" and said.get("heard_at"):
        driven_s += max(0.0, now - seconds(said["heard_at"]))
    device_s = sum(table["device_s"].to_pylist())
    slot_s, start_slot_s = float(said.get("slot_s", 0.0)), float(said.get("start_slot_s", 0.0))
    left_s = None
    if driver is not None and driver.left_low_s is not None and driver.left_high_s is not None:
        left_s = driver.left_low_s, driver.left_high_s
    return Overview(
        sweep=about.sweep,
        metric=about.metric,
        state=about.state,
        state_at=said.get("state_at", ""),
        driver=driver,
        slots=int(said.get("slots", 0)),
        busy=seen["running"] if driver is not None else 0,
        training=_share(device_s, slot_s),
        training_after_start=_share(device_s, slot_s - start_slot_s),
        num_trials=about.num_trials,
        counts={status: seen[status] for status in STATUSES if seen[status]},
        epochs=Spending(int(said.get("epochs", sum(table["epochs"].to_pylist()))), limits.get("epochs")),
        device_hours=Spending(device_s / 3600, limits.get("gpu_hours")),
        wall_s=Spending(driven_s, limits.get("wall_clock_s")),
        leader=_leader(table),
        left_s=left_s,
        failures=failures[:LAST_FAILURES],
        num_failures=len(failures),
        pending=_pending(storage),
        notes=json.loads(said.get("notes", "[]")),
    )


def _share(device_s: float, slot_s: float) -> float | None:
    """Return the share of workers' time spent training; None before there was an epoch, or where an older release wrote the table."""
    return min(1.0, device_s / slot_s) if device_s > 0 and slot_s > 0 else None


def _limits(storage: Storage) -> dict[str, Any]:
    """Return the limits of the sweep file; none where only the table was copied here."""
    try:
        budget = json.loads(storage.read("sweep.json"))["sweep"]["budget"]
        return {"epochs": budget["epochs"], "gpu_hours": budget["gpu_hours"], "wall_clock_s": budget["wall_clock"]}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{storage.path('sweep.json')} is damaged ({error}); restore it from a copy") from error


def _leader(table: pa.Table) -> Leader | None:
    hidden = table["hidden"].to_pylist() if "hidden" in table.column_names else [False] * table.num_rows
    for row, (rank, out_of_sight) in enumerate(zip(table["rank"].to_pylist(), hidden, strict=True)):
        if rank is None:
            return None
        if not out_of_sight:
            trial, rung, score, status = (table[name][row].as_py() for name in ("trial", "rung_epochs", "score", "status"))
            return Leader(trial, rung, score, status)
    return None


def _failures(table: pa.Table) -> list[Failure]:
    """Return the trials that ended badly, newest first."""
    ended = table["ended_at"].cast(pa.int64())  # as a time it would take pandas to read
    rows = zip(*(column.to_pylist() for column in (ended, table["trial"], table["status"], table["reason"])), strict=True)
    bad = sorted((row for row in rows if row[2] in _FAILED), reverse=True)
    return [Failure(trial, status, reason or "") for _, trial, status, reason in bad]


def _pending(storage: Storage) -> int:
    folder = storage.path(REQUESTS)
    return sum(path.suffix == ".json" for path in folder.iterdir()) if folder.is_dir() else 0
