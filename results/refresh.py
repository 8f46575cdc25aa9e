"""Keeps `leaderboard.parquet`, `curves.parquet` and `steps.parquet` up to date while a sweep runs, at a cost that nobody notices."""

import logging
import time
from collections.abc import Callable

import pyarrow as pa

from results import curves, leaderboard, steps
from results.history import History
from results.storage import Storage

LEAST_S = 1.0  # between two refreshes: a person looks no oftener
SHARE = 0.02  # of the driver's time, at most, however large the tables grow

_log = logging.getLogger(__name__)


class Refresher:
    """Writes the derived files of one sweep, its history being fed by somebody else."""

    def __init__(self, storage: Storage, history: History, clock: Callable[[], float] = time.perf_counter) -> None:
        self._storage = storage
        self._history = history
        self._clock = clock
        self._next_s: float | None = None  # due at once: a sweep that has just started shows its table

    def maybe(self) -> bool:
        """Refresh if it is time; return whether it did. A full disk is logged only: the journal is what counts."""
        if self._next_s is not None and self._clock() < self._next_s:
            return False
        try:
            self.now()
        except OSError as error:
            _log.warning("%s: the tables were not refreshed (%s); they will be with the next report", self._storage, error)
        return True

    def soon(self) -> None:
        """Let the next `maybe` refresh: something was changed that a person is waiting to see."""
        self._next_s = None

    def now(self) -> None:
        """Refresh at once, whatever it costs."""
        pa.array(
            [0]
        )  # Arrow's first array imports pandas, which would count as the cost of a refresh and put off the next for half a minute
        started = self._clock()
        try:
            leaderboard.write(self._storage, self._history)
            curves.write(self._storage, self._history)
            steps.write(self._storage, self._history)
        finally:
            ended = self._clock()
            self._next_s = ended + max(LEAST_S, (ended - started) / SHARE)
