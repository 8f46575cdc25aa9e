"""One sweep held open by this driver: its lock, its journal, its search, its derived files, and what people ask of it meanwhile."""

import json
import logging
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType

from results import journal
from results.errors import Locked, Unreadable
from results.events import Asked, DriverStarted, DriverStopped, Event, Reported, Resized, StopRequested, SweepStarted, stamp
from results.history import History
from results.journal import Journal
from results.lock import SweepLock
from results.refresh import Refresher
from results.storage import Storage
from search_spaces import load
from search_spaces.errors import SweepError
from search_spaces.sweep import Sweep
from tuner import checkpoints, provenance, requests, shipping
from tuner.errors import MostFailed, UsageError
from tuner.interrupts import StopAsked
from tuner.restore import restore
from tuner.search import Cost, Search

LOOK_S = 1.0  # between two looks into the inbox: whoever asks waits no longer, and a network file system is not asked more often
REMOTE_LOOK_S = 2.0  # on an object store, where a look is a paid request of some 30 ms

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Session:
    """A sweep that this process alone may write to."""

    sweep: Sweep
    storage: Storage
    search: Search
    refresher: Refresher
    finished: bool  # nothing was left to do when it was opened
    lock: SweepLock
    journal: Journal
    cost: Cost  # counts what an architecture costs
    _next_look: float = 0.0

    def start(self, slots: int, *, gpus: float = 0.0, memory_bytes: int = 0) -> None:
        """Journal that a driver with so many slots goes to work: what an earlier one had running was interrupted.

        Args:
            slots: Trials at once.
            gpus: Share of a GPU that each holds.
            memory_bytes: Device memory that each may use; 0 where nothing bounds it.
        """
        self.search.record(
            DriverStarted(
                at=stamp(time.time()),
                host=platform.node(),
                pid=os.getpid(),
                slots=slots,
                gpus=gpus,
                slot_memory_bytes=memory_bytes,
            )
        )

    def resize(self, slots: int) -> None:
        """Journal that nodes joined or left: so many trials at once from now on."""
        self.search.record(Resized(at=stamp(time.time()), slots=slots))

    def after_report(self, trial: str) -> None:
        """Delete what the report of a trial made useless, and refresh the derived files where it is time."""
        checkpoints.tidy(self.storage, self.search.history.trials[trial], self.sweep.resources.keep)
        self.refresher.maybe()

    def look_up(self, now: float, left_s: tuple[float, float] | None = None) -> None:
        """Obey what people have asked for since the last look, once a second at most.

        Args:
            now: Seconds since 1970.
            left_s: What the sweep is expected to need still, for whoever asks for its status.

        Raises:
            StopAsked: A person wants this driver to stop.
            Locked: Another driver has taken the sweep over.
        """
        if self._next_look <= now:
            self._next_look = now + (LOOK_S if self.storage.mirror is None else REMOTE_LOOK_S)
            self.lock.check()
            self.lock.foresee(left_s)
            self.journal.flush()
            self.obey_waiting(now)

    def obey_waiting(self, now: float) -> None:
        """Obey what waits in the inbox. Errors as in `look_up`."""
        stop: StopRequested | None = None

        def obey(asked: Asked) -> None:
            nonlocal stop
            self.search.obey(asked, now)
            match asked:
                case StopRequested(trials=()):
                    stop = asked
                case StopRequested(trials=trials):
                    for trial in trials:
                        checkpoints.tidy(self.storage, self.search.history.trials[trial], self.sweep.resources.keep)

        if requests.obey_waiting(self.storage, self.search.history, obey):
            self.refresher.soon()
        if stop is not None:
            raise StopAsked(stop.author)

    def close(self, reason: str) -> None:
        """Journal that this driver lets go, and write no more; twice is allowed. What is heard afterwards is trained again."""
        if not self.journal.closed:
            self.search.record(DriverStopped(at=stamp(time.time()), reason=reason))
            self.journal.close()


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
    with SweepLock(storage) as lock:
        sweep = _store(sweep, storage, source, code)
        events = list(journal.read(storage))
        writer = Journal(storage)
        try:
            search = restore(
                sweep, events, cost=cost, append=lambda facts, sync: writer.append(facts, sync=sync or _saved(facts)), now=time.time()
            )
            if not events:
                search.record(_started(sweep, search))
            refresher = Refresher(storage, search.history)
            session = Session(sweep, storage, search, refresher, search.history.finished, lock, writer, cost)
            with suppress(StopAsked):  # it was meant for a driver that is gone
                session.obey_waiting(time.time())
            session.finished = search.history.finished
            reason = "failed"
            try:
                yield session
                # Somebody may have extended the sweep since its last worker came home.
                reason = "budget" if search.stopped_by else "finished" if search.done else "interrupted"
            except StopAsked:
                reason = "stopped"
                raise
            except MostFailed:
                reason = "failing"
                raise
            except KeyboardInterrupt:
                reason = "interrupted"
                raise
            finally:
                _let_go(session, reason)
        finally:
            writer.close()


def obey_alone(storage: Storage, asked: Asked) -> None:
    """Obey a request where no driver is at work: take the sweep for a moment, and whatever else waits in its inbox with it.

    Raises:
        Locked: A driver holds the sweep; leave the request in its inbox.
        UsageError: The request cannot be obeyed.
    """
    with SweepLock(storage):
        sweep = stored(storage)
        history = History.of(journal.read(storage))
        writer = Journal(storage)

        def obey(one: Asked) -> None:
            facts = requests.facts(history, sweep, one, time.time())
            for fact in facts:
                history.apply(fact)
            writer.append(facts, sync=True)
            if isinstance(one, StopRequested):
                for trial in one.trials:
                    checkpoints.tidy(storage, history.trials[trial], sweep.resources.keep)

        try:
            requests.obey_waiting(storage, history, obey)
            if asked.request not in history.requests:
                obey(asked)
        finally:
            writer.close()
        if history.driver is not None:  # it was killed: this is for the tables alone, its journal stays as it is
            history.apply(DriverStopped(at=history.last_at, reason="interrupted"))
        Refresher(storage, history).now()


def stored(storage: Storage) -> Sweep:
    """Return the resolved sweep that lies in a folder.

    Raises:
        Unreadable: Its file is missing or damaged, or another release wrote it.
    """
    path = storage.path("sweep.json")
    remedy = "restore it from a copy"
    try:
        content = json.loads(storage.read("sweep.json"))["sweep"]
    except FileNotFoundError as error:
        raise Unreadable(f"{path} is missing; {remedy}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{path} is damaged ({error}); {remedy}") from error
    try:
        return load.resolved(content)
    except SweepError as error:
        seen = "; ".join(str(error).splitlines())
        raise Unreadable(f"{path} was written by another release, or changed by hand ({seen}); {remedy}") from error


def _saved(facts: Sequence[Event]) -> bool:
    """Return whether a checkpoint is among the facts: the one before is deleted next, so the journal must have this one for good."""
    return any(isinstance(fact, Reported) and fact.checkpoint is not None for fact in facts)


def _let_go(session: Session, reason: str) -> None:
    """Close the journal and refresh the tables; nothing here hides the error that may be on its way."""
    try:
        session.lock.check()
    except Locked:
        return  # the sweep is another driver's: not a word more from this one
    if not session.finished:
        session.close(reason)
    try:
        session.refresher.now()
    except OSError as error:
        _log.warning("%s: the tables were not refreshed (%s); any command that reads them does it", session.storage, error)


def _store(sweep: Sweep, storage: Storage, source: bytes | None, code: Mapping[str, bytes]) -> Sweep:
    """Keep the sweep file and its resolved form; refuse a different sweep of the same name.

    Returns:
        The sweep; what it took from earlier sweeps is as it was when it was stored.
    """
    if storage.exists("sweep.json"):
        earlier = stored(storage)
        if earlier.hash() != sweep.hash():
            raise UsageError(
                f"another sweep named {sweep.name} lies in {storage} (hash {earlier.hash()}, this file has {sweep.hash()}); "
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
