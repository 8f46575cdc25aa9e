"""The journal: a sweep's events as numbered segments of JSON lines, appended by one driver, read by anyone at any time.

Imports nothing but the vocabulary, and never looks inside an event. A segment is never opened twice for writing: a driver that was
killed in the middle of a line leaves it torn, and the next driver starts a segment of its own behind it. What was torn is dropped
on reading, and nobody misses it: a worker is answered only when the line that holds the answer was written whole, newline included.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path

from results.errors import NewerFormat, Unreadable
from results.events import JOURNAL_VERSION, Event, SweepStarted, decode, encode
from results.storage import Storage, sync_folder

FOLDER = "journal"
SEGMENT_BYTES = 16 * 2**20  # about 40,000 reports: small enough to copy, to upload, to look at with an editor

_SEGMENT_NAME = re.compile(r"\d{8}\.jsonl")


class Journal:
    """The writing end; its owner holds the sweep's lock."""

    def __init__(self, storage: Storage, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = storage.path(FOLDER)
        self._segment_bytes = segment_bytes
        self._segment: FileIO | None = None  # opened by the first append: looking at a sweep leaves no empty file
        self._written = 0
        self._closed = False

    def append(self, events: Sequence[Event], *, sync: bool) -> None:
        """Write the events, in order and in one write, so that a killed process cannot unwrite them.

        Args:
            events: What happened; an empty sequence writes nothing.
            sync: Whether to wait until the disk has them too: for choices, which must survive a power cut. A plain report that
                is lost in one is trained again.

        Raises:
            ValueError: The journal is closed.
            OSError: The disk is full or gone. Part of the batch may have been written, so the journal closes itself.
        """
        if self._closed:
            raise ValueError("the journal is closed; open it anew to append")
        data = b"".join(json.dumps(encode(event), separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for event in events)
        try:
            self._write(data, sync=sync)
        except BaseException as error:
            # Ctrl-C may have left a torn line too: whatever is written after it goes into a segment of its own.
            self._closed = isinstance(error, OSError)
            segment, self._segment = self._segment, None
            if segment is not None:
                segment.close()
            raise

    def close(self) -> None:
        """Sync and close; closing twice is allowed."""
        self._closed = True
        self._close_segment()

    def _write(self, data: bytes, *, sync: bool) -> None:
        if not data:
            return
        if self._segment is not None and self._written >= self._segment_bytes:
            self._close_segment()
        if self._segment is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._segment = (self._folder / f"{_next_number(self._folder):08d}.jsonl").open("xb", buffering=0)
            self._written = 0
            sync_folder(self._folder)
        rest = memoryview(data)
        while rest:  # one turn, but for a disk that is about to be full
            rest = rest[self._segment.write(rest) :]
        self._written += len(data)
        if sync:
            os.fsync(self._segment.fileno())

    def _close_segment(self) -> None:
        """Sync before the next segment can exist, so that a power cut never leaves a hole with events behind it."""
        segment, self._segment = self._segment, None
        if segment is not None:
            with segment:
                os.fsync(segment.fileno())


def read(storage: Storage) -> Iterator[Event]:
    """Yield every event of a sweep, oldest first; a sweep without a journal has none.

    The last line of a segment counts only with its newline; without, it is the trace of a killed driver (or is being written now).

    Raises:
        Unreadable: A line elsewhere is damaged, or a segment is missing; the message names file and line.
        NewerFormat: A newer release wrote the journal.
    """
    for position, segment in enumerate(_segments(storage.path(FOLDER)), start=1):
        if int(segment.stem) != position:
            raise Unreadable(f"{segment.parent}: segment {position:08d}.jsonl is missing; put it back, later segments build on it")
        with segment.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    yield _event(line, segment, number)


def _event(line: bytes, segment: Path, number: int) -> Event:
    try:
        event = decode(json.loads(line.decode()))  # decoded here: json.loads takes a fifth longer to guess the encoding
    except NewerFormat as error:
        raise NewerFormat(f"{segment}:{number}: {error}") from error
    except (ValueError, TypeError) as error:  # not UTF-8, not JSON, not an object, a field missing
        raise Unreadable(f"{segment}:{number}: not an event ({error}); restore the file from a copy") from error
    if type(event) is SweepStarted and event.version > JOURNAL_VERSION:
        seen, known = event.version, JOURNAL_VERSION
        raise NewerFormat(f"{segment}:{number}: the journal has version {seen}, this release reads up to {known}; install a newer release")
    return event


def _segments(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _SEGMENT_NAME.fullmatch(path.name))


def _next_number(folder: Path) -> int:
    return max((int(path.stem) for path in _segments(folder)), default=0) + 1
