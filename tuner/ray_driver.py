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
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from results.events import Reported, stamp
from results.storage import Storage
from tuner import checkpoints
from tuner.decisions import Job
from tuner.errors import SweepFailed
from tuner.ray_trial import EpochTrained, RayTrial, StorageFailed, TrialEnded, WorkOrder
from tuner.search import Search
from tuner.slots import Slots

logger = logging.getLogger(__name__)

# How long a worker may train on after its trial was stopped by a person: mostly its epoch ends sooner, and a new worker takes as long to
# start (Ray 2, torch 3, the data set; some seconds each).
PATIENCE_S = 15.0


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
        running: Ray's trial id -> search number and job.
        told: Ray's trial id -> since when (`time.monotonic`) its trial is over for the journal while a worker still trains it: a person
            stopped it.
        error: The first error of our own code inside a callback of Ray's, which Ray would blame on a trial.
    """

    searches: Sequence[Search]
    storages: Sequence[Storage]
    slots: Slots
    export: bool
    on_report: Callable[[int, str], None]
    on_tick: Callable[[], None]
    running: dict[str, tuple[int, Job]] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    error: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Ray pickles its searcher and scheduler at construction, and never needs the copy."""
        return {}

    def next_order(self, ray_id: str) -> dict[str, Any] | str | None:
        """Return what Ray's new trial trains; None for nothing now, FINISHED for nothing ever."""
        if len(self.running) >= self.slots.count:
            return None
        for number, search in enumerate(self.searches):
            job = search.next_job(time.time())
            if job is None:
                continue
            self.running[ray_id] = number, job
            order = WorkOrder.of(job, root=self.storages[number].address, threads=self.slots.cpus, export=self.export)
            return {"order": asdict(order)}
        return Searcher.FINISHED if not self.running and all(search.done for search in self.searches) else None

    def take(self, ray_id: str, result: dict[str, Any]) -> bool:
        """Pass one result on; return whether the trial goes on with this segment."""
        number, job = self.running[ray_id]
        search = self.searches[number]
        outcome = result["outcome"]
        now = time.time()
        if isinstance(outcome, StorageFailed):
            raise SweepFailed(
                f"{outcome.reason}; everything reported so far is kept: mend it, then give the same command again, or: shortlist resume"
            )
        if isinstance(outcome, TrialEnded):
            search.end(job.trial, job.attempt, outcome.status, outcome.reason, now, outcome.log_tail)
            goes_on = False
        else:
            checkpoint = checkpoints.accept(self.storages[number], outcome.checkpoint)
            report = _reported(job, outcome, checkpoint, search.sweep.objective.metric, now)
            goes_on = search.report(report, now).action == "continue"
        if not goes_on:
            del self.running[ray_id]
        self.on_report(number, job.trial)
        return goes_on

    def lose(self, ray_id: str) -> None:
        """Take note that the worker of a segment died; the retry is an answer of `next_order`."""
        if (entry := self.running.pop(ray_id, None)) is not None:
            number, job = entry
            self.searches[number].lost(job.trial, job.attempt, "the worker process went away", time.time())
            self.on_report(number, job.trial)

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
        **asdict(outcome.metrics),
    )


class RaySearcher(Searcher):
    """What Ray asks for new trials."""

    def __init__(self, drive: Drive) -> None:
        super().__init__()
        self._drive = drive

    def suggest(self, trial_id: str) -> Any:
        """Return the next order, None for nothing now, or FINISHED."""
        return self._drive.guard(lambda: self._drive.next_order(trial_id))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear that a segment is over; with `error`, its worker is gone."""
        if error:
            self._drive.guard(lambda: self._drive.lose(trial_id))

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
        return

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
        for ray_id in self._drive.overdue():
            worker = next((trial.temporary_state.ray_actor for trial in trials if trial.trial_id == ray_id), None)
            if worker is not None:
                ray.kill(worker)  # comes back as a lost worker, of a trial that is over


def drive(
    searches: Sequence[Search],
    storages: Sequence[Storage],
    slots: Slots,
    *,
    export: bool,
    on_report: Callable[[int, str], None],
    on_tick: Callable[[], None],
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
        trainable_class: What trains an order: RayTrial by default; another one measures the driver alone.
    """
    state = Drive(searches, storages, slots, export, on_report, on_tick)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(2 * slots.count)
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
