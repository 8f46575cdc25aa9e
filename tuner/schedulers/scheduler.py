"""What a scheduler rule must answer, and which rule a sweep file names."""

from typing import Protocol, assert_never

from results.events import Event
from search_spaces.sweep import AshaOptions, RunAllOptions
from tuner.decisions import Decision, Promotion
from tuner.rungs import rung_epochs
from tuner.schedulers.asha import PromotionAsha, StoppingAsha
from tuner.schedulers.run_all import RunAll


class Scheduler(Protocol):
    """Who goes on. `apply` remembers, everything else chooses; choosing changes nothing."""

    @property
    def ladder(self) -> tuple[int, ...]:
        """Return the rungs in epochs, ascending."""

    def apply(self, event: Event) -> None:
        """Remember one fact, live or replayed."""

    def judge(self, trial: str, epoch: int) -> Decision:
        """Return what a trial does after the epoch it has just reported (already applied, and with a score)."""

    def promotion(self) -> Promotion | None:
        """Return the paused trial to resume next; None when all must wait."""

    def leader(self) -> Promotion | None:
        """Return the trial that goes on when nothing else is left to do and nobody was trained in full; None for nobody."""

    def segment_end(self, from_epoch: int) -> int:
        """Return the epoch at which a segment that starts after `from_epoch` ends."""


def build(options: AshaOptions | RunAllOptions, *, sign: int) -> Scheduler:
    """Return the rule that the sweep file names.

    Args:
        options: One of the option classes of `search_spaces.sweep`.
        sign: +1 where the objective is maximised, -1 where it is minimised.
    """
    match options:
        case AshaOptions(max_epochs=max_epochs, eta=eta):
            ladder = rung_epochs(min_epochs=options.first_rung, max_epochs=max_epochs, eta=eta)
            if options.variant == "stopping":
                return StoppingAsha(ladder, max_epochs=max_epochs, eta=eta, sign=sign)
            return PromotionAsha(
                ladder, max_epochs=max_epochs, eta=eta, sign=sign, delayed=options.delayed, drain=options.drain == "leader"
            )
        case RunAllOptions(max_epochs=max_epochs):
            return RunAll(max_epochs=max_epochs)
        case _:
            assert_never(options)
