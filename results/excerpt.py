"""What a journal says of some of its trials, found among its bytes: one trial of ten thousand is shown without parsing the others.

A line that speaks of a trial holds its id in quotes, so only those lines are decoded, and the few that speak of the sweep as a whole.
That the others are whole and in order is not checked here; `results.journal.read` does.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from results import journal, lock
from results.errors import NotASweep
from results.events import Confirmed, DriverStarted, DriverStopped, Event, Extended, Hidden, Resized, StopRequested, SweepStarted
from results.history import History
from results.storage import Storage

# Lines of the sweep as a whole that change how a trial stands: whatever a driver had running is interrupted with it, and a larger budget
# lets trials go on. Text that people wrote cannot hold these: a quote in it is written with a backslash.
_OF_THE_SWEEP = (b'"event":"SweepStarted"', b'"event":"Driver', b'"event":"Resized"', b'"event":"Extended"')


def excerpt(storage: Storage, trials: Collection[str]) -> History:
    """Return what happened to some trials, and what the sweep is; a trial that there is not is not in it.

    A driver that is gone without a word has interrupted its trials, as in the tables.

    Raises:
        NotASweep: There is no journal.
        NewerFormat: A newer release wrote it.
        Unreadable: One of the lines is damaged; the message names file and line.
    """
    history = History()
    for segment in journal.segment_files(storage.path(journal.FOLDER)):
        for event in _events(segment, trials):
            history.apply(event)
    if history.started is None:
        raise NotASweep(f"{storage}: no journal there, so single trials cannot be shown; the table is: shortlist leaderboard {storage}")
    if history.driver is not None and lock.holder(storage) is None:
        history.apply(DriverStopped(at=history.last_at, reason="interrupted"))
    return history


def _events(segment: Path, trials: Collection[str]) -> Iterator[Event]:
    """Yield the events of a segment that are wanted, oldest first."""
    data = segment.read_bytes()
    whole = data.rfind(b"\n") + 1  # what is behind it is torn, or being written now
    starts: set[int] = set()
    for mark in (*_OF_THE_SWEEP, *(f'"{trial}"'.encode() for trial in trials)):
        found = data.find(mark, 0, whole)
        while found >= 0:
            starts.add(data.rfind(b"\n", 0, found) + 1)
            found = data.find(mark, data.index(b"\n", found), whole)
    place, before = 1, 0
    for start in sorted(starts):
        place, before = place + data.count(b"\n", before, start), start
        event, _ = journal.parse(data[start : data.index(b"\n", start)], segment, place)
        if (kept := _narrowed(event, trials)) is not None:
            yield kept


def _narrowed(event: Event, trials: Collection[str]) -> Event | None:
    """Return the event as far as it concerns these trials; None where it does not."""
    match event:
        case SweepStarted() | DriverStarted() | DriverStopped() | Resized() | Extended():
            return event
        case Hidden() | StopRequested():
            named = tuple(trial for trial in event.trials if trial in trials)
            return replace(event, trials=named) if named else None
        case Confirmed():
            found = {trial: figures for trial, figures in event.trials.items() if trial in trials}
            return replace(event, trials=found) if found else None
        case _:
            return event if event.trial in trials else None
