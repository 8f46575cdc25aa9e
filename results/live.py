"""What happens in a sweep as server-sent events: one look at its files for all who watch, however many they are.

Format: HTML Living Standard, section 9.2. A client that is slow misses states in between, never the newest; one that was cut off asks again
by itself and is told where things stand.
"""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

from results import finals, leaderboard, watch_text
from results.errors import ResultsError
from results.storage import Storage
from results.watch import View, Watch

LOOK_S = 1.0  # between two looks at the files
BEAT_S = 15.0  # between signs of life, so that proxies keep a silent line open
RETRY_MS = 3_000  # after which a browser asks again
RECENT = 50  # events told to who comes in
MAX_STREAMS = 256  # of all sweeps together

_log = logging.getLogger(__name__)


class Full(Exception):
    """As many clients follow as may."""


class Feed:
    """One sweep's stream; its files are looked at as long as somebody follows."""

    def __init__(self, storage: Storage, *, look_s: float = LOOK_S) -> None:
        self._storage = storage
        self._look_s = look_s
        self._queues: set[asyncio.Queue[bytes]] = set()
        self._task: asyncio.Task[None] | None = None
        self._recent: deque[tuple[str, str]] = deque(maxlen=RECENT)
        self._last = b""  # what was sent last
        self._number = 0
        self.looks = 0

    @property
    def followers(self) -> int:
        """Return how many follow."""
        return len(self._queues)

    async def follow(self) -> AsyncIterator[bytes]:
        """Yield the stream for one client, from where things stand, until it goes away."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(1)
        self._queues.add(queue)
        if self._last and self._task is not None:
            queue.put_nowait(self._last)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), BEAT_S)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._queues.discard(queue)
            if not self._queues and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        """Look, and tell everybody what is new."""
        watch = Watch(self._storage)
        before: dict[str, Any] | None = None
        while True:
            try:
                told = await asyncio.to_thread(self._look, watch)
            except (ResultsError, OSError, ValueError) as error:  # the stream goes on: the next look may find it whole
                told = {"error": str(error)}
            self.looks += 1
            if told != before:
                before = told
                self._number += 1
                self._send("error" if "error" in told else "state", told)
            await asyncio.sleep(self._look_s)

    def _look(self, watch: Watch) -> dict[str, Any]:
        view = watch.look(time.time())
        self._recent.extend(watch_text.event_lines(view.news, view.seen.metric, epochs=True))
        return state(view, list(self._recent), version=table_version(self._storage))

    def _send(self, kind: str, told: dict[str, Any]) -> None:
        data = json.dumps(told, ensure_ascii=False, allow_nan=False)
        self._last = f"event: {kind}\nid: {self._number}\ndata: {data}\n\n".encode()
        for queue in self._queues:
            if queue.full():  # it has not taken the one before: that is old now
                queue.get_nowait()
            queue.put_nowait(self._last)


class Feeds:
    """The streams of all sweeps under a storage folder."""

    def __init__(self, *, look_s: float = LOOK_S, max_streams: int = MAX_STREAMS) -> None:
        self._feeds: dict[str, Feed] = {}
        self._look_s = look_s
        self._max_streams = max_streams

    def follow(self, name: str, open_storage: Callable[[], Storage]) -> AsyncIterator[bytes]:
        """Return the stream of a sweep for one more client.

        Raises:
            Full: There are as many as there may be.
        """
        if sum(feed.followers for feed in self._feeds.values()) >= self._max_streams:
            raise Full(f"{self._max_streams} clients follow already")
        if name not in self._feeds:
            self._feeds[name] = Feed(open_storage(), look_s=self._look_s)
        return self._feeds[name].follow()


def state(view: View, recent: list[tuple[str, str]], *, version: str) -> dict[str, Any]:
    """Return what can be seen of a sweep, ready for JSON; without what changes by the clock alone."""
    seen = asdict(view.seen)
    del seen["wall_s"]
    if seen["driver"] is not None:
        del seen["driver"]["alive_at"]
    return {
        "version": version,
        "overview": seen,
        "epochs": view.epochs,
        "rungs": [{"epochs": rung, "trials": number} for rung, number in view.rungs.items()],
        "workers": [asdict(worker) for worker in view.workers],
        "events": [{"at": at, "text": text} for at, text in recent],
    }


def table_version(storage: Storage) -> str:
    """Return what changes when the leaderboard's file is written anew, or that of a final."""
    try:
        board = f"{storage.path(leaderboard.NAME).stat().st_mtime_ns:x}"
    except FileNotFoundError:
        board = "0"
    told = finals.stamp(storage)
    return f"{board}.{told}" if told else board
