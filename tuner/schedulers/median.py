"""Median stopping rule: a trial that was never as good as the others were on average stops. No clock, no journal, no ray, no torch.

Source: Golovin et al., "Google Vizier", KDD 2017, the median stopping rule: stop x at step s if the best objective of x by step s is
strictly worse than the median of the running averages o_{1:s} of all completed trials up to step s.

Deviates from it in two points. All other trials that have reached step s count, not the completed ones alone: with many workers a
sweep would be half over before the first is complete. And nobody stops before `grace_epochs`, nor while fewer than `min_trials` others
have reached the step.
"""

import bisect
from dataclasses import dataclass

from results.events import Ended, Event, Reported
from tuner.decisions import CONTINUE, Decision, Promotion
from tuner.rungs import rung_epochs


@dataclass(slots=True)
class _Curve:
    """What the rule needs of a trial that is being trained: number, sum and best of its values, higher is better."""

    num_values: int
    total: float
    best: float

    @property
    def average(self) -> float:
        return self.total / self.num_values


class Median:
    """Every epoch is a comparison; there are no rungs and nobody waits.

    Each epoch keeps the running averages of all that reached it in order: a report costs one bisection, at ten thousand trials as at ten.
    The trial whose average is highest at an epoch has a best value no worse than that, so somebody always goes on to the end.
    """

    ladder: tuple[int, ...] = ()

    def __init__(self, *, max_epochs: int, grace_epochs: int, min_trials: int, sign: int) -> None:
        self.looks = rung_epochs(min_epochs=grace_epochs, max_epochs=max_epochs, eta=2)  # it looks at all; a forecast at these
        self._max_epochs = max_epochs
        self._grace_epochs = grace_epochs
        self._min_trials = min_trials
        self._sign = sign
        self._curves: dict[str, _Curve] = {}
        self._averages: dict[int, list[float]] = {}  # epoch -> running averages up to there, ascending

    def apply(self, event: Event) -> None:
        """Remember a score, and the trial's average with it; that of an ended trial stays."""
        match event:
            case Reported(trial=trial, epoch=epoch, score=score) if score is not None:
                value = self._sign * score
                curve = self._curves.setdefault(trial, _Curve(0, 0.0, value))
                curve.num_values += 1
                curve.total += value
                curve.best = max(curve.best, value)
                if epoch >= self._grace_epochs:
                    bisect.insort(self._averages.setdefault(epoch, []), curve.average)
            case Ended(trial=trial):
                self._curves.pop(trial, None)

    def judge(self, trial: str, epoch: int) -> Decision:
        """Stop what is strictly worse than the median; ties go on."""
        averages = self._averages.get(epoch, [])
        num_others = len(averages) - 1
        if num_others < self._min_trials:
            return CONTINUE
        curve = self._curves[trial]
        median = _median_without(averages, curve.average)
        if curve.best >= median:
            return CONTINUE
        best, cutoff = self._sign * curve.best, self._sign * median
        # Where it stopped stands for a rung: stopped trials rank by how far they came.
        reason = f"its best, {best:.4g}, is worse than {cutoff:.4g}, the median of {num_others} others at epoch {epoch}"
        return Decision(action="stop", rung_epochs=epoch, cutoff=cutoff, reason=reason)

    def promotion(self) -> Promotion | None:
        """Return None: nobody waits."""
        return None

    def leader(self) -> Promotion | None:
        """Return None: nobody waits, and somebody always reaches the end."""
        return None

    def segment_end(self, trial: str, from_epoch: int) -> int:
        """Return the last epoch: a trial that goes on keeps its worker."""
        return self._max_epochs


def _median_without(ordered: list[float], own: float) -> float:
    """Return the median of an ascending list without one of its members; that of two middle ones is their mean."""
    place = bisect.bisect_left(ordered, own)
    num_others = len(ordered) - 1
    low, high = ((num_others - 1) // 2, num_others // 2)
    return (ordered[low + (low >= place)] + ordered[high + (high >= place)]) / 2
