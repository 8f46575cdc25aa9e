"""A worker that hangs: how long one may be silent, and who has been for longer. Knows neither ray nor a clock; `ray_driver` ends it."""

from collections.abc import Collection

# Without `resources.trial_timeout`: nobody knows beforehand how long an epoch takes, so a worker may be silent for this many times the
# longest epoch that the sweep has seen, and at least for so long. Before the first epoch of all nobody is ended.
LONGEST_EPOCHS = 20
LEAST_S = 1800.0


class Watchdog:
    """How long each segment has been silent.

    Attributes:
        longest_s: The longest epoch that was seen, in seconds; 0 before the first.
    """

    def __init__(self, timeout_s: float | None, *, longest_s: float = 0.0) -> None:
        """Begin.

        Args:
            timeout_s: What the sweep file says, > 0; None for the rule above.
            longest_s: The longest epoch of earlier drivers.
        """
        self._timeout_s = timeout_s
        self.longest_s = longest_s
        self._since: dict[str, float] = {}

    @property
    def limit_s(self) -> float | None:
        """Return how long a worker may be silent; None while nothing is known."""
        if self._timeout_s is not None:
            return self._timeout_s
        return max(LEAST_S, LONGEST_EPOCHS * self.longest_s) if self.longest_s > 0 else None

    def heard(self, segment: str, epoch_s: float) -> None:
        """Take note of a report.

        Args:
            segment: Whose.
            epoch_s: Seconds that the epoch took.
        """
        self.longest_s = max(self.longest_s, epoch_s)
        self._since.pop(segment, None)

    def silent(self, training: Collection[str], now: float) -> list[str]:
        """Return the segments whose workers have been silent for too long; each is named once.

        Args:
            training: Segments whose worker is there: one that waits for a node, or whose worker still starts, is not late.
            now: Seconds of a clock that never jumps.
        """
        self._since = {segment: self._since.get(segment, now) for segment in training}
        limit_s = self.limit_s
        if limit_s is None:
            return []
        late = [segment for segment, since in self._since.items() if now - since > limit_s]
        for segment in late:
            self._since[segment] = now  # it is being ended, which takes a moment
        return late
