"""Asynchronous Hyperband: several ladders of ASHA side by side, each with its first rung one step higher. No clock, no ray, no torch.

ASHA bets on one first rung; where scores of early epochs say little of the later ones, that bet is lost. Hyperband spreads it: bracket s
compares first at r * eta**s, so bracket 0 drops most and soonest, and the last one trains nearly everything in full.

Source: Li et al., MLSys 2020, arXiv:1810.05934 (asynchronous Hyperband: ASHA with every early-stopping rate s); the sizes of the brackets
are those of Hyperband, Li et al., JMLR 18 (2018), Algorithm 1. Deviates from them: they fill one bracket after the other; here the next
trial may belong to any, in shares that every number of trials keeps, so that a sweep may end or be extended anywhere.
"""

import bisect
from collections.abc import Sequence
from itertools import accumulate

from results.events import Ended, Event, Launched, Reported
from tuner.decisions import Decision, Promotion
from tuner.schedulers.rule import Scheduler


def bracket_sizes(*, num_brackets: int, most_brackets: int, eta: int) -> tuple[int, ...]:
    """Return how many trials of one round go to each bracket, that of the lowest first rung first.

    Hyperband gives every bracket the same training to spend: ``n = ceil((s_max + 1) / (s + 1) * eta**s)``, in integers. Its s counts
    from the last bracket; ours, as ASHA's, from the first: s here is s_max - s there.

    Args:
        num_brackets: Brackets in use, 1..most_brackets.
        most_brackets: Brackets that fit between r and R: s_max + 1.
        eta: Reduction factor, >= 2.

    Returns:
        As many numbers as brackets, descending; ``(27, 12, 6, 4)`` for 4, 4, 3.
    """
    return tuple(-(-most_brackets * eta**s // (s + 1)) for s in range(most_brackets - 1, most_brackets - 1 - num_brackets, -1))


def bracket_of(trial: str, bounds: Sequence[int]) -> int:
    """Return the bracket of a trial: a pure function of its number, so that nothing need be stored and a restart cannot change it.

    The number's binary digits, mirrored, make a fraction in 0..1 (van der Corput, 1935): any run of trials spreads evenly over that range,
    where a draw at random would leave small brackets empty by chance and blocks of equal brackets would meet the order of a grid.

    Args:
        trial: Its id, a letter and a number >= 1: `t00001`.
        bounds: Running sums of the brackets' sizes.

    Returns:
        An index into `bounds`.
    """
    digits = f"{int(trial[1:]) - 1:b}"
    mirrored = int(digits[::-1], 2)
    return bisect.bisect_right(bounds, mirrored * bounds[-1] >> len(digits))


class Hyperband:
    """ASHA's rule within each bracket; a free worker takes the highest promotion of any."""

    def __init__(self, brackets: Sequence[Scheduler], *, sizes: Sequence[int]) -> None:
        self.ladder = brackets[0].ladder  # holds those of all other brackets
        self.looks = self.ladder
        self._brackets = tuple(brackets)
        self._bounds = tuple(accumulate(sizes))

    def apply(self, event: Event) -> None:
        """Remember what happened to a trial in its own bracket."""
        match event:
            case Reported(trial=trial) | Launched(trial=trial) | Ended(trial=trial):
                self._bracket(trial).apply(event)

    def judge(self, trial: str, epoch: int) -> Decision:
        """Compare a trial with those of its bracket only."""
        return self._bracket(trial).judge(trial, epoch)

    def promotion(self) -> Promotion | None:
        """Return the trial to resume next, from the highest rung of any bracket; of two brackets, the one that begins lower."""
        found = [promotion for bracket in self._brackets if (promotion := bracket.promotion()) is not None]
        return max(found, key=lambda promotion: promotion.from_epoch, default=None)

    def leader(self) -> Promotion | None:
        """Return the best waiting trial of the highest rung, whatever its bracket."""
        found = [leader for bracket in self._brackets if (leader := bracket.leader()) is not None]
        return min(found, key=lambda leader: (-leader.from_epoch, -leader.value, leader.trial), default=None)

    def segment_end(self, trial: str, from_epoch: int) -> int:
        """Return the next rung of the trial's bracket above `from_epoch`, or the last epoch."""
        return self._bracket(trial).segment_end(trial, from_epoch)

    def _bracket(self, trial: str) -> Scheduler:
        return self._brackets[bracket_of(trial, self._bounds)]
