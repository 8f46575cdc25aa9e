"""The journal's vocabulary: everything that can happen in a sweep, as plain facts. Imports nothing of ours.

A fact is written once, by the driver, and never changed. Its form in the journal is in `event_lines`.
"""

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

JOURNAL_VERSION = 3  # 2: every line has its number; people may extend, annotate and stop a sweep. 3: confirmations, resized clusters

Action = Literal["continue", "pause", "stop"]
Why = Literal["new", "promotion", "retry", "resume", "drain"]
EndStatus = Literal["completed", "stopped", "diverged", "out_of_memory", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepStarted:
    """The first line of every journal: what is searched, and by which measure.

    Attributes:
        at: UTC, ISO 8601.
        sweep: The sweep's name.
        sweep_hash: Identity of the resolved sweep file.
        metric: Name of the objective.
        mode: Whether the metric is maximised or minimised.
        parameters: Paths of the searched parameters, in the order of the file.
        ladder: Rungs in epochs, ascending; for drawing only.
        max_epochs: Epochs of a trial trained in full.
        num_trials: Trials asked for.
        commit: Commit of this software, None where unknown.
        versions: Package -> version.
    """

    at: str
    sweep: str
    sweep_hash: str
    metric: str
    mode: Literal["max", "min"]
    parameters: tuple[str, ...]
    ladder: tuple[int, ...]
    max_epochs: int
    num_trials: int
    commit: str | None
    versions: Mapping[str, str]
    version: int = JOURNAL_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStarted:
    """A driver took the sweep's lock. Whatever an earlier driver had running was interrupted.

    Attributes:
        host: Its machine.
        pid: Its process there.
        slots: Trials at once.
        gpus: Share of a GPU that each trial holds, 0..1; 0 on processors.
        slot_memory_bytes: Device memory that a trial may use; 0 where nothing bounds it.
    """

    at: str
    host: str
    pid: int
    slots: int
    gpus: float = 0.0
    slot_memory_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resized:
    """Nodes joined or left while the driver ran: it can train so many trials at once from now on."""

    at: str
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStopped:
    """The driver let go of the sweep: `finished`, `interrupted`, `stopped` (by a person), `budget`, `failed` or `failing` (most trials)."""

    at: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """A candidate became a trial.

    Attributes:
        trial: Its id, `t00001` onwards.
        config: The resolved TrainConfig as JSON.
        config_hash: Equal for configurations that compute the same.
        values: Searched parameter -> value, active ones only.
        cost: Fields of ArchitectureCost.
        draw: Number of the draw that gave it, 0-based; the next draw is one higher.
        source: What proposed it: the sampler's name, `start` or `transfer`.
        rejected: Reason -> candidates drawn and rejected since the last suggestion.
    """

    at: str
    trial: str
    config: Mapping[str, Any]
    config_hash: str
    values: Mapping[str, Any]
    cost: Mapping[str, int]
    draw: int
    source: str
    rejected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """A segment of a trial was handed to a worker.

    Attributes:
        attempt: 1 for the trial's first segment, one more for each later one.
        from_epoch: Epochs already trained; 0 is a fresh start.
        until_epoch: The epoch at which the segment ends unless a decision ends it sooner.
        why: `new`, `promotion`, `retry` (worker lost), `resume` (driver restarted) or `drain`.
    """

    at: str
    trial: str
    attempt: int
    from_epoch: int
    until_epoch: int
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One epoch was trained: the fields of EpochMetrics, and where it happened.

    Attributes:
        score: The objective at this epoch; None where it is missing or not finite.
        checkpoint: Folder of the checkpoint written after this epoch, relative to the sweep; None where none was.
        worker: `host:pid` of the worker process.
        step_losses: Mean training loss of each batch of the epoch, in nats, where the sweep records steps; left out elsewhere.
    """

    at: str
    trial: str
    attempt: int
    score: float | None
    checkpoint: str | None
    worker: str
    device: str
    epoch: int
    val_accuracy: float
    val_loss: float
    train_accuracy: float
    train_loss: float
    lr: float
    wall_s: float
    device_s: float
    images_per_s: float
    peak_memory_bytes: int
    step_losses: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """An epoch that the journal already had was trained again after a crash: it costs, and changes nothing else."""

    at: str
    trial: str
    attempt: int
    epoch: int
    device_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided about a trial at a rung (or, with rung_epochs None, between rungs).

    Attributes:
        cutoff: The score that had to be met; None where there was none yet.
    """

    at: str
    trial: str
    epoch: int
    rung_epochs: int | None
    score: float | None
    action: Action
    cutoff: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The worker that held a segment went away: the trial goes on elsewhere from its last checkpoint.

    Attributes:
        reason: One line.
        node_lost: Whether its whole node went away, which says nothing against the trial.
        log_tail: Last lines that the worker wrote.
    """

    at: str
    trial: str
    attempt: int
    reason: str
    node_lost: bool = False
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A trial will not be trained any further.

    Attributes:
        reason: One line; empty for a completed trial.
        log_tail: Last lines of a failed trial's log.
    """

    at: str
    trial: str
    status: EndStatus
    reason: str = ""
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The test split was read, once, for one trial of a final.

    Attributes:
        metrics: Figure -> value (test_accuracy 0..1, test_loss in nats, examples).
        fingerprint: Content of the test split.
        train_fingerprint: Content of the training split, from which training and validation images were taken.
    """

    at: str
    trial: str
    metrics: Mapping[str, float]
    fingerprint: str
    train_fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """A person gave the sweep more room; null leaves a limit as it is.

    Attributes:
        trials: Trials asked for from now on, in all.
        epochs: Epochs that may be trained from now on, in all.
        gpu_hours: Hours of workers' time that may be spent from now on, in all.
        wall_clock_s: Seconds that the search may take from now on, in all.
        more: Limits that are not totals but so much more than whatever they are when the request is obeyed; empty in the journal.
    """

    at: str
    request: str
    author: str
    trials: int | None = None
    epochs: int | None = None
    gpu_hours: float | None = None
    wall_clock_s: float | None = None
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A person wrote something down.

    Attributes:
        trial: What it is about; null for the sweep.
        text: One line or several.
    """

    at: str
    request: str
    author: str
    trial: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A person put words on a trial, or took them off.

    Attributes:
        added: Tags it has from now on.
        removed: Tags it has no longer.
    """

    at: str
    request: str
    author: str
    trial: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A person took trials out of sight, or brought them back. It changes no decision.

    Attributes:
        trials: Which ones.
        hidden: Whether they are out of sight from now on.
    """

    at: str
    request: str
    author: str
    trials: tuple[str, ...]
    hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested:
    """A person wanted trials, or the driver, to stop. The end of each trial follows as an event of its own.

    Attributes:
        trials: Which ones; empty for the driver, whose sweep can be gone on with.
    """

    at: str
    request: str
    author: str
    trials: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """Trials were trained again over fresh seeds, in a sweep of its own below `confirmations/`.

    Attributes:
        confirmation: Its folder's name.
        trials: Trial -> mean, low, high (the 95 % interval) and sd of the score after its last epoch; n seeds and failed ones; p_best, the
            probability that its mean is the best of these trials; margin over the best other one in standard errors; rung_mean, the mean
            at the epoch at which the trial had its own score; val_accuracy, its mean. What is not known is null.
    """

    at: str
    request: str
    author: str
    confirmation: str
    trials: Mapping[str, Mapping[str, float | None]]


# What people ask for from other processes; everything else is the driver's own.
Asked = Extended | Noted | Tagged | Hidden | StopRequested | Confirmed

Event = (
    SweepStarted
    | DriverStarted
    | DriverStopped
    | Resized
    | Suggested
    | Launched
    | Reported
    | Repeated
    | Decided
    | Lost
    | Ended
    | Tested
    | Asked
)

KINDS: Mapping[str, type[Event]] = {kind.__name__: kind for kind in typing.get_args(Event)}


def stamp(now: float) -> str:
    """Return seconds since 1970 as UTC, ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")


def seconds(at: str) -> float:
    """Return the seconds since 1970 that `stamp` wrote."""
    return datetime.fromisoformat(at).timestamp()
