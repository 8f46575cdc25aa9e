"""The journal on an object store: what was appended is uploaded before anybody hears of it, and nobody else can append meanwhile.

A store cannot append. The newest segment is written again, longer, under the condition that it is still the one that this driver wrote;
segments are kept small for that. Before a new driver begins its own, it seals the last one of the driver before: a few bytes without an end
of line, which every reader passes over as the trace of a killed driver, make it another object, and a driver that was only given up for
dead finds its next write refused. So two drivers can never both write, whatever their clocks and locks say.
"""

import json
import os
import platform
from pathlib import Path
from typing import NoReturn

from results.errors import Changed, Locked
from results.mirror import Mirror

SEGMENT_BYTES = 2**16  # written again with every choice: 1 ms on a network of 500 Mbit/s


class SegmentUpload:
    """The uploading end of one driver's journal."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._etags: dict[Path, str] = {}
        self._waiting: dict[Path, None] = {}  # in the order in which they were begun
        self._sealed = False

    def seal(self, last: Path | None) -> None:
        """Close the last segment of the driver before, once; None where there is none.

        Raises:
            Locked: That driver has just written to it.
        """
        if not self._sealed and last is not None:
            name = str(last.relative_to(self._mirror.folder))
            mark = json.dumps({"sealed_by": f"{platform.node()}:{os.getpid()}"}).encode()
            try:
                self._mirror.push(name, last.read_bytes() + mark, instead_of=self._mirror.etag(name))
            except Changed as error:
                self._outrun(error)
        self._sealed = True

    def wrote(self, segment: Path) -> None:
        """Take note that a segment has lines that are not uploaded."""
        self._waiting[segment] = None

    def send(self) -> None:
        """Upload what was written, oldest segment first, so that there is never a hole.

        Raises:
            Locked: Another driver writes to this journal.
            OSError: The store does not take it.
        """
        for segment in list(self._waiting):
            etag = self._etags.get(segment)
            try:
                self._etags[segment] = self._mirror.push_file(segment, instead_of=etag, new=etag is None)
            except Changed as error:
                self._outrun(error)
            del self._waiting[segment]

    def _outrun(self, error: Changed) -> NoReturn:
        self._waiting.clear()
        locked = Locked(
            f"{self._mirror.address}: another driver writes to this sweep, so this one stops; everything that either has reported is kept, "
            f"see: shortlist status {self._mirror.address}"
        )
        self._mirror.outrun(locked)
        raise locked from error
