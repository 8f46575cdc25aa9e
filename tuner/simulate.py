"""Simulated workers: the calls of production (`next_job`, `report`, `lost`, `end`) on a clock of our own."""

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from results.events import Reported, stamp
from tuner.decisions import Job
from tuner.search import Steering

# Metrics of one epoch of a job, by name; `score` is the objective, None where it is missing or not finite.
Curves = Callable[[Job, int], Mapping[str, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishaps:
    """What goes wrong in a simulation. Chances are per trained epoch, 0..1; the default is that nothing does.

    Attributes:
        seed: Of everything that is drawn here.
        lost: Chance that the worker goes away in the middle of the epoch, which is never reported.
        not_finite: Chance that the epoch's score is not finite.
        out_of_memory: Chance that a trial's first epoch does not fit the device.
        killed: Chance that the driver is killed after the epoch's report, and all workers with it.
        uneven: How much shorter or longer than usual an epoch may be, as a share of its time, 0..1.
    """

    seed: int = 0
    lost: float = 0.0
    not_finite: float = 0.0
    out_of_memory: float = 0.0
    killed: float = 0.0
    uneven: float = 0.0


@dataclass(slots=True)
class Trace:
    """What a simulation did.

    Attributes:
        num_workers: Segments trained at the same time.
        epochs: Epochs trained and reported, all workers together.
        wall_s: Simulated seconds from start to end.
        busy_s: Simulated seconds that workers trained, epochs that were lost included.
        jobs: Segments in the order in which they were started.
        lost: Epochs that were lost with their worker.
        restarts: How often the driver was killed.
    """

    num_workers: int
    epochs: int = 0
    wall_s: float = 0.0
    busy_s: float = 0.0
    jobs: list[Job] = field(default_factory=list)
    lost: int = 0
    restarts: int = 0

    @property
    def busy(self) -> float:
        """Return the share of the workers' time spent training, 0..1."""
        return self.busy_s / (self.wall_s * self.num_workers) if self.wall_s else 0.0


def simulate(
    search: Steering,
    curves: Curves,
    *,
    num_workers: int,
    epoch_s: Callable[[Job], float] = lambda job: 1.0,
    launch_s: Callable[[Job], float] = lambda job: 0.0,
    start_s: float = 0.0,
    max_epochs: int | None = None,
    mishaps: Mishaps = Mishaps(),
    restart: Callable[[float], Steering] | None = None,
) -> Trace:
    """Run a search to its end on workers that exist only here.

    Args:
        search: What steers; a `Search`, or a peer's rule in the same words.
        curves: What an epoch of a job gives.
        num_workers: Segments trained at the same time, >= 1.
        epoch_s: Seconds that one epoch of a job takes.
        launch_s: Seconds from a job's launch to its first epoch's start.
        start_s: The clock at the start, seconds since 1970.
        max_epochs: Stop after so many epochs, as a kill would; None runs to the end.
        mishaps: What goes wrong on the way.
        restart: Opens the search again, from its journal, after the driver was killed at the given time; needed where `killed` > 0.
    """
    trace = Trace(num_workers)
    rng = random.Random(mishaps.seed)
    now = start_s
    order = 0
    running: list[tuple[float, int, float, Job, int]] = []  # (when the epoch ends, tie-breaker, its seconds, job, epoch)

    def happens(chance: float) -> bool:
        return chance > 0.0 and rng.random() < chance

    def train(job: Job, epoch: int, after_s: float = 0.0) -> None:
        nonlocal order
        order += 1
        seconds = epoch_s(job) * (1.0 + mishaps.uneven * rng.uniform(-1.0, 1.0) if mishaps.uneven else 1.0)
        heapq.heappush(running, (now + after_s + seconds, order, seconds, job, epoch))

    def fill() -> None:
        while len(running) < num_workers and (job := search.next_job(now)) is not None:
            trace.jobs.append(job)
            train(job, job.from_epoch + 1, launch_s(job))

    fill()
    while running and (max_epochs is None or trace.epochs < max_epochs):
        now, _, seconds, job, epoch = heapq.heappop(running)
        trace.busy_s += seconds
        if happens(mishaps.lost):
            trace.lost += 1
            search.lost(job.trial, job.attempt, "its worker went away", now)
        elif epoch == 1 and happens(mishaps.out_of_memory):
            search.end(job.trial, job.attempt, "out_of_memory", "the device is full", now)
        else:
            trace.epochs += 1
            metrics = {"score": None} if happens(mishaps.not_finite) else curves(job, epoch)
            decision = search.report(_reported(job, epoch, metrics, seconds, now), now)
            if decision.action == "continue" and epoch < job.until_epoch:
                train(job, epoch + 1)
        if restart is not None and happens(mishaps.killed):
            trace.restarts += 1
            running.clear()
            search = restart(now)
        fill()
    trace.wall_s = now - start_s
    return trace


def _reported(job: Job, epoch: int, metrics: Mapping[str, float | None], epoch_s: float, now: float) -> Reported:
    score = metrics["score"]
    nan = float("nan")
    checkpoint = epoch == job.until_epoch or epoch % job.checkpoint_epochs == 0
    return Reported(
        at=stamp(now),
        trial=job.trial,
        attempt=job.attempt,
        score=score,
        checkpoint=f"trials/{job.trial}/checkpoints/{epoch:06d}.{job.attempt}" if checkpoint else None,
        worker="simulated",
        device="simulated",
        epoch=epoch,
        val_accuracy=nan if score is None else score,
        val_loss=nan,
        train_accuracy=nan,
        train_loss=nan,
        lr=job.config.lr,
        wall_s=epoch_s,
        device_s=epoch_s,
        images_per_s=nan,
        peak_memory_bytes=0,
    )
