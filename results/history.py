"""What happened to each trial, folded from the events: the one place where a status is computed. Imports events only.

`apply` remembers one fact in constant time; nothing is chosen here. The search, the samplers and the leaderboard read the same records.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from results.errors import Unreadable
from results.events import (
    Decided,
    DriverStarted,
    DriverStopped,
    Ended,
    EndStatus,
    Event,
    Launched,
    Lost,
    Repeated,
    Reported,
    Suggested,
    SweepStarted,
    Tested,
)

Phase = Literal["pending", "running", "paused"]
Status = Phase | EndStatus

# In the order of a trial's life; the order in which counts and unranked rows are shown.
STATUSES: tuple[Status, ...] = ("pending", "running", "paused", "stopped", "completed", "diverged", "out_of_memory", "failed")


@dataclass(slots=True, kw_only=True)
class TrialRecord:
    """The facts of one trial.

    Attributes:
        trial: Its id.
        config: The resolved TrainConfig as JSON.
        config_hash: Equal for configurations that compute the same.
        values: Searched parameter -> value, active ones only.
        cost: Fields of ArchitectureCost.
        draw: The draw that gave it, 0-based.
        source: What proposed it.
        suggested_at: UTC, ISO 8601.
        phase: Where it stands as long as it has not ended; `status` is what people see.
        ended: How it ended; None while it may go on.
        curve: Epoch -> its report, ascending; the first report of an epoch counts.
        rungs: Rung in epochs -> score there, as it was judged.
        decisions: What was decided about it, oldest first.
        attempts: Its segments, oldest first.
        losses: Workers it lost, oldest first.
        checkpoint: Newest checkpoint folder, relative to the sweep; None before the first.
        checkpoint_epoch: The epoch after which it was written; 0 before the first.
        wall_s: Seconds of its reported epochs.
        device_s: Seconds in which a device worked for it, repeated epochs included.
        tested: Its figures on the test split; finals only.
    """

    trial: str
    config: Mapping[str, Any]
    config_hash: str
    values: Mapping[str, Any]
    cost: Mapping[str, int]
    draw: int
    source: str
    suggested_at: str
    phase: Phase = "pending"
    ended: Ended | None = None
    curve: dict[int, Reported] = field(default_factory=dict)
    rungs: dict[int, float | None] = field(default_factory=dict)
    decisions: list[Decided] = field(default_factory=list)
    attempts: list[Launched] = field(default_factory=list)
    losses: list[Lost] = field(default_factory=list)
    checkpoint: str | None = None
    checkpoint_epoch: int = 0
    wall_s: float = 0.0
    device_s: float = 0.0
    tested: Tested | None = None

    @property
    def status(self) -> Status:
        """Return where the trial stands; one that waits to be launched again is `pending`."""
        return self.phase if self.ended is None else self.ended.status

    @property
    def waiting_retry(self) -> bool:
        """Return whether its segment was cut off (worker lost, driver gone) and waits to be launched again."""
        return self.status == "pending" and bool(self.attempts)

    @property
    def reason(self) -> str:
        """Return why it stands where it stands, in one line; empty where the status says it all."""
        if self.ended is not None:
            return self.ended.reason
        if self.phase == "paused":
            return self.decisions[-1].reason
        if self.waiting_retry:
            return self.losses[-1].reason if self.lost_last else "the driver stopped"
        return ""

    @property
    def attempt(self) -> int:
        """Return the number of the current segment; 0 before the first."""
        return self.attempts[-1].attempt if self.attempts else 0

    @property
    def num_lost(self) -> int:
        """Return how many workers were lost under it."""
        return len(self.losses)

    @property
    def lost_last(self) -> bool:
        """Return whether its current segment was cut off by a lost worker, not by the driver's end."""
        return bool(self.losses) and self.losses[-1].attempt == self.attempt

    @property
    def from_epoch(self) -> int:
        """Return the epochs that the current segment started from."""
        return self.attempts[-1].from_epoch if self.attempts else 0

    @property
    def until_epoch(self) -> int:
        """Return the epoch at which the current segment ends; 0 before the first."""
        return self.attempts[-1].until_epoch if self.attempts else 0

    @property
    def last(self) -> Reported | None:
        """Return the newest report."""
        return next(reversed(self.curve.values()), None)

    @property
    def epochs(self) -> int:
        """Return the last epoch reported; 0 before the first."""
        return next(reversed(self.curve), 0)

    @property
    def started_at(self) -> str | None:
        """Return when it was first launched."""
        return self.attempts[0].at if self.attempts else None

    @property
    def ended_at(self) -> str | None:
        """Return when it ended."""
        return None if self.ended is None else self.ended.at

    @property
    def host(self) -> str | None:
        """Return the machine that trained its last epoch."""
        return None if self.last is None else self.last.worker.rpartition(":")[0] or self.last.worker

    @property
    def device(self) -> str | None:
        """Return the device that trained its last epoch."""
        return None if self.last is None else self.last.device


@dataclass(slots=True)
class History:
    """All facts of one sweep.

    Attributes:
        started: What is searched; None before the first event.
        trials: Id -> record, in the order of suggestion.
        config_hashes: Hash of each configuration seen -> its trial.
        next_draw: Number of the sampler's next draw.
        rejected: Reason -> candidates that never became a trial.
        driver: The driver at work; None before the first and once it has stopped. One that was killed still stands here.
        stopped: How the last driver let go; None while one is at work, or was killed.
    """

    started: SweepStarted | None = None
    trials: dict[str, TrialRecord] = field(default_factory=dict)
    config_hashes: dict[str, str] = field(default_factory=dict)
    next_draw: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    driver: DriverStarted | None = None
    stopped: DriverStopped | None = None
    _running: set[str] = field(default_factory=set)
    _pending: set[str] = field(default_factory=set)
    _ended: Counter[EndStatus] = field(default_factory=Counter)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Return the history that the events add up to."""
        history = cls()
        for event in events:
            history.apply(event)
        return history

    @property
    def num_suggested(self) -> int:
        """Return the trials there are, replacements included."""
        return len(self.trials)

    @property
    def running(self) -> Set[str]:
        """Return the trials that a worker holds now; a view, to be read only."""
        return self._running

    @property
    def num_counted(self) -> int:
        """Return the trials that count against the number asked for: one that did not fit the device's memory is drawn again."""
        return len(self.trials) - self._ended["out_of_memory"]

    @property
    def num_completed(self) -> int:
        """Return the trials that were trained in full."""
        return self._ended["completed"]

    def next_pending(self) -> str | None:
        """Return the first trial that waits to be launched, for the first time or again; None when none does."""
        return min(self._pending, default=None)

    def counts(self) -> dict[Status, int]:
        """Return status -> trials, in the order of a trial's life, without the zeros."""
        seen = Counter(record.status for record in self.trials.values())
        return {status: seen[status] for status in STATUSES if seen[status]}

    def accepts(self, report: Reported) -> bool:
        """Return whether a report is news: from the segment that runs now, of an epoch that the curve lacks."""
        record = self._record(report)
        return report.trial in self._running and report.attempt == record.attempt and report.epoch not in record.curve

    def apply(self, event: Event) -> None:
        """Remember one fact, live or replayed.

        Raises:
            Unreadable: It speaks of a trial that was never suggested, or suggests one twice.
        """
        match event:
            case Reported():
                if self.accepts(event):
                    self._reported(event)
            case Decided():
                self._decided(event)
            case Launched():
                record = self._record(event)
                record.attempts.append(event)
                self._move(record, "running")
            case Suggested():
                self._suggested(event)
            case Ended():
                self._end(event)
            case Lost():
                record = self._record(event)
                record.losses.append(event)
                if event.attempt == record.attempt and record.phase == "running":
                    self._move(record, "pending")
            case Repeated():
                self._record(event).device_s += event.device_s
            case Tested():
                self._record(event).tested = event
            case SweepStarted():
                self.started = event
            case DriverStarted():
                self._interrupt()
                self.driver, self.stopped = event, None
            case DriverStopped():
                self._interrupt()
                self.driver, self.stopped = None, event

    def _suggested(self, event: Suggested) -> None:
        if event.trial in self.trials:
            raise Unreadable(f"the journal suggests {event.trial} twice; two drivers wrote to one sweep, restore it from a copy")
        self.trials[event.trial] = TrialRecord(
            trial=event.trial,
            config=event.config,
            config_hash=event.config_hash,
            values=event.values,
            cost=event.cost,
            draw=event.draw,
            source=event.source,
            suggested_at=event.at,
        )
        self._pending.add(event.trial)
        self.config_hashes.setdefault(event.config_hash, event.trial)
        self.next_draw = max(self.next_draw, event.draw + 1)
        self.rejected.update(event.rejected)

    def _reported(self, event: Reported) -> None:
        record = self.trials[event.trial]
        record.curve[event.epoch] = event
        record.wall_s += event.wall_s
        record.device_s += event.device_s
        if event.checkpoint is not None:
            record.checkpoint, record.checkpoint_epoch = event.checkpoint, event.epoch

    def _decided(self, event: Decided) -> None:
        record = self._record(event)
        record.decisions.append(event)
        if event.rung_epochs is not None:
            record.rungs.setdefault(event.rung_epochs, event.score)
        if event.action == "pause":
            self._move(record, "paused")

    def _end(self, event: Ended) -> None:
        record = self._record(event)
        if record.ended is None:
            record.ended = event
            self._ended[event.status] += 1
            self._running.discard(event.trial)
            self._pending.discard(event.trial)

    def _interrupt(self) -> None:
        """Workers go with their driver: what was running waits to be launched again."""
        for trial in tuple(self._running):
            self._move(self.trials[trial], "pending")

    def _move(self, record: TrialRecord, phase: Phase) -> None:
        if record.ended is not None:
            return
        record.phase = phase
        self._running.discard(record.trial)
        self._pending.discard(record.trial)
        if phase == "running":
            self._running.add(record.trial)
        elif phase == "pending":
            self._pending.add(record.trial)

    def _record(self, event: Launched | Reported | Repeated | Decided | Lost | Ended | Tested) -> TrialRecord:
        if (record := self.trials.get(event.trial)) is None:
            raise Unreadable(
                f"the journal has a {type(event).__name__} of {event.trial}, which was never suggested; restore it from a copy"
            )
        return record
