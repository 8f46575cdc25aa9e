"""Ctrl-C and SIGTERM: one KeyboardInterrupt, at a moment that suits; a second signal ends the process at once."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130  # exit code: 128 + SIGINT, as shells have it
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopAsked(KeyboardInterrupt):
    """A person asked from elsewhere for the driver to stop: it ends like Ctrl-C, and its sweep can be gone on with.

    Attributes:
        author: Who asked.
    """

    def __init__(self, author: str) -> None:
        super().__init__(f"stopped by {author}")
        self.author = author


def leave() -> NoReturn:
    """End the process now, without unwinding Ray: its own end after a signal can crash in native threads (seen: SIGSEGV).

    Call it when everything is on disk. A private Ray and the workers end with the process that started them; a cluster ends the
    workers of a driver that went away.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)


class Interrupts:
    """What was asked for by signals; made once a command, and in force until the process ends."""

    def __init__(self) -> None:
        self._asked = False
        self._deferred = False

    def install(self) -> None:
        """Take the signals, again where a library has taken them for itself."""
        for number in SIGNALS:
            signal.signal(number, self._hear)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Raise nothing inside, where native threads must not be torn apart: `check` is called there, many times a second."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has asked for it."""
        if self._asked:
            raise KeyboardInterrupt

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            os._exit(INTERRUPTED)
        self._asked = True
        if not self._deferred:
            raise KeyboardInterrupt
