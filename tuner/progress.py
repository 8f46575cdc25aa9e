"""Live progress: bars that redraw in place on a terminal, plain lines elsewhere. Reads the searches, changes nothing, never raises.

What the lines say is in `progress_lines`, the time left in `forecast`; when they are drawn, and where, is here.
"""

import logging
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from results import bars
from results.history import Status
from results.leaderboard_text import duration
from tuner import progress_lines as lines
from tuner.forecast import Forecast, forecast
from tuner.search import Search

if TYPE_CHECKING:
    from tuner.session import Session

logger = logging.getLogger(__name__)

REDRAW_S = 0.25  # on a terminal; elsewhere how often news is looked for
LINE_S = 10.0  # between plain lines that bring no news
FORECAST_S = 5.0
RATE_WINDOW_S = 30.0
# Drawing and forecasting may take this share of the driver's time each; with very many trials they come less often instead.
MAX_SHARE = 0.02
MAX_TROUBLES = 10  # plain lines about failed trials; after that they are only counted
MAX_LEADERS = 4  # finals trained side by side, a line each


def display(sessions: "Sequence[Session]", slots: int) -> "Progress":
    """Return what shows how far open sessions are, on standard error: standard output is for what a command prints."""
    console = _Console(stderr=True, highlight=False)
    live = console.is_interactive and sys.stderr.isatty()  # FORCE_COLOR alone makes rich take a log file for a terminal
    return Progress([session.search for session in sessions], slots=slots, console=console, live=live)


class Progress:
    """Where searches that share their workers stand; the driver calls `update` as often as it likes."""

    def __init__(self, searches: Sequence[Search], *, slots: int, console: Console, live: bool) -> None:
        """Draw nothing yet.

        Args:
            searches: One sweep, or several finals.
            slots: Trials at once.
            console: Where to write.
            live: Whether to redraw in place; plain lines otherwise.
        """
        self._searches = searches
        self._slots = slots
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) if live else None
        self._silent = False
        self._first = 0.0  # seconds since 1970, of the first update
        self._now = 0.0
        self._next_look = 0.0
        self._next_line = 0.0
        self._next_forecast = 0.0
        self._forecast: Forecast | None = None
        self._rng = random.Random(0)
        self._epochs_before = 0  # trained by earlier drivers
        self._spent: deque[tuple[float, int]] = deque()  # (when, epochs trained so far)
        self._leaders: dict[int, str] = {}
        self._troubles: set[tuple[int, str, int]] = set()

    def start(self) -> None:
        """Begin; what an earlier driver has brought to pass is no news."""
        self._guarded(self._start)

    def update(self, now: float) -> None:
        """Draw again if it is time.

        Args:
            now: Seconds since 1970.
        """
        self._now = now
        if now >= self._next_look:
            self._guarded(self._look)

    def resize(self, slots: int) -> None:
        """Take note that nodes joined or left: so many trials at once from now on."""
        self._slots = slots

    def stop(self) -> None:
        """Take the bars away and leave one line that sums up."""
        self._guarded(self._stop)
        self._silent = True

    def _guarded(self, draw: Callable[[], None]) -> None:
        """Draw; where that fails, say so in the log and draw no more: a sweep must not end because a terminal did."""
        if self._silent:
            return
        try:
            draw()
        except Exception:
            self._silent = True
            logger.exception("progress cannot be shown; the sweep goes on without it")

    def _start(self) -> None:
        self._epochs_before = self._epochs()
        self._news()
        if self._live is not None:
            self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
        if self._spent:
            counts = self._counts()
            names = ", ".join(search.sweep.name for search in self._searches)
            trained = f"{self._epochs() - self._epochs_before:,} epochs in {duration(self._now - self._first)}"
            self._print(f"{names}: {bars.joined(f'{counts.total():,} of {self._num_trials():,} trials', bars.states(counts), trained)}")

    def _look(self) -> None:
        """Draw or print, and put the next look off far enough to stay within our share of the driver's time."""
        now = self._now
        if not self._spent:
            self._first, self._next_line = now, now + LINE_S
        self._spent.append((now, self._epochs()))
        while len(self._spent) > 2 and self._spent[1][0] <= now - RATE_WINDOW_S:
            self._spent.popleft()
        if now >= self._next_forecast:
            started = time.perf_counter()
            self._forecast = self._foresee()
            self._next_forecast = now + max(FORECAST_S, (time.perf_counter() - started) / MAX_SHARE)
        started = time.perf_counter()
        if self._live is not None:
            self._live.update(Text("\n").join(self._block()), refresh=True)
        else:
            self._say()
        self._next_look = now + max(REDRAW_S, (time.perf_counter() - started) / MAX_SHARE)

    def _block(self) -> list[Text]:
        """Return what stands on a terminal, none of it wider than that."""
        counts, num_trials, width = self._counts(), self._num_trials(), self._console.width
        block = [
            bars.bar("trials", bars.trial_shares(counts, num_trials), f"{counts.total():,} of {num_trials:,}", width=width),
            bars.fact("", bars.states(counts, num_trials)),
        ]
        block += self._spending(width)
        for number, search in enumerate(self._searches[:MAX_LEADERS]):
            block += lines.leader_lines(search, "" if number else "leader")
        busy = sum(len(search.history.running) for search in self._searches)
        block.append(bars.fact("workers", bars.joined(f"{busy} of {self._slots} busy", self._rate())))
        if texts := [text for search in self._searches for text in lines.troubles(search).values()]:
            block.append(bars.fact("failures", f"{len(texts)}, last: {texts[-1]}", "yellow"))
        block.append(bars.fact("time", bars.joined(duration(self._now - self._first), self._left())))
        if self._console.options.ascii_only:
            block = [Text(line.plain.translate(bars.ASCII)) for line in block]
        for line in block:
            line.truncate(width, overflow="crop" if self._console.options.ascii_only else "ellipsis")
        return block

    def _spending(self, width: int) -> list[Text]:
        """Return the bars of the budget; where nothing stops a trial early, a bar of all epochs."""
        budgets = [line for search in self._searches for line in lines.budget_bars(search, now=self._now, width=width)]
        if budgets or any(_may_stop(search) for search in self._searches):
            return budgets
        limit = sum(search.num_trials * search.sweep.max_epochs for search in self._searches)
        return [bars.bar("epochs", [(bars.DONE, self._epochs() / max(1, limit))], f"{self._epochs():,} of {limit:,}", width=width)]

    def _say(self) -> None:
        """Print the news, and every ten seconds where things stand."""
        for text in self._news():
            self._print_timed(text)
        if self._now >= self._next_line:
            self._next_line = self._now + LINE_S
            counts = self._counts()
            self._print_timed(
                bars.joined(f"{counts.total():,} of {self._num_trials():,} trials", bars.states(counts), self._rate(), self._left())
            )

    def _news(self) -> list[str]:
        """Return what has happened since the last call, in words."""
        news = []
        for number, search in enumerate(self._searches):
            for (trial, count), text in lines.troubles(search).items():
                if (number, trial, count) in self._troubles:
                    continue
                self._troubles.add((number, trial, count))
                if len(self._troubles) <= MAX_TROUBLES:
                    news.append(text)
                elif len(self._troubles) == MAX_TROUBLES + 1:
                    news.append("further failures are counted, not listed")
            leader = lines.leader(search)
            if leader is not None and self._leaders.get(number) != leader.trial:
                self._leaders[number] = leader.trial
                news.append(f"new leader {leader.trial}: {' '.join(lines.standing(search, leader))}")
        return news

    def _print_timed(self, text: str) -> None:
        self._print(f"{duration(self._now - self._first):>8}  {text}")

    def _print(self, text: str) -> None:
        plain = text.translate(bars.ASCII) if self._console.options.ascii_only else text
        self._console.print(plain, markup=False, highlight=False, soft_wrap=True)

    def _counts(self) -> Counter[Status]:
        total: Counter[Status] = Counter()
        for search in self._searches:
            total.update(search.history.counts())
        return total

    def _num_trials(self) -> int:
        """Return the trials there will be: those asked for, and replacements of those that did not fit the device's memory."""
        if all(search.exhausted for search in self._searches):
            return sum(len(search.history.trials) for search in self._searches)
        return sum(search.num_trials + len(search.history.trials) - search.history.num_counted for search in self._searches)

    def _epochs(self) -> int:
        return sum(search.budget.epochs for search in self._searches)

    def _rate(self) -> str:
        """Return epochs per second over the last half minute; empty while none ended in it."""
        (then, before), (now, after) = self._spent[0], self._spent[-1]
        if now <= then or after <= before:
            return ""
        rate = (after - before) / (now - then)
        return f"{rate:.1f} epochs/s" if rate >= 1 else f"{rate * 60:.1f} epochs/min"

    def _foresee(self) -> Forecast | None:
        """Return the time that all searches still need; None while one of them cannot say.

        Searches that share workers run side by side where their trials fit the slots, else one after the other at worst.
        """
        open_searches = [search for search in self._searches if not search.done]
        parts = [forecast(search, slots=self._slots, now=self._now, rng=self._rng) for search in open_searches]
        known = [part for part in parts if part is not None]
        if not known or len(known) < len(parts):
            return None
        together = sum(search.num_trials for search in open_searches) <= self._slots
        worst = max if together else sum
        return Forecast(max(part.low_s for part in known), worst([part.high_s for part in known]))

    @property
    def left_s(self) -> tuple[float, float] | None:
        """Return the seconds still needed, least and most; None while that cannot be said."""
        return None if self._forecast is None else (self._forecast.low_s, self._forecast.high_s)

    def _left(self) -> str:
        """Return the time left as a range; empty until there is something to base it on."""
        if self._forecast is None:
            return ""
        low, high = bars.coarse(self._forecast.low_s), bars.coarse(self._forecast.high_s)
        return f"{low} left" if low == high else f"{low} to {high} left"


def _may_stop(search: Search) -> bool:
    """Return whether a trial may end before its last epoch, so that the epochs to come are not known."""
    return search.sweep.scheduler.none is None or search.sweep.scheduler.patience is not None


class _Console(Console):
    """A console that goes quiet when nobody reads it any more, where rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Write nothing more."""
        self.quiet = True
