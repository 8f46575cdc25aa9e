"""Patience beside any rule: a trial whose score has stood still is stopped, wherever it is. No clock, no journal, no ray, no torch.

The criterion is that of Keras' EarlyStopping: the score that later ones are measured by moves only when it is beaten by more than
`min_delta`, so that many small steps that add up to less are no improvement.
"""

from dataclasses import dataclass

from results.events import Decided, Ended, Event, Launched, Reported
from tuner.decisions import Decision, Promotion
from tuner.schedulers.rule import Scheduler


@dataclass(slots=True)
class _Mark:
    """The last improvement of a trial: the epoch and the value, higher is better."""

    epoch: int
    value: float


class Patience:
    """A rule with a shorter breath: what the rule would let go on or wait is stopped once it stands still.

    A stopped trial is never promoted; its scores stay counted at the rungs where it was seen. The one that `drain` trains in full is left
    alone: else a sweep whose curves are all flat would drain one trial after the other and finish none.
    """

    def __init__(self, rule: Scheduler, *, epochs: int, min_delta: float, sign: int) -> None:
        self.ladder = rule.ladder
        self.looks = rule.looks
        self._rule = rule
        self._epochs = epochs
        self._min_delta = min_delta
        self._sign = sign
        self._marks: dict[str, _Mark] = {}
        self._judged: set[str] = set()  # trials that a rung has seen: they rank by that
        self._drained: set[str] = set()

    def apply(self, event: Event) -> None:
        """Remember when each trial last improved."""
        self._rule.apply(event)
        match event:
            case Reported(trial=trial, epoch=epoch, score=score) if score is not None:
                value = self._sign * score
                mark = self._marks.get(trial)
                if mark is None or value > mark.value + self._min_delta:
                    self._marks[trial] = _Mark(epoch, value)
            case Decided(trial=trial, rung_epochs=int()):
                self._judged.add(trial)
            case Launched(trial=trial, why="drain"):
                self._drained.add(trial)
            case Ended(trial=trial):
                self._marks.pop(trial, None)
                self._judged.discard(trial)
                self._drained.discard(trial)

    def judge(self, trial: str, epoch: int) -> Decision:
        """Return the rule's decision, or a stop where the trial has stood still for too long."""
        decision = self._rule.judge(trial, epoch)
        mark = self._marks[trial]
        if decision.action == "stop" or epoch - mark.epoch < self._epochs or trial in self._drained:
            return decision
        # A trial that no rung has seen yet ranks by the epoch at which it stopped: it would have no rank at all.
        rung = epoch if decision.rung_epochs is None and trial not in self._judged else decision.rung_epochs
        reason = f"on a plateau: no better than {self._sign * mark.value:.4g} for {epoch - mark.epoch} epochs"
        return Decision(action="stop", rung_epochs=rung, cutoff=decision.cutoff, reason=reason)

    def promotion(self) -> Promotion | None:
        """Return the rule's promotion; whoever was stopped waits no more."""
        return self._rule.promotion()

    def leader(self) -> Promotion | None:
        """Return the rule's leader."""
        return self._rule.leader()

    def segment_end(self, trial: str, from_epoch: int) -> int:
        """Return the end of the rule's segment."""
        return self._rule.segment_end(trial, from_epoch)
