"""Integer bookkeeping of one rung: who stands there, who is best, who may go on. No clock, no journal, no ray, no torch."""

import bisect
import heapq


def rung_epochs(*, min_epochs: int, max_epochs: int, eta: int) -> tuple[int, ...]:
    """Return the epochs at which trials are compared, ascending.

    Rungs are ``min_epochs * eta**k`` strictly below ``max_epochs``; a trial that reaches ``max_epochs`` has finished and is
    not compared. Integer arithmetic only: a float logarithm miscounts at exact powers of eta.

    Args:
        min_epochs: First rung, in epochs, >= 1. The paper's r.
        max_epochs: Most epochs one trial may use, >= min_epochs. The paper's R.
        eta: Reduction factor, >= 2; about 1/eta of a rung goes on.

    Returns:
        The rungs in epochs; empty when min_epochs == max_epochs. ``(1, 3, 9)`` for 1, 27, 3.

    Raises:
        ValueError: An argument is out of range; the message names it and its bound.

    Source:
        Li et al., MLSys 2020, arXiv:1810.05934, Algorithm 2.
    """
    if eta < 2:
        raise ValueError(f"eta is {eta}, must be >= 2")
    if not 1 <= min_epochs <= max_epochs:
        raise ValueError(f"min_epochs is {min_epochs}, must be >= 1 and <= max_epochs, which is {max_epochs}")
    rungs = []
    epochs = min_epochs
    while epochs < max_epochs:
        rungs.append(epochs)
        epochs *= eta
    return tuple(rungs)


class Rung:
    """The trials that reached one rung, best first.

    Values are "higher is better"; ties go to the smaller trial id, so that the order never depends on who arrived first.
    Adding costs one bisection, the best waiting trial one look at a heap: flat from ten trials to ten thousand.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self._order: list[tuple[float, str]] = []  # (-value, trial), ascending: best first
        self._keys: dict[str, tuple[float, str]] = {}
        self._waiting: list[tuple[float, str]] = []  # heap; trials that left are dropped when they surface
        self._left: set[str] = set()
        self.num_promoted = 0

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, trial: str) -> bool:
        return trial in self._keys

    def add(self, trial: str, value: float) -> None:
        """Let a trial arrive; a second arrival of the same trial changes nothing."""
        if trial in self._keys:
            return
        key = self._keys[trial] = (-value, trial)
        bisect.insort(self._order, key)
        heapq.heappush(self._waiting, key)

    def promote(self, trial: str) -> None:
        """Let a trial go on to the next rung; it stays counted here."""
        if trial in self._keys and trial not in self._left:
            self._left.add(trial)
            self.num_promoted += 1

    def withdraw(self, trial: str) -> None:
        """Let a trial wait no longer, without going on; its score stays counted."""
        self._left.add(trial)

    def value(self, trial: str) -> float:
        """Return the value with which a trial arrived."""
        return -self._keys[trial][0]

    def position(self, trial: str) -> int:
        """Return how many trials of this rung stand before this one, >= 0."""
        return bisect.bisect_left(self._order, self._keys[trial])

    def best_waiting(self) -> str | None:
        """Return the best trial that has not gone on; None when all have."""
        while self._waiting and self._waiting[0][1] in self._left:
            heapq.heappop(self._waiting)
        return self._waiting[0][1] if self._waiting else None

    def cutoff(self, num_kept: int) -> float | None:
        """Return the value of the last of the best `num_kept` trials; None when fewer stand here or none is kept."""
        return -self._order[num_kept - 1][0] if 0 < num_kept <= len(self._order) else None
