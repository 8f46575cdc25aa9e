"""Simulated workers: the calls of production (`next_job`, `report`) on a clock of our own."""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from results.events import Reported, stamp
from tuner.decisions import Job
from tuner.search import Steering

# Metrics of one epoch of a job, by name; `score` is the objective, None where it is missing or not finite.
Curves = Callable[[Job, int], Mapping[str, float | None]]


@dataclass(slots=True)
class Trace:
    """What a simulation did.

    Attributes:
        epochs: Epochs trained, all workers together.
        wall_s: Simulated seconds from start to end.
        busy_s: Simulated seconds that workers trained.
        jobs: Segments in the order in which they were started.
    """

    epochs: int = 0
    wall_s: float = 0.0
    busy_s: float = 0.0
    jobs: list[Job] = field(default_factory=list)


def simulate(
    search: Steering,
    curves: Curves,
    *,
    num_workers: int,
    epoch_s: Callable[[Job], float] = lambda job: 1.0,
    launch_s: Callable[[Job], float] = lambda job: 0.0,
    start_s: float = 0.0,
    max_epochs: int | None = None,
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
    """
    trace = Trace()
    now = start_s
    order = 0
    running: list[tuple[float, int, Job, int]] = []  # (when the epoch ends, tie-breaker, job, epoch)

    def fill() -> None:
        nonlocal order
        while len(running) < num_workers and (job := search.next_job(now)) is not None:
            trace.jobs.append(job)
            order += 1
            heapq.heappush(running, (now + launch_s(job) + epoch_s(job), order, job, job.from_epoch + 1))

    fill()
    while running and (max_epochs is None or trace.epochs < max_epochs):
        now, _, job, epoch = heapq.heappop(running)
        trace.epochs += 1
        trace.busy_s += epoch_s(job)
        decision = search.report(_reported(job, epoch, curves(job, epoch), epoch_s(job), now), now)
        if decision.action == "continue" and epoch < job.until_epoch:
            order += 1
            heapq.heappush(running, (now + epoch_s(job), order, job, epoch + 1))
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
