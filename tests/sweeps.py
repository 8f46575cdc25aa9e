"""Small sweeps that tests of the search share: built as a file would be, without data, torch or ray."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from results.events import Event, Reported, stamp
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from tuner.decisions import Job
from tuner.restore import restore
from tuner.search import Search

START = 1_700_000_000.0  # an arbitrary moment, in seconds since 1970


def make_sweep(*, trials: int | None = 9, scheduler: Mapping[str, Any] | None = None, **changes: Any) -> Sweep:
    """Return a sweep over the learning rate of one small network."""
    content: dict[str, Any] = {
        "name": "test",
        "data": {"name": "digits"},
        "trial": {"model": {"family": "resnet", "blocks": [1], "channels": 8}, "lr": {"loguniform": [1e-4, 1e-1]}},
        "search": {"sampler": "random"} | ({"trials": trials} if trials else {}),
        "scheduler": scheduler or {"asha": {"min_epochs": 1, "max_epochs": 27, "eta": 3}},
    }
    return Sweep.model_validate(content | changes)


def flat_cost(config: TrainConfig) -> ArchitectureCost:
    """Cost that grows with the channels, so that a limit can cut through a space."""
    channels = config.model.channels
    assert isinstance(channels, int)
    return ArchitectureCost(parameters=1_000 * channels, flops_per_image=1, activation_bytes_per_image=1)


class Recorder:
    """A journal in memory: what would be on disk, and whether it was synced."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.synced: list[bool] = []

    def __call__(self, events: Sequence[Event], sync: bool) -> None:
        self.events.extend(events)
        self.synced.extend([sync] * len(events))


def make_search(sweep: Sweep, events: Sequence[Event] = (), recorder: Recorder | None = None) -> tuple[Search, Recorder]:
    """Return a search as it stands after `events`, and what it journals from now on."""
    recorder = recorder or Recorder()
    return restore(sweep, events, cost=flat_cost, append=recorder, now=START), recorder


def report(job: Job, epoch: int, score: float | None = 0.5, **changes: object) -> Reported:
    """Return what a worker reports of an epoch of a job."""
    event = Reported(
        at=stamp(START), trial=job.trial, attempt=job.attempt, score=score, checkpoint=None, worker="host:1", device="cpu", epoch=epoch,
        val_accuracy=0.5, val_loss=1.0, train_accuracy=0.5, train_loss=1.0, lr=0.1, wall_s=1.0, device_s=1.0, images_per_s=1.0,
        peak_memory_bytes=0,
    )  # fmt: skip
    return replace(event, **changes)  # type: ignore[arg-type]  # any field


def started(search: Search) -> Job:
    """Return the job that a free worker gets; there must be one."""
    job = search.next_job(START)
    assert job is not None
    return job


def worst_first(job: Job, epoch: int) -> dict[str, float | None]:
    """Every later trial is better than every earlier one, at every epoch."""
    return {"score": int(job.trial[1:]) / 1e6 + epoch / 1e9}


def by_quality(seed: int) -> Callable[[Job, int], dict[str, float | None]]:
    """A fixed quality for each trial, with curves that cross early on."""

    def curves(job: Job, epoch: int) -> dict[str, float | None]:
        rng = random.Random(f"{seed}/{job.trial}")
        quality, speed = rng.random(), rng.random()
        return {"score": quality * (1 - speed ** (epoch + 1))}

    return curves


def rung_sizes(events: Sequence[Event]) -> dict[int, int]:
    """Return rung in epochs -> trials that were judged there."""
    from results.events import Decided

    sizes: dict[int, int] = {}
    for event in events:
        if isinstance(event, Decided) and event.rung_epochs is not None:
            sizes[event.rung_epochs] = sizes.get(event.rung_epochs, 0) + 1
    return sizes
