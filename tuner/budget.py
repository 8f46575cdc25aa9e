"""What a sweep has spent, what it is about to spend, and whether one more epoch fits. A fold over the journal; no clock of its own.

An epoch starts only where what is spent, the rest of every epoch that runs and its own predicted cost stay within the limits
together. What an epoch will cost is predicted from the trial's own last epochs, or for a new trial from similar ones: networks of
about as many operations, with about the same batch size. The first epochs of all start blind, for nothing is known yet.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args

from results.events import (
    Asked,
    Decided,
    DriverStarted,
    DriverStopped,
    Ended,
    Event,
    Extended,
    Launched,
    Lost,
    Repeated,
    Reported,
    StopRequested,
    Suggested,
    seconds,
)
from search_spaces.sweep import BudgetOptions

_ASKED = frozenset(get_args(Asked))

OWN_EPOCHS = 3  # the longest of a trial's last so many predicts its next: one that was slow by chance is soon forgotten
SIMILAR_EPOCHS = 8  # the same among similar trials, of which some are slower than others
# Upon a new trial's epoch, which similar ones predict: optimizers differ, and networks of as many operations in their layers.
MARGIN = 1.25
# Networks are similar within a quarter of a power of two in operations, batch sizes within half a power of two.
OPERATIONS_STEPS = 4
BATCH_STEPS = 2


@dataclass(frozen=True, slots=True)
class Work:
    """What decides how long an epoch of a configuration takes, within one sweep on like machines.

    Attributes:
        operations: Of one image's forward pass times the versions of it that an epoch shows, > 0.
        batch_size: Images at a time.
    """

    operations: float
    batch_size: int

    @classmethod
    def of(cls, config: Mapping[str, Any], flops_per_image: int) -> Self:
        """Return the work of a TrainConfig as JSON."""
        repeats = config.get("augment", {}).get("repeats", 1)
        return cls(float(max(1, flops_per_image) * repeats), config.get("batch_size", 1))

    @property
    def like(self) -> tuple[int, int]:
        """Return what similar work has in common."""
        return round(OPERATIONS_STEPS * math.log2(self.operations)), round(BATCH_STEPS * math.log2(self.batch_size))


@dataclass(frozen=True, slots=True)
class EpochCost:
    """What one epoch takes: seconds of a device, and seconds until it is reported."""

    device_s: float
    wall_s: float


# The last epochs of a trial, or of similar ones: seconds of a device, and seconds until it was reported. Plain pairs, and moments as
# they stand in the journal: a fold over 250,000 reports pays for everything that is done to each.
_Costs = deque[tuple[float, float]]


class Budget:
    """Spent epochs, workers' time, wall-clock time and trials, against their limits.

    Epochs trained again after a crash count: they were paid for. Wall-clock time counts while a driver runs: a sweep that was
    interrupted overnight has not spent the night.

    Attributes:
        limits: What may be spent; `extend` replaces it, and whoever wants to know a limit asks here.
        epochs: Epochs trained, repeated ones included.
        device_s: Seconds in which workers trained or evaluated.
        trials: Trials launched, replacements included.
    """

    def __init__(self, limits: BudgetOptions) -> None:
        self.limits = limits
        self.epochs = 0
        self.device_s = 0.0
        self.trials = 0
        self._wall_s = 0.0  # of earlier drivers
        self._started_s: float | None = None
        self._last_at: str | None = None
        self._stopped: set[str] = set()  # trials that a person stopped, perhaps long after their driver was killed
        self._work: dict[str, Work] = {}
        self._own: dict[str, _Costs] = {}
        self._similar: dict[tuple[int, int], tuple[Work, _Costs]] = {}
        self._alike: dict[str, _Costs] = {}  # trial -> its entry among the similar ones
        # Trial -> what its running epoch was predicted to cost (None where nothing was known), and when it began (None for the first of
        # a segment, whose worker may still be starting).
        self._running: dict[str, tuple[EpochCost | None, str | None]] = {}

    @property
    def limits_training(self) -> bool:
        """Return whether training itself is limited, not only the number of trials."""
        return any(limit is not None for limit in (self.limits.epochs, self.limits.gpu_hours, self.limits.wall_clock))

    def apply(self, event: Event) -> None:
        """Remember one fact, live or replayed."""
        match event:
            case Reported():
                self.epochs += 1
                self.device_s += event.device_s
                cost = event.device_s, event.wall_s
                self._own[event.trial].append(cost)
                self._alike[event.trial].append(cost)
                self._begin(event.trial, event.at)
            case Repeated():
                self.epochs += 1
                self.device_s += event.device_s
                self._begin(event.trial, event.at)
            case Launched(trial=trial):
                self._begin(trial, None)
            case Suggested():
                self.trials += 1
                work = self._work[event.trial] = Work.of(event.config, event.cost.get("flops_per_image", 1))
                self._own[event.trial] = deque(maxlen=OWN_EPOCHS)
                self._alike[event.trial] = self._similar.setdefault(work.like, (work, deque(maxlen=SIMILAR_EPOCHS)))[1]
            case Decided(trial=trial, action=action) if action != "continue":
                self._running.pop(trial, None)
            case Lost(trial=trial) | Ended(trial=trial):
                self._running.pop(trial, None)
            case DriverStarted():
                self._close()
                self._started_s = seconds(event.at)
                self._running.clear()
            case DriverStopped():
                self._last_at = event.at
                self._close()
                self._running.clear()
            case Extended():
                self.limits = raised(self.limits, event)
            case StopRequested(trials=trials):
                self._stopped.update(trials)
        # What people ask for, and what follows from it, may come when no driver runs.
        if type(event) not in _ASKED and not (type(event) is Ended and event.trial in self._stopped):
            self._last_at = event.at

    def wall_s(self, now: float) -> float:
        """Return the seconds in which a driver ran; `now` in seconds since 1970."""
        return self._wall_s + (now - self._started_s if self._started_s is not None else 0.0)

    def predicted(self, trial: str | None, work: Work | None = None) -> EpochCost | None:
        """Return what the next epoch of a trial will cost; None where nothing is known.

        Args:
            trial: Its id; None for a candidate that is no trial yet.
            work: A candidate's work; that of `trial` where None.
        """
        if trial is not None and (own := self._own.get(trial)):
            return _longest(own)
        if work is None and (work := self._work.get(trial or "")) is None:
            return None
        entries = [entry for entry in self._similar.values() if entry[1]]
        if not entries:
            return None
        similar, costs = min(entries, key=lambda entry: (entry[0].like != work.like, _distance(work, entry[0])))
        longest = _longest(costs)
        # More operations take longer in proportion at most, fewer perhaps no less: what every epoch costs besides is not known.
        factor = MARGIN * max(1.0, work.operations / similar.operations)
        return EpochCost(factor * longest.device_s, factor * longest.wall_s)

    def refusal(self, trial: str | None, *, now: float, work: Work | None = None) -> str | None:
        """Return why the next epoch of a trial may not start; None where it may.

        Args:
            trial: The trial; one that runs counts once. None for a candidate that is no trial yet.
            now: Seconds since 1970.
            work: A candidate's work.
        """
        limits = self.limits
        if limits.epochs is not None and self.epochs + len(self._running) + (trial not in self._running) > limits.epochs:
            return f"epochs: {self.epochs} of {limits.epochs} spent"
        if limits.gpu_hours is None and limits.wall_clock_s is None:
            return None
        next_epoch = self.predicted(trial, work) or EpochCost(0.0, 0.0)
        if limits.gpu_hours is not None:
            running_s = sum(_device_s(*running, now) for name, running in self._running.items() if name != trial)
            if self.device_s + running_s + next_epoch.device_s > limits.gpu_hours * 3600:
                return f"gpu_hours: {self.device_s / 3600:.3g} of {limits.gpu_hours:g} spent"
        if limits.wall_clock_s is not None and self.wall_s(now) + next_epoch.wall_s > limits.wall_clock_s:
            return f"wall_clock: {self.wall_s(now):.0f} of {limits.wall_clock_s:.0f} s spent"
        return None

    def trials_refusal(self) -> str | None:
        """Return why no further trial may be launched; None where one may. Trials that were launched go on."""
        limit = self.limits.trials
        return f"trials: {self.trials} of {limit} launched" if limit is not None and self.trials >= limit else None

    def _begin(self, trial: str, since: str | None) -> None:
        """An epoch of a trial begins, unless the decision that follows ends the segment."""
        self._running[trial] = self.predicted(trial) if self.limits.gpu_hours is not None else None, since

    def _close(self) -> None:
        """Add up the time of a driver that is gone."""
        if self._started_s is not None and self._last_at is not None:
            self._wall_s += max(0.0, seconds(self._last_at) - self._started_s)
        self._started_s = None


def raised(limits: BudgetOptions, extended: Extended) -> BudgetOptions:
    """Return the limits with those that a person has raised."""
    asked = {"epochs": extended.epochs, "gpu_hours": extended.gpu_hours, "wall_clock": extended.wall_clock_s}
    if limits.trials is not None and extended.trials is not None:
        asked["trials"] = max(limits.trials, extended.trials)
    return limits.model_copy(update={name: value for name, value in asked.items() if value is not None})


def _longest(costs: _Costs) -> EpochCost:
    return EpochCost(max(device_s for device_s, _ in costs), max(wall_s for _, wall_s in costs))


def _device_s(predicted: EpochCost | None, since: str | None, now: float) -> float:
    """Return what a running epoch costs at least: what was predicted, or more where it has run for longer already."""
    predicted_s = predicted.device_s if predicted is not None else 0.0
    return predicted_s if since is None else max(predicted_s, now - seconds(since))


def _distance(one: Work, other: Work) -> float:
    return abs(math.log2(one.operations / other.operations)) + abs(math.log2(one.batch_size / other.batch_size))
