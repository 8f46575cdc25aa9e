"""How much workers' time drivers have had, and how much of it went by before the first epoch: what time spent training is compared with."""

from dataclasses import dataclass

from results.events import Reported, seconds, stamp


@dataclass(slots=True)
class SlotTime:
    """Slots times seconds, folded from the events of one sweep.

    A driver starts until its first epoch begins: workers load what they need. The nights between two drivers do not count, and workers
    that joined or left count for as long as they were there.

    Attributes:
        total_s: Workers' time up to the last count.
        start_s: That of starting.
    """

    total_s: float = 0.0
    start_s: float = 0.0
    _slots: int = 0
    _counted_at: str = ""  # empty while no driver is at work
    _starting: bool = False

    def started(self, at: str, slots: int) -> None:
        """Begin with a driver's start."""
        self._counted_at, self._slots, self._starting = at, slots, True

    def resized(self, at: str, slots: int) -> None:
        """Go on with another number of slots."""
        self._count(at)
        self._slots = slots

    def reported(self, event: Reported) -> None:
        """Take note that an epoch was trained; a driver's first one ends its start."""
        if self._starting and self._counted_at:
            self._count(stamp(max(seconds(self._counted_at), seconds(event.at) - event.wall_s)))
        self._starting = False

    def stopped(self, at: str) -> None:
        """End with the last word of a driver."""
        self._count(at)
        self._counted_at = ""

    def until(self, at: str) -> tuple[float, float]:
        """Return `total_s` and `start_s` as they are at a moment."""
        since_s = self._since(at)
        return self.total_s + since_s, self.start_s + (since_s if self._starting else 0.0)

    def _count(self, at: str) -> None:
        self.total_s, self.start_s = self.until(at)
        if self._counted_at:
            self._counted_at = at

    def _since(self, at: str) -> float:
        return self._slots * max(0.0, seconds(at) - seconds(self._counted_at)) if self._counted_at else 0.0
