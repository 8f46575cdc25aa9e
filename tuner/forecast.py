"""How much longer a sweep takes: simulated on, from where it stands, with scores in random order. No clock, no journal, no ray, no torch.

The sweep's own rule decides in the simulation. Unknown are the scores to come and how long an epoch of a new trial takes: both are
drawn from what this sweep has shown so far, several times, and the spread of the outcomes is the answer. Not foreseen are
trials that fail, those that patience stops, and networks much larger than any seen yet.
"""

import bisect
import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, replace
from typing import Self

from results.events import Ended, Launched, Reported
from results.history import TrialRecord
from tuner.schedulers import scheduler
from tuner.search import Search

# Outcomes per forecast. Where nothing but chance decides, the truth lies outside the least and the most of twenty in 2 of 21
# cases, whatever the distribution. Fewer where a sweep is so large that they would hold up its driver (20 us a trial, measured).
SIMULATIONS = 20
MIN_SIMULATIONS = 4
MAX_SIMULATED_TRIALS = 20_000

# Fewer epochs than this say too little about how long an epoch takes: the first ones also warm up.
MIN_EPOCHS = 5


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a sweep still needs, the least and the most of the simulated outcomes.

    Attributes:
        low_s: Seconds.
        high_s: Seconds, >= low_s.
    """

    low_s: float
    high_s: float


def forecast(search: Search, *, slots: int, now: float, rng: random.Random) -> Forecast | None:
    """Return how much longer a search takes; None until it has trained enough to say.

    Args:
        search: The sweep in progress; it is read, never changed.
        slots: Trials trained at the same time, >= 1.
        now: Seconds since 1970.
        rng: Draws the unknown scores and epoch times.
    """
    seen = [(record.wall_s / len(record.curve), record) for record in search.history.trials.values() if record.curve]
    if sum(len(record.curve) for _, record in seen) < MIN_EPOCHS:
        return None
    epoch_s = {record.trial: mean_s for mean_s, record in seen}
    simulations = max(MIN_SIMULATIONS, min(SIMULATIONS, MAX_SIMULATED_TRIALS // max(1, search.num_trials)))
    outcomes = [_Outcome(search, epoch_s, slots=slots, now=now, rng=rng).run() for _ in range(simulations)]
    return Forecast(min(outcomes), max(outcomes))


class _Outcome:
    """One possible continuation: the loop of `simulate`, from rung to rung instead of from epoch to epoch."""

    def __init__(self, search: Search, epoch_s: dict[str, float], *, slots: int, now: float, rng: random.Random) -> None:
        self._sweep = search.sweep
        self._rule = scheduler.build(search.sweep.scheduler.rule, sign=search.sweep.objective.sign)
        self._rng = rng
        self._slots = slots
        self._now = 0.0  # seconds from now
        self._epoch_s = dict(epoch_s)
        # Drawn again from itself (a bootstrap): what few trials say of the mean is uncertain, too, and belongs in the range.
        self._known_s = rng.choices(list(epoch_s.values()), k=len(epoch_s))
        self._to_start = 0 if search.exhausted else max(0, search.num_trials - search.history.num_counted)
        if search.budget.limits.trials is not None:
            self._to_start = min(self._to_start, max(0, search.budget.limits.trials - search.budget.trials))
        self._num_trials = len(search.history.trials)
        self._num_completed = search.history.num_completed
        self._interrupted: deque[TrialRecord] = deque()
        self._running: list[tuple[float, str, int, int]] = []  # (when it reaches the next stop, trial, that epoch, segment's end)
        self._template = next(record.last for record in search.history.trials.values() if record.last is not None)
        self._scores: dict[int, list[float]] = {look: [] for look in self._rule.looks}
        self._left = _Left.of(search, now)
        for record in search.history.trials.values():
            self._recall(record)

    def run(self) -> float:
        """Return the seconds until the sweep ends."""
        self._fill()
        while self._running:
            if self._running[0][0] > (budget_end := self._budget_end()):
                return max(self._now, budget_end)
            self._now, trial, epoch, until_epoch = heapq.heappop(self._running)
            if epoch >= self._sweep.max_epochs:
                self._num_completed += 1
                self._rule.apply(Ended(at="", trial=trial, status="completed"))
            else:
                self._rule.apply(self._report(trial, epoch))
                if self._rule.judge(trial, epoch).action == "continue":
                    self._train(trial, epoch, until_epoch)
            self._fill()
        return self._now

    def _recall(self, record: TrialRecord) -> None:
        """Tell the rule what is known of one trial, and put it back on its worker."""
        for look in self._rule.looks:
            if (report := record.curve.get(look)) is not None:
                self._rule.apply(report)
                if report.score is not None:
                    bisect.insort(self._scores[look], report.score)
        for launched in record.attempts:
            self._rule.apply(launched)
        if record.ended is not None:
            self._rule.apply(record.ended)
        elif record.status == "running":
            self._train(record.trial, record.epochs, record.until_epoch)
        elif record.status == "pending":
            self._interrupted.append(record)

    def _fill(self) -> None:
        """Hand out work in the order of `Search.next_job`."""
        while len(self._running) < self._slots and (job := self._next()) is not None:
            trial, from_epoch, until_epoch = job
            self._rule.apply(Launched(at="", trial=trial, attempt=1, from_epoch=from_epoch, until_epoch=until_epoch, why="promotion"))
            self._train(trial, from_epoch, until_epoch)

    def _next(self) -> tuple[str, int, int] | None:
        if self._interrupted:
            record = self._interrupted.popleft()
            return record.trial, record.checkpoint_epoch, self._rule.segment_end(record.trial, record.epochs)
        if (promotion := self._rule.promotion()) is not None:
            return promotion.trial, promotion.from_epoch, promotion.until_epoch
        if self._to_start:
            self._to_start -= 1
            self._num_trials += 1
            trial = f"t{self._num_trials:05d}"  # its number may decide its bracket
            return trial, 0, self._rule.segment_end(trial, 0)
        if not self._running and not self._num_completed and (promotion := self._rule.leader()) is not None:
            return promotion.trial, promotion.from_epoch, promotion.until_epoch
        return None

    def _train(self, trial: str, from_epoch: int, until_epoch: int) -> None:
        """Let a trial train to the next look or to its segment's end, whichever comes first."""
        stop = next((look for look in self._rule.looks if from_epoch < look < until_epoch), until_epoch)
        if trial not in self._epoch_s:
            self._epoch_s[trial] = self._rng.choice(self._known_s)
        epochs = stop - from_epoch
        seconds = epochs * self._epoch_s[trial]
        self._left.epochs -= epochs
        self._left.device_s -= seconds
        heapq.heappush(self._running, (self._now + seconds, trial, stop, until_epoch))

    def _budget_end(self) -> float:
        """Return when the budget is used up, if the trials that train now train on until then."""
        left = self._left
        if left.epochs == left.device_s == math.inf:
            return left.wall_s
        # Segments were charged in full when they began: what they have not trained yet is still to be spent.
        times_s = [(end - self._now, self._epoch_s[trial]) for end, trial, _, _ in self._running]
        device_s = left.device_s + sum(rest_s for rest_s, _ in times_s)
        epochs = left.epochs + sum(rest_s / epoch_s for rest_s, epoch_s in times_s)
        epochs_per_s = sum(1.0 / epoch_s for _, epoch_s in times_s)
        return min(left.wall_s, self._now + max(0.0, device_s) / len(times_s), self._now + max(0.0, epochs) / epochs_per_s)

    def _report(self, trial: str, epoch: int) -> Reported:
        """Return a report whose score stands with equal chance in each gap between those that its rung has seen."""
        scores = self._scores[epoch]
        place = self._rng.randrange(len(scores) + 1)
        below = scores[place - 1] if place else scores[0] - 1.0 if scores else 0.0
        above = scores[place] if place < len(scores) else below + 1.0
        score = (below + above) / 2
        scores.insert(place, score)
        return replace(self._template, trial=trial, epoch=epoch, score=score)


@dataclass(slots=True)
class _Left:
    """What the budget leaves; infinite where there is no limit."""

    epochs: float
    device_s: float
    wall_s: float

    @classmethod
    def of(cls, search: Search, now: float) -> Self:
        """Return what is left of a search's budget."""
        limits, spent = search.budget.limits, search.budget
        return cls(
            epochs=math.inf if limits.epochs is None else limits.epochs - spent.epochs,
            device_s=math.inf if limits.gpu_hours is None else limits.gpu_hours * 3600 - spent.device_s,
            wall_s=math.inf if limits.wall_clock_s is None else limits.wall_clock_s - spent.wall_s(now),
        )
