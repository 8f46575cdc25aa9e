"""One sweep held open by this driver: its lock, its journal, its search, its derived files."""

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from results import journal
from results.errors import Unreadable
from results.events import DriverStarted, DriverStopped, Event, SweepStarted, stamp
from results.lock import SweepLock
from results.refresh import Refresher
from results.storage import Storage
from search_spaces import load
from search_spaces.errors import SweepError
from search_spaces.sweep import Sweep
from tuner import checkpoints, provenance, shipping
from tuner.errors import UsageError
from tuner.restore import restore
from tuner.search import Cost, Search


@dataclass(slots=True)
class Session:
    """A sweep that this process alone may write to."""

    sweep: Sweep
    storage: Storage
    search: Search
    refresher: Refresher
    finished: bool  # nothing was left to do when it was opened

    def start(self, slots: int) -> None:
        """Journal that a driver with so many slots goes to work: what an earlier one had running was interrupted."""
        self.search.record(DriverStarted(at=stamp(time.time()), host=platform.node(), pid=os.getpid(), slots=slots))

    def after_report(self, trial: str) -> None:
        """Delete what the report of a trial made useless, and refresh the derived files where it is time."""
        checkpoints.tidy(self.storage, self.search.history.trials[trial])
        self.refresher.maybe()


@contextmanager
def hold(
    sweep: Sweep, storage: Storage, *, source: bytes | None, cost: Cost, code: Mapping[str, bytes] = MappingProxyType({})
) -> Iterator[Session]:
    """Open a sweep, new or begun, and close its journal whatever happens.

    Args:
        sweep: What to search; must be the sweep that is stored there, if one is.
        storage: Its folder.
        source: The sweep file as the user wrote it, kept beside the resolved one; None for a sweep that we made.
        cost: Counts what an architecture costs.
        code: Files of the user's own networks, kept with a sweep that is new.

    Raises:
        UsageError: Another sweep is stored under this name.
        Locked: Another driver holds it.
    """
    with SweepLock(storage):
        sweep = _store(sweep, storage, source, code)
        events = list(journal.read(storage))
        stopped = bool(events) and isinstance(events[-1], DriverStopped) and events[-1].reason == "finished"
        writer = journal.Journal(storage)

        def append(facts: Sequence[Event], sync: bool) -> None:
            writer.append(facts, sync=sync)

        try:
            search = restore(sweep, events, cost=cost, append=append, now=time.time())
            if not events:
                search.record(_started(sweep, search))
            session = Session(sweep, storage, search, Refresher(storage, search.history), finished=stopped)
            reason = "failed"
            try:
                yield session
                reason = "budget" if search.stopped_by else "finished"
            except KeyboardInterrupt:
                reason = "interrupted"
                raise
            finally:
                if not stopped:
                    search.record(DriverStopped(at=stamp(time.time()), reason=reason))
                writer.close()
                session.refresher.now()
        finally:
            writer.close()


def stored(storage: Storage) -> Sweep:
    """Return the resolved sweep that lies in a folder."""
    try:
        content = json.loads(storage.read("sweep.json"))["sweep"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{storage.path('sweep.json')} is damaged ({error}); restore it from a copy") from error
    return load.resolved(content)


def _store(sweep: Sweep, storage: Storage, source: bytes | None, code: Mapping[str, bytes]) -> Sweep:
    """Keep the sweep file and its resolved form; refuse a different sweep of the same name.

    Returns:
        The sweep; what it took from earlier sweeps is as it was when it was stored.
    """
    if storage.exists("sweep.json"):
        try:
            earlier = stored(storage)
        except SweepError as error:
            raise UsageError(f"{storage.path('sweep.json')} cannot be read: {error}") from error
        if earlier.hash() != sweep.hash():
            raise UsageError(
                f"another sweep named {sweep.name} lies in {storage.root} (hash {earlier.hash()}, this file has {sweep.hash()}); "
                f"give this one another name, e.g. -s name={sweep.name}-2"
            )
        return sweep.model_copy(update={"search": earlier.search})
    if source is not None:
        storage.write_atomic("sweep.yaml", source)
    shipping.store(storage, code)
    content = {"sweep": sweep.model_dump(mode="json"), "hash": sweep.hash(), "provenance": provenance.collect()}
    storage.write_atomic("sweep.json", json.dumps(content, indent=2).encode() + b"\n")
    return sweep


def _started(sweep: Sweep, search: Search) -> SweepStarted:
    versions = provenance.versions()
    return SweepStarted(
        at=stamp(time.time()),
        sweep=sweep.name,
        sweep_hash=sweep.hash(),
        metric=sweep.objective.metric,
        mode=sweep.objective.mode,
        parameters=search.searched,
        ladder=search.ladder,
        max_epochs=sweep.max_epochs,
        num_trials=search.num_trials,
        commit=provenance.commit(),
        versions=versions,
    )
