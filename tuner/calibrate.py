"""The speed of the machines at hand: measured for about a minute, or read from sweeps that ran before.

A calibration runs through Ray on as many workers at once as the sweep will have, with the sweep's own threads, data and networks.
"""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from results import journal
from results.events import DriverStarted, Event, Reported, seconds
from results.history import History, TrialRecord
from results.storage import Storage, stored_sweeps
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.data import DataConfig
from trainable.config.train import TrainConfig
from tuner import ray_cluster, slots
from tuner.errors import SweepFailed
from tuner.slots import Slots
from tuner.speed import Candidate, Sample, Speed, spread, typical

MAX_CANDIDATES = 12  # more are predicted better by nobody: each gets less time
MIN_SLICE_S = 4.0  # for one of them, so that a blink of the machine does not decide
SWITCH_S = 0.03  # Ray hands a worker its next segment: 8 to 15 ms median on two workers, sometimes 0.24 s
TUNE_S = 1.4  # from the driver's start to its first job: Tune's own start, measured on two cores; `benchmarks/plan_accuracy.py` tests it
MAX_EARLIER = 3  # sweeps: the newest that fit


def measured(
    sweep: Sweep, candidates: Sequence[tuple[Candidate, float]], *, address: str, code: Mapping[str, bytes], total_s: float
) -> tuple[Speed, Slots]:
    """Measure a few of a sweep's candidates; return the speed and the slots that it holds for.

    Args:
        sweep: What will run.
        candidates: What it will probably train, each with its epochs.
        address: Where Ray is.
        code: Files of the user's own networks.
        total_s: Seconds to take, about; Ray's own start comes on top.

    Raises:
        SweepFailed: Not one candidate could be trained.
    """
    from trainable.data.sizes import num_images

    resources = sweep.resources
    num_train, num_val = num_images(sweep.data)
    num_cpus = max(slots.local_cores(), (resources.workers or 1) * resources.cpus)
    ray_cluster.connect(address, num_cpus=num_cpus)
    from trainable.throughput import Throughput
    from tuner.ray_calibrate import Gauges

    planned = slots.plan(resources, ray_cluster.nodes())
    chosen = spread(candidates, max(1, min(MAX_CANDIDATES, int(total_s / MIN_SLICE_S))))
    started = time.perf_counter()
    gauges = Gauges(planned, code, chosen[0].config)
    samples, all_found, reasons = [], [], []
    try:
        answers = gauges.measure([candidate.config for candidate in chosen], seconds=total_s / len(chosen))
        for candidate, figures in zip(chosen, answers, strict=True):
            found = [figure for figure in figures if isinstance(figure, Throughput)]
            reasons += [figure for figure in figures if isinstance(figure, str)]
            all_found += found
            if found:
                samples.append(Sample(candidate, typical(one.train_image_s for one in found), typical(one.val_image_s for one in found)))
    finally:
        gauges.close()
    if not samples:
        raise SweepFailed(f"nothing could be measured, no candidate can be trained here: {reasons[0]}")
    took_s = time.perf_counter() - started
    speed = Speed(
        source=f"measured now on {planned.count} x {all_found[0].device} in {took_s:.0f} s, {len(samples)} configurations",
        samples=tuple(samples),
        start_s=gauges.start_s + TUNE_S,
        segment_s=SWITCH_S + typical(one.build_s for one in all_found),
        save_s=typical(one.save_s for one in all_found),
        num_train=num_train,
        num_val=num_val,
    )
    return speed, planned


def remembered(sweep: Sweep, runs: Path, *, workers: int) -> Speed | None:
    """Return the speed that earlier sweeps under a storage folder have shown; None where none fits.

    A sweep fits that trained on the same images, on this host, with as many threads per worker; on processors, which workers share, also
    with as many workers.
    """
    from trainable.data.sizes import num_images

    samples: list[Sample] = []
    starts: list[float] = []
    names: list[str] = []
    storages = sorted((Storage(runs / name) for name in stored_sweeps(runs)), key=_changed, reverse=True)
    for storage in storages:
        if len(names) == MAX_EARLIER or (data := _same_images(storage, sweep)) is None:
            continue
        events = list(journal.read(storage))
        history = History.of(events)
        num_slots = {event.slots for event in events if isinstance(event, DriverStarted)}
        records = [record for record in history.trials.values() if record.curve and record.host == platform.node()]
        if not records or (records[0].device == "cpu" and num_slots != {workers}):
            continue
        sizes = num_images(data)
        samples += [_sample(record, *sizes) for record in records]
        starts += _start_s(events)
        names.append(storage.root.name)
    if not samples:
        return None
    num_train, num_val = num_images(sweep.data)
    return Speed(
        source=f"earlier sweeps on this machine: {', '.join(names)}",
        samples=tuple(samples),
        start_s=typical(starts),
        segment_s=SWITCH_S,  # building a trial and writing its checkpoints is part of the epochs' recorded time
        save_s=0.0,
        num_train=num_train,
        num_val=num_val,
    )


def _changed(storage: Storage) -> float:
    return max((path.stat().st_mtime for path in storage.path("journal").glob("*.jsonl")), default=0.0)


def _same_images(storage: Storage, sweep: Sweep) -> DataConfig | None:
    """Return the data of a stored sweep where its images are those of `sweep`, and its workers had as many threads."""
    try:
        content = json.loads(storage.read("sweep.json"))["sweep"]
        data = DataConfig.model_validate(content["data"])
        cpus = content["resources"]["cpus"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no sweep of this release: there is nothing to learn from it
    same = (data.name, data.path) == (sweep.data.name, sweep.data.path)
    return data if same and cpus == sweep.resources.cpus else None


def _sample(record: TrialRecord, num_train: int, num_val: int) -> Sample:
    """Return what a trial's epochs took; its first one, which also warms up, counts only where it is alone."""
    epochs: list[Reported] = list(record.curve.values())[1:] or list(record.curve.values())
    config = TrainConfig.model_validate(record.config)
    train_image_s = typical(1.0 / epoch.images_per_s for epoch in epochs)
    # The recorded wall-clock time holds evaluation, the segment's start and checkpoints: all of it is charged to the evaluation.
    train_s = train_image_s * num_train * config.augment.repeats
    rest_s = typical(max(0.0, epoch.wall_s - train_s) for epoch in epochs)
    return Sample(Candidate(config, ArchitectureCost(**record.cost)), train_image_s, rest_s / num_val)


def _start_s(events: Sequence[Event]) -> list[float]:
    """Return, for each driver, the seconds until its first epoch began."""
    found: list[float] = []
    began: float | None = None
    for event in events:
        match event:
            case DriverStarted(at=at):
                began = seconds(at)
            case Reported(at=at, device_s=device_s) if began is not None:
                found.append(max(0.0, seconds(at) - device_s - began))  # loading the data is part of the start
                began = None
    return found
