"""Ray's calls become calls of `Search`: ids mapped, types converted, free slots counted. No `if` about scores lives here.

One Ray trial is one segment (a `Job`). `RaySearcher.suggest` hands out `next_job()` while a slot is free, so promotions, resumed
trials, retries and new candidates all come the same way and a restart needs nothing special. `RayScheduler` passes reports on and
answers CONTINUE or STOP. Ray's checkpoints, retries and experiment state are not used.
"""

import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from results.events import Reported, stamp
from results.storage import Storage
from tuner import checkpoints, ray_losses, ray_nodes
from tuner.decisions import Job
from tuner.errors import MostFailed, SweepFailed
from tuner.ray_losses import Loss
from tuner.ray_trial import DeviceMissing, EpochTrained, NotHere, RayTrial, StorageFailed, TrialEnded, WorkOrder
from tuner.ray_watchdog import Watchdog
from tuner.search import Search
from tuner.slots import Slots, pretended

logger = logging.getLogger(__name__)

# How long a worker may train on after its trial was stopped by a person: mostly its epoch ends sooner, and a new worker takes as long to
# start (Ray 2, torch 3, the data set; some seconds each).
PATIENCE_S = 15.0
LEFT_LATELY_S = 600.0  # a notice comes minutes before at most
LOOK_AROUND_S = 1.0  # between two looks at the cluster's nodes


@dataclass(slots=True)
class Drive:
    """Searches that share the workers of one Ray session, and what runs now.

    Attributes:
        searches: In order of precedence: a free worker asks the first one first.
        storages: The folder of each.
        slots: How many jobs at once, and what each holds.
        export: Whether the trials are finals, exported after their last epoch.
        on_report: Called after each report has been answered: the search's number and the trial.
        on_tick: Called often, several times a second.
        watchdog: How long a worker may be silent.
        count_slots: Returns how many trials fit now: nodes join and leave.
        on_resize: Called with the number of slots when it has changed.
        device: Where workers train: `cuda` or `cpu`.
        usable: Returns the ids of the nodes that may be used; None stands for any.
        running: Ray's trial id -> search number and job.
        refused: Search number and job that came to a node which is not used, and were not begun.
        told: Ray's trial id -> since when (`time.monotonic`) its trial is over for the journal while a worker still trains it: a person
            stopped it.
        ended_for: Ray's trial id -> why we have ended its worker.
        error: The first error of our own code inside a callback of Ray's, which Ray would blame on a trial.
    """

    searches: Sequence[Search]
    storages: Sequence[Storage]
    slots: Slots
    export: bool
    on_report: Callable[[int, str], None]
    on_tick: Callable[[], None]
    watchdog: Watchdog
    count_slots: Callable[[], int]
    on_resize: Callable[[int], None]
    device: str
    usable: Callable[[], Collection[str] | None]
    running: dict[str, tuple[int, Job]] = field(default_factory=dict)
    refused: list[tuple[int, Job]] = field(default_factory=list)
    told: dict[str, float] = field(default_factory=dict)
    ended_for: dict[str, str] = field(default_factory=dict)
    error: BaseException | None = None
    _next_look: float = 0.0
    _shrunk_at: float = -math.inf

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Ray pickles its searcher and scheduler at construction, and never needs the copy."""
        return {}

    def next_order(self, ray_id: str) -> dict[str, Any] | str | None:
        """Return what Ray's new trial trains; None for nothing now, FINISHED for nothing ever."""
        if self.running and len(self.running) >= self.slots.count:  # where every node is gone, one job waits for the next
            return None
        if (found := self._next_job()) is None:
            return Searcher.FINISHED if not self.running and all(search.done for search in self.searches) else None
        self.running[ray_id] = number, job = found
        order = WorkOrder.of(
            job,
            root=self.storages[number].address,
            threads=self.slots.cpus,
            export=self.export,
            device=self.device,
            gpus=self.slots.gpus,
            record_steps=self.searches[number].sweep.record == "steps",
            nodes=self.usable(),
        )
        return {"order": asdict(order)}

    def _next_job(self) -> tuple[int, Job] | None:
        while self.refused:
            number, job = self.refused.pop(0)
            if job.trial in self.searches[number].history.running:  # else a person has stopped it meanwhile
                return number, job
        for number, search in enumerate(self.searches):
            if (new := search.next_job(time.time())) is not None:
                return number, new
        return None

    def take(self, ray_id: str, result: dict[str, Any]) -> bool:
        """Pass one result on; return whether the trial goes on with this segment."""
        outcome = result["outcome"]
        if isinstance(outcome, NotHere):
            if (refused := self.running.pop(ray_id, None)) is not None:
                self.refused.append(refused)
            return outcome.node not in (self.usable() or ()) and not all(search.done for search in self.searches)
        if (entry := self.running.get(ray_id)) is None:
            return False  # given up as lost
        number, job = entry
        search = self.searches[number]
        now = time.time()
        if isinstance(outcome, StorageFailed):
            raise SweepFailed(
                f"{outcome.reason}; everything reported so far is kept: mend it, then give the same command again, or: shortlist resume"
            )
        if isinstance(outcome, DeviceMissing):
            raise SweepFailed(f"{outcome.reason}; mend its driver or torch, or set resources.gpus: 0, then go on with: shortlist resume")
        if isinstance(outcome, TrialEnded):
            search.end(job.trial, job.attempt, outcome.status, outcome.reason, now, outcome.log_tail)
            _stop_if_failing(search)
            goes_on = False
        else:
            checkpoint = checkpoints.accept(self.storages[number], outcome.checkpoint)
            report = _reported(job, outcome, checkpoint, search.sweep.objective.metric, now)
            self.watchdog.heard(ray_id, report.wall_s)
            goes_on = search.report(report, now).action == "continue"
        if not goes_on:
            del self.running[ray_id]
        self.on_report(number, job.trial)
        return goes_on

    def lose(self, ray_id: str, loss: Loss) -> None:
        """Take note that the worker of a segment died; the retry is an answer of `next_order`."""
        if (entry := self.running.pop(ray_id, None)) is None:
            return
        number, job = entry
        if (reason := self.ended_for.pop(ray_id, None)) is not None:
            loss = Loss(reason)
        storage = self.storages[number]
        gone = loss.node_lost and storage.mirror is not None  # with the node; a folder that every node sees still has it
        said = () if gone else ray_nodes.last_words(storage, job.trial)
        search = self.searches[number]
        search.lost(job.trial, job.attempt, loss.reason, time.time(), node_lost=loss.node_lost, log_tail=said)
        self.on_report(number, job.trial)
        _stop_if_failing(search)

    def look_around(self) -> bool:
        """Take note of nodes that joined or left; return whether it was time to look."""
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_AROUND_S
        try:
            count = self.count_slots()
        except (ray.exceptions.RayError, RuntimeError, OSError) as error:  # a head node that is busy: the next look will tell
            logger.warning("the cluster's nodes cannot be counted: %s", error)
            return True
        if count != self.slots.count:
            logger.info("%d trials at once from now on, %d before: nodes joined or left", count, self.slots.count)
            if count < self.slots.count:
                self._shrunk_at = time.monotonic()
            self.slots = replace(self.slots, count=count)
            self.on_resize(count)
        return True

    @property
    def node_left(self) -> bool:
        """Return whether a node has left in the last minutes, or was announced to."""
        return time.monotonic() - self._shrunk_at < LEFT_LATELY_S

    def hanging(self, training: Collection[str]) -> list[str]:
        """Return Ray's ids of the trials whose workers have been silent for too long, of those that have a worker."""
        late = self.watchdog.silent(training, time.monotonic())
        for ray_id in late:
            self.ended_for[ray_id] = f"no epoch reported for {self.watchdog.limit_s:.0f} s, its worker was ended (resources.trial_timeout)"
        return late

    def overdue(self) -> list[str]:
        """Return Ray's ids of the trials that were stopped from outside and whose worker has not come back for a while."""
        over = {
            ray_id for ray_id, (number, job) in self.running.items() if job.trial not in self.searches[number].history.running
        }  # the few that train now
        now = time.monotonic()
        self.told = {ray_id: self.told.get(ray_id, now) for ray_id in over}
        return [ray_id for ray_id, since in self.told.items() if now - since > PATIENCE_S]

    def guard(self, call: Callable[[], Any]) -> Any:
        """Run our own code inside a callback of Ray's: its errors end the sweep, never a trial."""
        try:
            return call()
        except BaseException as error:
            self.error = self.error or error
            raise


def _reported(job: Job, outcome: EpochTrained, checkpoint: str | None, metric: str, now: float) -> Reported:
    score = getattr(outcome.metrics, metric)
    return Reported(
        at=stamp(now),
        trial=job.trial,
        attempt=job.attempt,
        score=score if math.isfinite(score) else None,
        checkpoint=checkpoint,
        worker=outcome.worker,
        device=outcome.device,
        step_losses=outcome.step_losses,
        **asdict(outcome.metrics),
    )


def _stop_if_failing(search: Search) -> None:
    if (reason := search.failing) is not None:
        raise MostFailed(f"{reason}; everything so far is kept: mend it, then go on with: shortlist resume {search.sweep.name}")


def _most_pending(slots: Slots) -> int:
    """Return how far Tune plans ahead: with twice the slots a finished segment's worker is reused rather than replaced."""
    return max(1, 2 * slots.count)


class RaySearcher(Searcher):
    """What Ray asks for new trials."""

    def __init__(self, drive: Drive) -> None:
        super().__init__()
        self._drive = drive

    def suggest(self, trial_id: str) -> Any:
        """Return the next order, None for nothing now, or FINISHED."""
        return self._drive.guard(lambda: self._drive.next_order(trial_id))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear that a segment is over: nothing to do, `RayScheduler` hears of lost workers, and why, first."""

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the journal has it."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: the journal has it."""


class RayScheduler(FIFOScheduler):
    """What Ray tells of results."""

    def __init__(self, drive: Drive) -> None:
        super().__init__()
        self._drive = drive

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """Choose nothing: Ray starts pending trials by itself, and FIFO's choice makes it kill workers that are still starting."""
        tune_controller.update_max_pending_trials(_most_pending(self._drive.slots))

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Hear that the worker of a segment is gone."""
        self._drive.guard(lambda: self._drive.lose(trial.trial_id, ray_losses.of(trial, node_left=self._drive.node_left)))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Pass one epoch on; return Ray's word for the answer."""
        goes_on = self._drive.guard(lambda: self._drive.take(trial.trial_id, result))
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)


class Ticker(tune.Callback):
    """Ray's loop turns: progress is drawn, files are refreshed, and an error of ours that Ray hid comes out."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Look up between two turns."""
        if self._drive.error is not None:
            raise self._drive.error
        self._drive.on_tick()
        if not self._drive.guard(self._drive.look_around):
            return
        workers = {trial.trial_id: trial.temporary_state.ray_actor for trial in trials if trial.trial_id in self._drive.running}
        for ray_id in [*self._drive.overdue(), *self._drive.hanging([name for name, worker in workers.items() if worker is not None])]:
            if (worker := workers.get(ray_id)) is not None:
                ray.kill(worker)  # comes back as a lost worker; where a person had stopped the trial, of one that is over


def drive(
    searches: Sequence[Search],
    storages: Sequence[Storage],
    slots: Slots,
    *,
    export: bool,
    on_report: Callable[[int, str], None],
    on_tick: Callable[[], None],
    watchdog: Watchdog | None = None,
    count_slots: Callable[[], int] | None = None,
    on_resize: Callable[[int], None] = lambda count: None,
    usable: Callable[[], Collection[str] | None] = lambda: None,
    trainable_class: type[tune.Trainable] | None = None,
) -> None:
    """Train until every search is done. Ray must be connected.

    Args:
        searches: What to train; several share the workers.
        storages: The folder of each search, seen by every node.
        slots: How many trials at once.
        export: Whether trials are finals, exported after their last epoch.
        on_report: Called with the search's number and the trial after each answered report.
        on_tick: Called several times a second; a KeyboardInterrupt that it raises ends everything.
        watchdog: How long a worker may be silent; for ever where None.
        count_slots: Returns how many trials fit now, asked once a second; always as many as at first where None.
        on_resize: Called with the number of slots when it has changed.
        usable: Returns the ids of the nodes that may be used, as of the last count; None stands for any.
        trainable_class: What trains an order: RayTrial by default; another one measures the driver alone.
    """
    device = "cuda" if slots.gpus > 0 and not pretended() else "cpu"
    never = Watchdog(math.inf)
    count = count_slots or (lambda: slots.count)
    state = Drive(searches, storages, slots, export, on_report, on_tick, watchdog or never, count, on_resize, device, usable)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(_most_pending(slots))
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="shortlist-", ignore_cleanup_errors=True) as scratch:
        try:
            tune.Tuner(
                tune.with_resources(trainable_class or RayTrial, {"cpu": slots.cpus} | ({"gpu": slots.gpus} if slots.gpus else {})),
                tune_config=tune.TuneConfig(
                    num_samples=-1, search_alg=RaySearcher(state), scheduler=RayScheduler(state), reuse_actors=True
                ),
                run_config=tune.RunConfig(
                    storage_path=scratch,
                    verbose=0,
                    failure_config=tune.FailureConfig(max_failures=0),
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                    callbacks=[Ticker(state)],
                ),
            ).fit()
        except Exception:
            if state.error is not None:
                raise state.error from None
            raise
    if state.error is not None:
        raise state.error
