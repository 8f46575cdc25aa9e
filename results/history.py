"""What happened in a sweep, folded from the events: its trials, its drivers, what people asked for. Imports events only.

`apply` remembers one fact in constant time; nothing is chosen here. The search, the samplers and the leaderboard read the same records.
"""

import gc
import typing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Self

from results.errors import Unreadable
from results.events import (
    Asked,
    Confirmed,
    Decided,
    DriverStarted,
    DriverStopped,
    Ended,
    EndStatus,
    Event,
    Extended,
    Hidden,
    Launched,
    Lost,
    Noted,
    Repeated,
    Reported,
    Resized,
    StopRequested,
    Suggested,
    SweepStarted,
    Tagged,
    Tested,
    seconds,
)
from results.slot_time import SlotTime
from results.trial import STATUSES as STATUSES
from results.trial import Confirmation, Phase
from results.trial import Status as Status
from results.trial import TrialRecord as TrialRecord

LIMITS = ("trials", "epochs", "gpu_hours", "wall_clock_s")  # what `Extended` may raise
_OF_OTHERS = frozenset({DriverStarted, *typing.get_args(Asked)})  # these say nothing about how long the last driver ran


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause Python's search for garbage in cycles, while events are read or rows made of them.

    They form none, and looking at all of them again and again takes a third of the time (250,000 epochs: 5.5 s with it, 3.6 s without).
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@dataclass(slots=True)
class History:
    """All facts of one sweep.

    Attributes:
        started: What is searched; None before the first event.
        trials: Id -> record, in the order of suggestion.
        config_hashes: Hash of each configuration seen -> its trial.
        next_draw: Number of the sampler's next draw.
        rejected: Reason -> candidates that never became a trial.
        judged: Comparisons at rungs and ends of trials, in the order in which they happened: what a sampler can learn from.
        driver: The driver at work; None before the first and once it has stopped. One that was killed still stands here.
        stopped: How the last driver let go; None while one is at work, or was killed.
        finished: Whether nothing was left to do when the last driver let go, and nobody has extended the sweep since.
        reopened: Whether somebody has extended the sweep since its last driver let go.
        extended: The limits that people have set since the sweep began, the newest of each; None where nobody has.
        notes: What people wrote about the sweep as a whole, oldest first.
        requests: Ids of the requests that were obeyed.
        epochs: Epochs trained, repeated ones included.
        slots: Trials that the last driver could run at once; 0 before the first.
        ran_out_bytes: Most device memory that a trial had to itself and ran out of; 0 where none did, or nothing bounded it.
        launched_now: Trials that the last driver has launched, for the first time or again.
        failed_now: Those of them that failed.
        num_excused: Trials that failed under drivers which stopped because most did: others are drawn in their place.
        last_at: When the last driver last said something, UTC, ISO 8601; empty before the first.
    """

    started: SweepStarted | None = None
    trials: dict[str, TrialRecord] = field(default_factory=dict)
    config_hashes: dict[str, str] = field(default_factory=dict)
    next_draw: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    judged: list[Decided | Ended] = field(default_factory=list)
    driver: DriverStarted | None = None
    stopped: DriverStopped | None = None
    finished: bool = False
    reopened: bool = False
    extended: Extended | None = None
    notes: list[Noted] = field(default_factory=list)
    requests: set[str] = field(default_factory=set)
    epochs: int = 0
    slots: int = 0
    ran_out_bytes: int = 0
    launched_now: set[str] = field(default_factory=set)
    failed_now: list[str] = field(default_factory=list)
    num_excused: int = 0
    last_at: str = ""
    _driven_s: float = 0.0  # of drivers that are gone
    _slot_time: SlotTime = field(default_factory=SlotTime)
    _slot_memory_bytes: int = 0
    _running: set[str] = field(default_factory=set)
    _pending: set[str] = field(default_factory=set)
    _ended: Counter[EndStatus] = field(default_factory=Counter)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Return the history that the events add up to."""
        history = cls()
        with uncollected():
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
    def num_trials(self) -> int:
        """Return the trials asked for by now."""
        started = 0 if self.started is None else self.started.num_trials
        # Less than at first where a budget of fewer trials was raised.
        return started if self.extended is None or self.extended.trials is None else max(started, self.extended.trials)

    @property
    def num_counted(self) -> int:
        """Return the trials that count against the number asked for: one that did not fit the device's memory is drawn again.

        So are those that failed where most did, as soon as somebody has mended what was wrong and goes on.
        """
        return len(self.trials) - self._ended["out_of_memory"] - self.num_excused

    @property
    def num_completed(self) -> int:
        """Return the trials that were trained in full."""
        return self._ended["completed"]

    @property
    def cut_short(self) -> list[TrialRecord]:
        """Return the trials that were paused in the middle of a segment, as the budget does it."""
        return [record for record in self.trials.values() if record.status == "paused" and record.epochs < record.until_epoch]

    def next_pending(self) -> str | None:
        """Return the first trial that waits to be launched, for the first time or again; None when none does."""
        return min(self._pending, default=None)

    def counts(self) -> dict[Status, int]:
        """Return status -> trials, in the order of a trial's life, without the zeros."""
        seen = Counter(record.status for record in self.trials.values())
        return {status: seen[status] for status in STATUSES if seen[status]}

    def driven_s(self, now: float | None = None) -> float:
        """Return the seconds in which a driver ran.

        Args:
            now: Seconds since 1970 where the driver is alive; None counts up to its last word.
        """
        if self.driver is None:
            return self._driven_s
        return self._driven_s + max(0.0, (seconds(self.last_at) if now is None else now) - seconds(self.driver.at))

    def slot_s(self) -> tuple[float, float]:
        """Return the workers' time that drivers had, in seconds up to the last word of the last one: all of it, and that of starting."""
        return self._slot_time.until(self.last_at)

    def accepts(self, report: Reported) -> bool:
        """Return whether a report is news: from the segment that runs now, of an epoch that the curve lacks."""
        record = self._record(report)
        return report.trial in self._running and report.attempt == record.attempt and report.epoch not in record.curve

    def apply(self, event: Event) -> None:
        """Remember one fact, live or replayed.

        Raises:
            Unreadable: It speaks of a trial that was never suggested, or suggests one twice.
        """
        if self.driver is not None and type(event) not in _OF_OTHERS and not self._asked_for(event):
            self.last_at = event.at
        match event:
            case Reported():
                if self.accepts(event):
                    self._reported(event)
            case Decided():
                self._decided(event)
            case Launched():
                record = self._record(event)
                record.attempts.append(event)
                self.launched_now.add(event.trial)
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
                self.epochs += 1
            case Tested():
                self._record(event).tested = event
            case SweepStarted():
                self.started = event
            case DriverStarted():
                self._interrupt()
                self.driver, self.stopped = event, None
                self.finished = self.reopened = False
                self.last_at, self.slots = event.at, event.slots
                self._slot_time.started(event.at, event.slots)
                self._slot_memory_bytes = event.slot_memory_bytes
                self.launched_now, self.failed_now = set(), []
            case Resized():
                self._slot_time.resized(event.at, event.slots)
                self.slots = event.slots
            case DriverStopped():
                self._interrupt()
                if event.reason == "failing":
                    self.num_excused += len(self.failed_now)
                    self.failed_now = []
                self.driver, self.stopped, self.finished = None, event, event.reason == "finished"
            case Extended() | Noted() | Tagged() | Hidden() | StopRequested() | Confirmed():
                self.requests.add(event.request)
                self._asked(event)

    def _asked_for(self, event: Event) -> bool:
        """Return whether an event is the end of a trial that a person stopped, perhaps long after its driver was killed."""
        return type(event) is Ended and self._record(event).stop_asked is not None

    def _asked(self, event: Asked) -> None:
        match event:
            case Extended():
                known = self.extended or event
                new = {name: value for name in LIMITS if (value := getattr(event, name)) is not None}
                self.extended = replace(known, **new)
                self.finished, self.reopened = False, self.driver is None
                if new.keys() - {"trials"}:
                    self._go_on()
            case Noted(trial=None):
                self.notes.append(event)
            case Noted(trial=str(trial)):
                self._known(trial, event).notes.append(event)
            case Tagged():
                record = self._known(event.trial, event)
                record.tags = tuple(sorted((set(record.tags) - set(event.removed)) | set(event.added)))
            case Hidden():
                for trial in event.trials:
                    self._known(trial, event).hidden = event.hidden
            case StopRequested():
                for trial in event.trials:
                    self._known(trial, event).stop_asked = event
            case Confirmed():
                for trial, figures in event.trials.items():
                    self._known(trial, event).confirmed = _confirmation(event, figures)

    def _go_on(self) -> None:
        """Let trials that the budget has cut short wait to be launched again."""
        for record in self.cut_short:
            self._move(record, "pending")

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
        self._slot_time.reported(event)
        self.epochs += 1
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
            self.judged.append(event)
        if event.action == "pause":
            self._move(record, "paused")

    def _end(self, event: Ended) -> None:
        record = self._record(event)
        if record.ended is None:
            record.ended = event
            self.judged.append(event)
            self._ended[event.status] += 1
            if event.status == "failed":
                self.failed_now.append(event.trial)
            elif event.status == "out_of_memory":
                self.ran_out_bytes = max(self.ran_out_bytes, self._slot_memory_bytes)
            self._running.discard(event.trial)
            self._pending.discard(event.trial)

    def _interrupt(self) -> None:
        """Workers go with their driver: what was running waits to be launched again, and its time is over."""
        if self.driver is not None:
            self._slot_time.stopped(self.last_at)
        self._driven_s, self.driver = self.driven_s(), None
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
        return self._known(event.trial, event)

    def _known(self, trial: str, event: Event) -> TrialRecord:
        if (record := self.trials.get(trial)) is None:
            raise Unreadable(f"the journal has a {type(event).__name__} of {trial}, which was never suggested; restore it from a copy")
        return record


def _confirmation(event: Confirmed, figures: Mapping[str, float | None]) -> Confirmation:
    return Confirmation(
        confirmation=event.confirmation,
        mean=figures.get("mean"),
        low=figures.get("low"),
        high=figures.get("high"),
        sd=figures.get("sd"),
        n=int(figures.get("n") or 0),
        failed=int(figures.get("failed") or 0),
        p_best=figures.get("p_best"),
        margin=figures.get("margin"),
        rung_mean=figures.get("rung_mean"),
        val_accuracy=figures.get("val_accuracy"),
    )
