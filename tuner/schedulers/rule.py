"""What a scheduler rule must answer."""

from typing import Protocol

from results.events import Event
from tuner.decisions import Decision, Promotion


class Scheduler(Protocol):
    """Who goes on. `apply` remembers, everything else chooses; choosing changes nothing."""

    @property
    def ladder(self) -> tuple[int, ...]:
        """Return the rungs in epochs, ascending; with brackets, those of all."""

    @property
    def looks(self) -> tuple[int, ...]:
        """Return the epochs, ascending, at which a forecast asks for a decision: the rungs, or a few where every epoch is one."""

    def apply(self, event: Event) -> None:
        """Remember one fact, live or replayed."""

    def judge(self, trial: str, epoch: int) -> Decision:
        """Return what a trial does after the epoch it has just reported (already applied, and with a score)."""

    def promotion(self) -> Promotion | None:
        """Return the paused trial to resume next; None when all must wait."""

    def leader(self) -> Promotion | None:
        """Return the trial that goes on when nothing else is left to do and nobody was trained in full; None for nobody."""

    def segment_end(self, trial: str, from_epoch: int) -> int:
        """Return the epoch at which a segment of a trial that starts after `from_epoch` ends."""
