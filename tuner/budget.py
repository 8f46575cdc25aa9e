"""What a sweep has spent, and whether one more epoch fits. A fold over the journal; no clock of its own."""

from results.events import DriverStarted, Event, Repeated, Reported, seconds
from search_spaces.sweep import BudgetOptions


class Budget:
    """Spent epochs, workers' time and wall-clock time, against their limits.

    Epochs trained again after a crash count: they were paid for. Wall-clock time counts while a driver runs: a sweep that was
    interrupted overnight has not spent the night.
    """

    def __init__(self, options: BudgetOptions) -> None:
        self._options = options
        self.epochs = 0
        self.device_s = 0.0
        self._wall_s = 0.0  # of earlier drivers
        self._started_s: float | None = None
        self._last_s = 0.0
        self._epoch_s = 0.0  # longest epoch so far: what the next one may cost

    def apply(self, event: Event) -> None:
        """Remember one fact, live or replayed."""
        match event:
            case Reported(device_s=device_s, wall_s=wall_s):
                self.epochs += 1
                self.device_s += device_s
                self._epoch_s = max(self._epoch_s, wall_s)
            case Repeated(device_s=device_s):
                self.epochs += 1
                self.device_s += device_s
            case DriverStarted(at=at):
                if self._started_s is not None:
                    self._wall_s += self._last_s - self._started_s
                self._started_s = seconds(at)
        self._last_s = seconds(event.at)

    def wall_s(self, now: float) -> float:
        """Return the seconds in which a driver ran; `now` in seconds since 1970."""
        return self._wall_s + (now - self._started_s if self._started_s is not None else 0.0)

    def refusal(self, *, num_running: int, now: float) -> str | None:
        """Return why no further epoch may start; None where it may.

        Args:
            num_running: Trials that will be training if this epoch starts, itself included: each of them is in the middle
                of an epoch that is not paid yet.
            now: Seconds since 1970.
        """
        limits = self._options
        if limits.epochs is not None and self.epochs + num_running > limits.epochs:
            return f"epochs: {self.epochs} of {limits.epochs} spent"
        if limits.gpu_hours is not None and self.device_s + num_running * self._epoch_s > limits.gpu_hours * 3600:
            return f"gpu_hours: {self.device_s / 3600:.3g} of {limits.gpu_hours:g} spent"
        if limits.wall_clock_s is not None and self.wall_s(now) + self._epoch_s > limits.wall_clock_s:
            return f"wall_clock: {self.wall_s(now):.0f} of {limits.wall_clock_s:.0f} s spent"
        return None
