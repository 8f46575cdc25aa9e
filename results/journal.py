"""The journal: a sweep's events as numbered segments of JSON lines, appended by one driver, read by anyone at any time.

Imports nothing but the vocabulary, and never looks inside an event. A segment is never opened twice for writing: a driver that was
killed in the middle of a line leaves it torn, and the next driver starts a segment of its own behind it. What was torn is dropped
on reading, and nobody misses it: a worker is answered only when the line that holds the answer was written whole, newline included.

Every line begins with its number, 1 for the first of the journal: a line that was lost, doubled or moved, and the lines of a second
writer, are noticed where they are. Lines without a number, of version 1, count by their place.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path

from results import segments
from results.errors import Locked, NewerFormat, Unreadable
from results.event_lines import decode, encode
from results.events import JOURNAL_VERSION, Event, SweepStarted
from results.segments import SegmentUpload
from results.storage import Storage, sync_folder

FOLDER = "journal"
SEGMENT_BYTES = 16 * 2**20  # about 40,000 reports: small enough to copy, to upload, to look at with an editor

_SEGMENT_NAME = re.compile(r"\d{8}\.jsonl")


class Journal:
    """The writing end; its owner holds the sweep's lock."""

    def __init__(self, storage: Storage, *, segment_bytes: int | None = None) -> None:
        self._folder = storage.path(FOLDER)
        self._upload = None if storage.mirror is None else SegmentUpload(storage.mirror)
        self._segment_bytes = segment_bytes or (SEGMENT_BYTES if self._upload is None else segments.SEGMENT_BYTES)
        self._segment: FileIO | None = None  # opened by the first append: looking at a sweep leaves no empty file
        self._written = 0
        self._next = 0  # number of the next line; 0 where the files have to be asked
        self._closed = False

    def append(self, events: Sequence[Event], *, sync: bool) -> None:
        """Write the events, in order and in one write, so that a killed process cannot unwrite them.

        Args:
            events: What happened; an empty sequence writes nothing.
            sync: Whether to wait until the disk, or the object store, has them too: for choices, which must survive a power cut. A plain
                report that is lost in one is trained again.

        Raises:
            ValueError: The journal is closed.
            OSError: The disk is full or gone; it names the file. Part of the batch may have been written, so the journal closes itself.
            Locked: Another driver writes to this journal, too; it closes itself.
        """
        if self._closed:
            raise ValueError("the journal is closed; open it anew to append")
        try:
            self._write(events, sync=sync)
        except BaseException as error:
            # Ctrl-C may have left a torn line too: whatever is written after it goes into a segment of its own.
            self._closed = isinstance(error, OSError | Locked)
            self._next = 0
            segment, self._segment = self._segment, None
            if segment is not None:
                segment.close()
            if isinstance(error, OSError) and error.filename is None:
                error.filename = str(self._folder)
            raise

    @property
    def closed(self) -> bool:
        """Return whether nothing can be appended any more."""
        return self._closed

    def flush(self) -> None:
        """Upload what an object store does not have yet; on a disk there is nothing to do. Errors as in `append`."""
        if self._upload is not None and not self._closed:
            try:
                self._upload.send()
            except (OSError, Locked):
                self._closed = True
                raise

    def close(self) -> None:
        """Sync and close; closing twice is allowed."""
        closed, self._closed = self._closed, True
        self._close_segment()
        if self._upload is not None and not closed:
            self._upload.send()

    def _write(self, events: Sequence[Event], *, sync: bool) -> None:
        if not events:
            return
        if self._segment is not None and self._written >= self._segment_bytes:
            self._close_segment()
        if self._segment is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._next = self._next or _last_number(self._folder) + 1
            if self._upload is not None:
                self._upload.seal(max(segment_files(self._folder), default=None))
            self._segment = (self._folder / f"{_next_number(self._folder):08d}.jsonl").open("xb", buffering=0)
            self._written = 0
            sync_folder(self._folder)
        data = b"".join(_line(event, number) for number, event in enumerate(events, start=self._next))
        rest = memoryview(data)
        while rest:  # one turn, but for a disk that is about to be full
            rest = rest[self._segment.write(rest) :]
        self._written += len(data)
        self._next += len(events)
        if self._upload is not None:
            self._upload.wrote(Path(self._segment.name))
        if not sync:
            return
        if self._upload is None:
            os.fsync(self._segment.fileno())
        else:
            self._upload.send()

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
        Unreadable: A line elsewhere is damaged, missing or there twice, or a segment is missing; the message names file and line.
        NewerFormat: A newer release wrote the journal.
    """
    expected = 1
    numbered = False
    for position, segment in enumerate(segment_files(storage.path(FOLDER)), start=1):
        if int(segment.stem) != position:
            raise Unreadable(f"{segment.parent}: segment {position:08d}.jsonl is missing; put it back, later segments build on it")
        with segment.open("rb") as file:
            for place, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    continue
                event, number = parse(line, segment, place)
                if number != expected and (numbered or number is not None):
                    raise Unreadable(f"{segment}:{place}: {_out_of_order(number, expected)}")
                numbered = number is not None
                expected += 1
                yield event


def parse(line: bytes, segment: Path, place: int) -> tuple[Event, int | None]:
    """Return what a line says, and its number, None where it has none.

    Args:
        line: The line, with or without its newline.
        segment: The file, for messages.
        place: The line's number in that file, 1-based, for messages.

    Raises:
        Unreadable: It is damaged; the message names file and line.
        NewerFormat: A newer release wrote it.
    """
    try:
        values = json.loads(line.decode())  # decoded here: json.loads takes a fifth longer to guess the encoding
        number = values.pop("n", None)
        event = decode(values)
    except NewerFormat as error:
        raise NewerFormat(f"{segment}:{place}: {error}") from error
    except (ValueError, TypeError, AttributeError) as error:  # not UTF-8, not JSON, not an object, a field missing
        raise Unreadable(f"{segment}:{place}: not an event ({error}); restore the file from a copy") from error
    if type(event) is SweepStarted and event.version > JOURNAL_VERSION:
        seen, known = event.version, JOURNAL_VERSION
        raise NewerFormat(f"{segment}:{place}: the journal has version {seen}, this release reads up to {known}; install a newer release")
    return event, number


def segment_files(folder: Path) -> list[Path]:
    """Return the segments in a journal's folder, oldest first; a folder that is not there has none."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _SEGMENT_NAME.fullmatch(path.name))


def _line(event: Event, number: int) -> bytes:
    """Return an event as it stands in the journal; the number goes first, where a person looks for it."""
    text = json.dumps(encode(event), separators=(",", ":"), ensure_ascii=False)
    return f'{{"n":{number},{text[1:]}\n'.encode()


def _out_of_order(number: object, expected: int) -> str:
    """Return what a line's number says about the lines before it, and what to do."""
    if not isinstance(number, int):
        return f"the line has no number, must be event {expected}; it was not written by shortlist, restore the file from a copy"
    if number > expected:
        missing = f"event {expected} is" if number == expected + 1 else f"events {expected} to {number - 1} are"
        return f"{missing} missing before event {number}; restore the file from a copy"
    return (
        f"event {number} where event {expected} must be: lines were copied or moved, or two drivers wrote to the sweep at once; "
        "restore the journal from a copy, or keep the segments that one of the two wrote"
    )


def _last_number(folder: Path) -> int:
    """Return the number of the journal's last whole line, 0 where there is none; read from the end."""
    for segment in reversed(segment_files(folder)):
        if lines := _whole_lines_of_the_tail(segment):
            number = json.loads(lines[-1]).get("n")  # `read` has seen the line before anybody appends behind it
            return _count(folder) if number is None else int(number)
    return 0


def _whole_lines_of_the_tail(segment: Path) -> list[bytes]:
    """Return the last whole lines of a file, at least one where it has any."""
    size = segment.stat().st_size
    length = 2**16
    with segment.open("rb") as file:
        while True:
            start = max(0, size - length)
            file.seek(start)
            head, *rest = file.read().split(b"\n")  # the last part is empty, or a torn line
            whole = rest[:-1] if start else [head, *rest[:-1]] if rest else []
            if whole or start == 0:
                return whole
            length *= 2


def _count(folder: Path) -> int:
    """Return how many whole lines a journal of version 1 has."""
    return sum(segment.read_bytes().count(b"\n") for segment in segment_files(folder))


def _next_number(folder: Path) -> int:
    return max((int(path.stem) for path in segment_files(folder)), default=0) + 1
