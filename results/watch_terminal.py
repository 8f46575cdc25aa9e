"""`shortlist watch`: a running sweep on the terminal, drawn in place, or as plain lines where the output is none. Only reads files."""

import contextlib
import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.live import Live
from rich.text import Text

from results import journal, watch_text
from results.bars import ASCII
from results.event_text import score_words
from results.events import DriverStarted, DriverStopped
from results.storage import Storage
from results.watch import View, Watch

LOOK_S = 0.5  # between two looks at the files
LINE_S = 10.0  # between plain lines that bring no news
RATE_WINDOW_S = 30.0
PATIENCE_S = 15.0  # for a driver that is gone without a word: a job that starts again by itself takes its lock within this time
KEPT_LINES = 200

Wait = Callable[[float], bool]  # waits so many seconds at most; says whether somebody wants to leave


class Follower:
    """What is drawn of one sweep, look by look."""

    def __init__(self, storage: Storage, *, console: Console, live: bool, clock: Callable[[], float] = time.time) -> None:
        """Draw nothing yet.

        Args:
            storage: The sweep.
            console: Where to write.
            live: Whether to redraw in place; plain lines otherwise.
            clock: Seconds since 1970.
        """
        self._watch = Watch(storage)
        self._console = console
        self._live = live
        self._clock = clock
        self._events: deque[tuple[str, str]] = deque(maxlen=KEPT_LINES)
        self._trained: deque[tuple[float, int]] = deque()  # (when, epochs trained so far)
        self._leader = ""
        self._gone_since: float | None = None
        self._let_go = not storage.exists(journal.FOLDER)  # whether the last driver said so; only a table that was copied says nothing
        self._next_line = 0.0
        self._looks = 0

    def follow(self, wait: Wait) -> View:
        """Draw until the sweep ends or somebody leaves; return what was seen last. Errors as in `Watch.look`."""
        if not self._live:
            while True:
                view = self._look()
                self._say(view)
                if self._over(view) or wait(LOOK_S):
                    return view
        with Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False) as live:
            while True:
                view = self._look()
                live.update(Text("\n").join(self._block(view)), refresh=True)
                if self._over(view) or wait(LOOK_S):
                    return view

    def _look(self) -> View:
        now = self._clock()
        view = self._watch.look(now)
        self._events.extend(watch_text.event_lines(view.news, view.seen.metric, epochs=self._live))
        self._trained.append((now, view.epochs))
        while len(self._trained) > 2 and self._trained[1][0] <= now - RATE_WINDOW_S:
            self._trained.popleft()
        for event in view.news:
            if isinstance(event, DriverStarted | DriverStopped):
                self._let_go = isinstance(event, DriverStopped)
        self._looks += 1
        return view

    def _block(self, view: View) -> list[Text]:
        width, height = self._console.size
        return watch_text.block(
            view,
            list(self._events),
            now=self._clock(),
            width=width,
            height=height - 1,  # the cursor's own line
            unicode=not self._console.options.ascii_only,
            rate=self._rate(),
        )

    def _say(self, view: View) -> None:
        """Print what is new, and every ten seconds where things stand."""
        now = self._clock()
        if self._looks > 1:  # what happened before somebody looked is in the line that sums up
            for at, text in watch_text.event_lines(view.news, view.seen.metric, epochs=False):
                self._print(f"{at}  {text}")
        leader = view.seen.leader
        changed = leader is not None and leader.trial != self._leader
        if leader is not None and changed:
            self._leader = leader.trial
            said = "leader" if self._looks == 1 else "new leader"
            score = score_words(leader.score, view.seen.metric)
            self._print(f"{self._time()}  {said} {leader.trial}: {view.seen.metric} {score} at rung {leader.rung_epochs}")
        if now >= self._next_line:
            self._next_line = now + LINE_S
            self._print(f"{self._time()}  {watch_text.status_line(view, self._rate())}")

    def _over(self, view: View) -> bool:
        """Return whether nothing will happen any more unless somebody resumes the sweep."""
        if view.seen.driver is not None:
            self._gone_since = None
            return False
        now = self._clock()
        if self._gone_since is None:
            self._gone_since = now
        return self._let_go or now - self._gone_since >= PATIENCE_S

    def _rate(self) -> str:
        """Return epochs per second over the last half minute; empty while none ended in it."""
        (then, before), (now, after) = self._trained[0], self._trained[-1]
        if now <= then or after <= before:
            return ""
        rate = (after - before) / (now - then)
        return f"{rate:.1f} epochs/s" if rate >= 1 else f"{rate * 60:.1f} epochs/min"

    def _time(self) -> str:
        return time.strftime("%H:%M:%S", time.localtime(self._clock()))

    def _print(self, text: str) -> None:
        plain = text.translate(ASCII) if self._console.options.ascii_only else text
        self._console.print(plain, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def keys() -> Iterator[Wait]:
    """Give what waits for a key that means leaving (q); where nobody can press one, it only waits. The terminal is left as it was."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield _sleep
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)  # keys come at once and unseen; Ctrl-C still interrupts
        yield lambda seconds: _pressed(descriptor, seconds)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _pressed(descriptor: int, seconds: float) -> bool:
    ready, _, _ = select.select([descriptor], [], [], seconds)
    return bool(ready) and b"q" in os.read(descriptor, 64).lower()
