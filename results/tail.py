"""What a journal says from now on: read from where the last look ended, so that following a sweep of any size costs what is new in it."""

from pathlib import Path

from results import journal
from results.events import Event
from results.storage import Storage

RECENT_BYTES = 64 * 2**10  # about 150 reports: more than any screen shows


class Tail:
    """The end of one journal. Only reads files, so it works from any machine that sees them."""

    def __init__(self, storage: Storage, *, recent_bytes: int = RECENT_BYTES) -> None:
        """Look at nothing yet.

        Args:
            storage: The sweep.
            recent_bytes: How much of what is there already the first call gives, of the last segment.
        """
        self._storage = storage
        self._recent_bytes = recent_bytes
        self._segment = ""  # name of the one that was read last; empty before the first
        self._offset = 0  # in it, always the beginning of a line
        self._place = 1  # number of that line in its file

    def news(self) -> list[Event]:
        """Return the events since the last call, oldest first; from the first call the latest ones.

        A line without its newline is being written now: it comes with a later call, or never where its writer was killed.

        Raises:
            NewerFormat: A newer release writes the journal.
            Unreadable: A line is damaged; the message names file and line.
        """
        segments = journal.segment_files(self._storage.path(journal.FOLDER))
        if not segments:
            return []
        if not self._segment:
            self._begin(segments[-1])
        events: list[Event] = []
        for segment in segments:
            if segment.name < self._segment:
                continue
            if segment.name > self._segment:
                self._segment, self._offset, self._place = segment.name, 0, 1
            events += self._read(segment)
        return events

    def _begin(self, segment: Path) -> None:
        """Stand at the first whole line of the recent ones."""
        self._segment = segment.name
        size = segment.stat().st_size
        if size > self._recent_bytes:
            data = segment.read_bytes()
            self._offset = data.find(b"\n", size - self._recent_bytes) + 1
            self._place = data.count(b"\n", 0, self._offset) + 1

    def _read(self, segment: Path) -> list[Event]:
        if segment.stat().st_size <= self._offset:
            return []
        with segment.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        events = []
        for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
            event, _ = journal.parse(line, segment, self._place)
            events.append(event)
            self._offset += len(line)
            self._place += 1
        return events
