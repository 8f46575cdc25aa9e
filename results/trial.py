"""The facts of one trial, and its status: the one place where that is computed. Imports events only; `results.history` fills it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from results.events import Decided, Ended, EndStatus, Launched, Lost, Noted, Reported, StopRequested, Tested

Phase = Literal["pending", "running", "paused"]
Status = Phase | EndStatus

# In the order of a trial's life; the order in which counts and unranked rows are shown.
STATUSES: tuple[Status, ...] = ("pending", "running", "paused", "stopped", "completed", "diverged", "out_of_memory", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a trial came to over fresh seeds; the figures of `results.events.Confirmed`."""

    confirmation: str
    mean: float | None
    low: float | None
    high: float | None
    sd: float | None
    n: int
    failed: int
    p_best: float | None
    margin: float | None
    rung_mean: float | None
    val_accuracy: float | None


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
        notes: What people wrote about it, oldest first.
        tags: Words that people put on it, ascending.
        hidden: Whether a person took it out of sight; it changes no decision.
        confirmed: What it came to over fresh seeds, by the newest confirmation; None before the first.
        stop_asked: Who wanted it to stop; None where nobody did.
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
    notes: list[Noted] = field(default_factory=list)
    tags: tuple[str, ...] = ()
    hidden: bool = False
    confirmed: Confirmation | None = None
    stop_asked: StopRequested | None = None

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
