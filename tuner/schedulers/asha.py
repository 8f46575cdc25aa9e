"""ASHA's two variants: who waits or stops at a rung, who goes on from it. No clock, no journal, no ray, no torch.

Source: Li et al., MLSys 2020, arXiv:1810.05934. The paper's r, R, eta are `ladder[0]`, `max_epochs`, `eta`. Its early-stopping
rate s is said as `min_epochs`, a first rung at r * eta**s; `hyperband.py` runs several s side by side.
"""

import bisect
from collections.abc import Sequence

from results.events import Ended, Event, Launched, Reported
from tuner.decisions import CONTINUE, Decision, Promotion
from tuner.rungs import Rung


class PromotionAsha:
    """Algorithm 2: every trial pauses at its rung; a free worker takes the best one that may go on."""

    def __init__(self, ladder: Sequence[int], *, max_epochs: int, eta: int, sign: int, delayed: bool, drain: bool) -> None:
        self.ladder = tuple(ladder)
        self.looks = self.ladder
        self._rungs = {epochs: Rung(epochs) for epochs in self.ladder}
        self._max_epochs = max_epochs
        self._eta = eta
        self._sign = sign
        self._delayed = delayed
        self._drain = drain

    def apply(self, event: Event) -> None:
        """Remember who arrived at a rung, who went on from it and who will never."""
        match event:
            case Reported(trial=trial, epoch=epoch, score=score) if epoch in self._rungs and score is not None:
                self._rungs[epoch].add(trial, self._sign * score)
            case Launched(trial=trial, from_epoch=epoch) if epoch in self._rungs:
                self._rungs[epoch].promote(trial)
            case Ended(trial=trial):
                for rung in self._rungs.values():
                    rung.withdraw(trial)

    def judge(self, trial: str, epoch: int) -> Decision:
        """Pause at every rung. The cut-off is that of this moment: a later arrival may still lift the trial into the top."""
        if (rung := self._rungs.get(epoch)) is None:
            return CONTINUE
        num_kept = len(rung) // self._eta
        value = rung.cutoff(num_kept)
        place = f"{rung.position(trial) + 1} of {len(rung)} at rung {epoch}"
        return Decision(
            action="pause", rung_epochs=epoch, cutoff=None if value is None else self._sign * value, reason=f"{place}, {num_kept} may go on"
        )

    def promotion(self) -> Promotion | None:
        """Return the trial to resume next, from the highest rung that has one; None when all must wait."""
        for rung in reversed(self._rungs.values()):
            # Deviates from Algorithm 2: with `delayed`, eta trials must stand behind each one sent up, so that nine trials
            # that arrive worst first fill rungs 9/3/1 where the paper's rule fills them 9/7/5.
            if self._delayed and len(rung) < self._eta * (rung.num_promoted + 1):
                continue
            trial = rung.best_waiting()
            if trial is not None and rung.position(trial) < len(rung) // self._eta:
                return self._next_segment(trial, rung)
        return None

    def leader(self) -> Promotion | None:
        """Return the best waiting trial of the highest rung that has one.

        Deviates from Algorithm 2, which may end with nobody trained in full (nine trials, rungs 1, 3, 9 of 27 epochs, delayed).
        """
        if not self._drain:
            return None
        for rung in reversed(self._rungs.values()):
            if (trial := rung.best_waiting()) is not None:
                return self._next_segment(trial, rung)
        return None

    def segment_end(self, trial: str, from_epoch: int) -> int:
        """Return the next rung above `from_epoch`, or the last epoch."""
        above = bisect.bisect_right(self.ladder, from_epoch)
        return self.ladder[above] if above < len(self.ladder) else self._max_epochs

    def _next_segment(self, trial: str, rung: Rung) -> Promotion:
        until_epoch = self.segment_end(trial, rung.epochs)
        return Promotion(trial=trial, from_epoch=rung.epochs, until_epoch=until_epoch, value=rung.value(trial))


class StoppingAsha:
    """A trial below the top 1/eta of its rung at the moment it arrives stops for good; nobody ever waits.

    The first trial to reach a rung always goes on, whatever its score: cheaper to run than promotion (no pauses), and more
    trained than promotion when the weak ones come first.
    """

    def __init__(self, ladder: Sequence[int], *, max_epochs: int, eta: int, sign: int) -> None:
        self.ladder = tuple(ladder)
        self.looks = self.ladder
        self._rungs = {epochs: Rung(epochs) for epochs in self.ladder}
        self._max_epochs = max_epochs
        self._eta = eta
        self._sign = sign

    def apply(self, event: Event) -> None:
        """Remember who arrived at a rung."""
        match event:
            case Reported(trial=trial, epoch=epoch, score=score) if epoch in self._rungs and score is not None:
                self._rungs[epoch].add(trial, self._sign * score)

    def judge(self, trial: str, epoch: int) -> Decision:
        """Go on from the top 1/eta of the rung, itself included; the best so far always does."""
        if (rung := self._rungs.get(epoch)) is None:
            return CONTINUE
        num_kept = max(1, len(rung) // self._eta)
        position = rung.position(trial)
        value = rung.cutoff(num_kept)
        return Decision(
            action="continue" if position < num_kept else "stop",
            rung_epochs=epoch,
            cutoff=None if value is None else self._sign * value,
            reason=f"{position + 1} of {len(rung)} at rung {epoch}, {num_kept} may go on",
        )

    def promotion(self) -> Promotion | None:
        """Return None: nobody waits."""
        return None

    def leader(self) -> Promotion | None:
        """Return None: the best of a rung never stops, so somebody always reaches the end."""
        return None

    def segment_end(self, trial: str, from_epoch: int) -> int:
        """Return the last epoch: a trial that goes on keeps its worker."""
        return self._max_epochs
