"""No early stopping: every trial is trained in full."""

from results.events import Event
from tuner.decisions import CONTINUE, Decision, Promotion


class RunAll:
    """One segment a trial, from the first epoch to the last."""

    ladder: tuple[int, ...] = ()
    looks: tuple[int, ...] = ()

    def __init__(self, *, max_epochs: int) -> None:
        self._max_epochs = max_epochs

    def apply(self, event: Event) -> None:
        """Remember nothing: no decision depends on the past."""

    def judge(self, trial: str, epoch: int) -> Decision:
        """Go on, always."""
        return CONTINUE

    def promotion(self) -> Promotion | None:
        """Return None: nobody ever waits."""
        return None

    def leader(self) -> Promotion | None:
        """Return None: nobody ever waits."""
        return None

    def segment_end(self, trial: str, from_epoch: int) -> int:
        """Return the last epoch."""
        return self._max_epochs
