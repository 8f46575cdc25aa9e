"""A running sweep, looked at again and again: the tables when they have changed, and what the journal has said since. Only reads files."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from results import derived, leaderboard, lock, overview
from results.events import Decided, DriverStopped, Ended, Event, Launched, Lost, Reported, Suggested
from results.history import STATUSES, Status
from results.overview import Overview
from results.storage import Storage
from results.tail import Tail

KEPT_EVENTS = 2_000  # newer than the tables at most, or on the screen


@dataclass(frozen=True, slots=True)
class Worker:
    """A trial that is being trained.

    Attributes:
        trial: Its id.
        epochs: Epochs reported.
        until_epoch: Where its segment ends; None where that was said before we looked.
        score: The metric at the last epoch; None before the first, or where it is not finite.
        where: Host and device; empty before the first report.
    """

    trial: str
    epochs: int = 0
    until_epoch: int | None = None
    score: float | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """What can be seen of a sweep at one moment.

    Attributes:
        seen: Where it stands.
        board: The leaderboard.
        rungs: Rung in epochs, ascending, the last is a trial's full length -> trials that have reached it.
        workers: What is trained now, the furthest first.
        news: Events since the last look, oldest first; at the first look the latest ones.
        epochs: Epochs trained, by the newest word.
    """

    seen: Overview
    board: pa.Table
    rungs: dict[int, int]
    workers: list[Worker]
    news: Sequence[Event]
    epochs: int


class Watch:
    """The eyes on one sweep."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._tail = Tail(storage)
        self._recent: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._board: pa.Table | None = None
        self._read_at: tuple[int, bool] | None = None  # mtime of the leaderboard that was read, and whether a driver was there
        self._statuses: dict[str, Status] = {}
        self._reached: dict[str, int] = {}  # trial -> highest rung
        self._last: dict[str, Worker] = {}  # trial -> how far it was
        self._rungs: tuple[int, ...] = ()

    def look(self, now: float) -> View:
        """Return what can be seen; `now` in seconds since 1970.

        The leaderboard is read when it has changed, the journal from where the last look ended.

        Raises:
            NotASweep: There is neither a table nor a journal.
            NewerFormat: A newer release writes it.
            Unreadable: A file is damaged.
        """
        driver = lock.holder(self._storage)
        path = self._storage.path(leaderboard.NAME)
        news = self._tail.news()
        self._recent.extend(news)
        # A driver that is gone has written its last table just before, or none: what is derived then counts as of that moment.
        stamp = (path.stat().st_mtime_ns if path.exists() else 0, driver is not None)
        if self._board is None or stamp != self._read_at or any(isinstance(event, DriverStopped) for event in news):
            self._take(leaderboard.read_table(self._storage))
            self._read_at = stamp
        board = self._board
        assert board is not None
        since = derived.metadata(board).get("heard_at", "")
        # Those of the same millisecond, too: what the table has of them already is said twice, which changes nothing. Without a driver the
        # table is the last word.
        later = [event for event in self._recent if event.at >= since] if driver is not None else []
        seen = overview.of(board, self._storage, driver, now)
        epochs = int(seen.epochs.spent) + sum(isinstance(event, Reported) and event.at > since for event in later)
        statuses, rungs = _standing(self._statuses, self._reached, later)
        counted = Counter(statuses.values())
        counts = {status: counted[status] for status in STATUSES if counted[status]}
        running = [trial for trial, status in statuses.items() if status == "running"]
        workers = _workers([self._last.get(trial, Worker(trial)) for trial in running], later) if driver is not None else []
        reached = {rung: sum(other >= rung for other in rungs.values()) for rung in self._rungs}
        return View(
            replace(seen, counts=counts, busy=len(workers)),
            board,
            reached,
            sorted(workers, key=lambda worker: (-worker.epochs, worker.trial)),
            news,
            epochs,
        )

    def _take(self, board: pa.Table) -> None:
        about = derived.About.of(board)
        self._board = board
        self._rungs = (*about.ladder, about.max_epochs)
        names = ("trial", "status", "rung_epochs", "epochs", "last_score", "host", "device")
        self._statuses, self._reached, self._last = {}, {}, {}
        for trial, status, rung, epochs, score, host, device in zip(*(board[name].to_pylist() for name in names), strict=True):
            self._statuses[trial] = status
            if rung is not None:
                self._reached[trial] = rung
            self._last[trial] = Worker(trial, epochs, None, score, f"{host} {device}" if host else "")


def _standing(statuses: dict[str, Status], reached: dict[str, int], later: Sequence[Event]) -> tuple[dict[str, Status], dict[str, int]]:
    """Return trial -> status and trial -> highest rung, from those of the table and what the journal has said since."""
    statuses, reached = dict(statuses), dict(reached)
    for event in later:
        match event:
            case Suggested() | Lost():
                statuses[event.trial] = "pending"
            case Launched():
                statuses[event.trial] = "running"
            case Decided():
                if event.rung_epochs is not None and event.score is not None:
                    reached[event.trial] = max(event.rung_epochs, reached.get(event.trial, 0))
                if event.action == "pause":
                    statuses[event.trial] = "paused"
            case Ended():
                statuses[event.trial] = event.status
            case _:
                pass
    return statuses, reached


def _workers(running: Sequence[Worker], later: Sequence[Event]) -> list[Worker]:
    """Return how far those who train now are, by the newest word."""
    workers = {worker.trial: worker for worker in running}
    for event in later:
        if isinstance(event, Launched) and event.trial in workers:
            workers[event.trial] = replace(workers[event.trial], until_epoch=event.until_epoch)
        if isinstance(event, Reported) and event.trial in workers:
            host = event.worker.rpartition(":")[0] or event.worker
            before = workers[event.trial]
            workers[event.trial] = Worker(event.trial, event.epoch, before.until_epoch, event.score, f"{host} {event.device}")
    return list(workers.values())
