"""A sweep to look at: the real engine over made-up learning curves, the same every time. Trials of eight networks on simulated workers.

python -m tests.demo_sweep FOLDER [--trials 120] [--stop-after EPOCHS]
"""

import argparse
import heapq
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from results import curves, leaderboard
from results.events import Confirmed, DriverStarted, DriverStopped, Ended, Event, Launched, Reported, SweepStarted, stamp
from results.history import History
from results.journal import Journal
from results.storage import Storage
from search_spaces.sweep import Sweep
from tests import demo_finals
from tests.sweeps import Recorder
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from tuner.decisions import Job
from tuner.restore import restore
from tuner.simulate import Mishaps, simulate

START = 1_781_510_400.0
WORKERS = [f"gpu-node-{node}:{4100 + slot}" for node in (1, 2) for slot in range(4)]
# Name -> blocks, parameters, how good it gets, seconds of an epoch.
NETWORKS: Mapping[str, tuple[list[int], int, float, float]] = {
    "five-stages": ([2, 2, 2, 2, 2], 2_811_818, 0.925, 14.0),
    "four-stages-wide": ([1, 1, 1, 1], 4_903_242, 0.940, 19.0),
    "four-stages-deep": ([4, 4, 4, 2], 3_585_802, 0.930, 24.0),
    "three-stages": ([3, 3, 3], 4_327_754, 0.950, 28.0),
    "two-stages": ([4, 3], 1_119_562, 0.915, 22.0),
}


def demo(trials: int = 120, **changes: Any) -> Sweep:
    content: dict[str, Any] = {
        "name": "cifar10-combinations",
        "data": {"name": "cifar10", "validation": 5000},
        "trial": {
            "model": {
                "choice": [{"label": name, "family": "resnet", "blocks": blocks, "channels": 16} for name, (blocks, *_) in NETWORKS.items()]
            },
            "optimizer": {"choice": ["sgd", "adam", "adagrad"]},
            "lr": {"loguniform": [1e-5, 1e-1]},
            "momentum": {"uniform": [0.7, 0.98], "when": {"optimizer": "sgd"}},
            "batch_size": {"choice": [32, 64, 128, 256]},
            "weight_decay": {"loguniform": [1e-5, 1e-2]},
            "schedule": "cosine",
            "augment": {"crop": 4, "flip": True},
        },
        "search": {"sampler": "random", "trials": trials},
        "scheduler": {"asha": {"min_epochs": 2, "max_epochs": 54, "eta": 3, "delayed": True}},
    }
    return Sweep.model_validate(content | changes)


def cost(config: TrainConfig) -> ArchitectureCost:
    parameters = NETWORKS[config.model.label or ""][1]
    return ArchitectureCost(parameters=parameters, flops_per_image=parameters * 260, activation_bytes_per_image=parameters)


def potential(config: TrainConfig, trial: str) -> tuple[float, float]:
    """Return the accuracy that a configuration tends to and the epochs it takes; NaN where it diverges."""
    rng = random.Random(trial)
    best = {"sgd": -1.7, "adam": -2.9, "adagrad": -2.0}[config.optimizer]
    off = (math.log10(config.lr) - best) / (1.1 if math.log10(config.lr) < best else 0.7)
    quality = NETWORKS[config.model.label or ""][2] + {"sgd": 0.0, "adam": -0.006, "adagrad": -0.03}[config.optimizer]
    quality -= 0.055 * min(off * off, 9.0) + 0.008 * abs(math.log2(config.batch_size / 128)) + rng.gauss(0, 0.006)
    if config.optimizer == "adam" and config.lr > 0.03:
        return math.nan, 1.0
    return max(0.1, quality), 2.0 + 1.6 * abs(off) + rng.uniform(0, 1.2)


def scores(job: Job, epoch: int) -> dict[str, float | None]:
    tends_to, pace = potential(job.config, job.trial)
    if math.isnan(tends_to):
        return {"score": None if epoch == 2 else 0.1}
    noise = random.Random(f"{job.trial}/{epoch}").gauss(0, 0.006 * math.exp(-epoch / 40))
    return {"score": round(min(0.999, 0.1 + (tends_to - 0.1) * (1 - math.exp(-((epoch / pace) ** 0.6))) + noise), 4)}


def seconds(job: Job) -> float:
    return NETWORKS[job.config.model.label or ""][3] * (1 + 8 / job.config.batch_size)


def events(sweep: Sweep, *, stop_after: int | None = None, killed: bool = False) -> list[Event]:
    """Return the sweep's journal.

    Args:
        sweep: As `demo` makes it.
        stop_after: Epochs after which its driver stops; None for the end.
        killed: Whether it then goes without a word.
    """
    recorder = Recorder()
    search = restore(sweep, [], cost=cost, append=recorder, now=START)
    first: list[Event] = [
        SweepStarted(
            at=stamp(START), sweep=sweep.name, sweep_hash=sweep.hash(), metric=sweep.objective.metric, mode=sweep.objective.mode,
            parameters=search.searched, ladder=search.ladder, max_epochs=sweep.max_epochs, num_trials=search.num_trials,
            commit="3f9c2ab41d5e6f7081920a1b2c3d4e5f60718293", versions={"python": "3.11.9", "ray": "2.60.0", "torch": "2.11.0"},
        ),
        DriverStarted(at=stamp(START), host="gpu-node-1", pid=4099, slots=len(WORKERS)),
    ]  # fmt: skip
    for event in first:
        search.apply(event)
    trace = simulate(
        search, scores, num_workers=len(WORKERS), epoch_s=seconds, launch_s=lambda job: 1.5, start_s=START, max_epochs=stop_after,
        mishaps=Mishaps(seed=7, out_of_memory=0.02, lost=0.001, uneven=0.08),
    )  # fmt: skip
    told = [*first, *_on_workers(recorder.events)]
    end = stamp(START + trace.wall_s)
    return told if killed else [*told, DriverStopped(at=end, reason="interrupted" if stop_after else "finished")]


def _on_workers(told: Sequence[Event]) -> list[Event]:
    """Give each segment a worker that is free, and each report the figures that the simulation leaves out."""
    free, held = list(range(len(WORKERS))), dict[str, int]()
    heapq.heapify(free)
    found: list[Event] = []
    for place, event in enumerate(told):
        if isinstance(event, Launched):
            if event.trial in held:  # it was paused and goes on
                heapq.heappush(free, held.pop(event.trial))
            while not free:  # the worker is free at the same moment, its last report stands behind this line
                trial = next(trial for trial, _ in held.items() if not _trains_on(told, place, trial))
                heapq.heappush(free, held.pop(trial))
            held[event.trial] = heapq.heappop(free)
        found.append(_told(event, held))
    return found


def _told(event: Event, held: Mapping[str, int]) -> Event:
    match event:
        case Reported():
            return _filled(event, WORKERS[held[event.trial]])
        case Ended(status="diverged"):
            step = 300 + int(event.trial[1:]) * 7
            return replace(event, reason=f"training loss is not finite at step {step}", log_tail=_log(event))
        case Ended(status="out_of_memory"):
            full = "the device has 79.1 GiB, 0.3 GiB of them free, and 1.2 GiB were asked for"
            return replace(event, reason=full, log_tail=_log(event))
        case _:
            return event


def _log(event: Ended) -> tuple[str, ...]:
    return (f"{event.at[11:19]} INFO  trial {event.trial} on cuda:0", f"{event.at[11:19]} ERROR {event.status}")


def _trains_on(told: Sequence[Event], place: int, trial: str) -> bool:
    """Return whether the segment that a trial has at this place reports once more."""
    for event in told[place + 1 :]:
        if isinstance(event, (Launched, Reported)) and event.trial == trial:
            return isinstance(event, Reported)
    return False


def _filled(event: Reported, worker: str) -> Reported:
    score = event.score
    learnt = 0.1 if score is None else min(0.999, score * (1.0 + 0.0012 * event.epoch))
    return replace(
        event, worker=worker, device="NVIDIA H100 (cuda)", train_accuracy=learnt, val_loss=2.4 * (1 - (score or 0.0)) + 0.12,
        train_loss=2.4 * (1 - learnt) + 0.02, images_per_s=45_000 / event.wall_s, peak_memory_bytes=int(6e9),
    )  # fmt: skip


def store(root: Path, sweep: Sweep, facts: Sequence[Event], *, finals: bool = True) -> Storage:
    """Write the sweep as a driver leaves it, with finals of its best trials if asked for."""
    storage = Storage(root)
    history = History.of(facts)
    if finals and (leader := next(iter(leaderboard.derive(history)["trial"].to_pylist()), None)) is not None:
        history.apply(seen_again := _confirmed(leader, history.trials[leader].curve[54].score or 0.0, facts[-1].at))
        facts = [*facts, seen_again]
    writer = Journal(storage)
    writer.append(facts, sync=False)
    writer.close()
    leaderboard.write(storage, history)
    curves.write(storage, history)
    storage.write_atomic("sweep.json", json.dumps({"sweep": sweep.model_dump(mode="json"), "hash": sweep.hash()}).encode())
    if finals:
        board = leaderboard.read(storage)
        best = board[["trial", "score", "parameters"]].head(4).itertuples(index=False)
        first = [(str(trial), float(score), int(parameters)) for trial, score, parameters in best]
        demo_finals.all_of(storage, first[:3])
        demo_finals.at_work(storage, *first[3][:2])
    return storage


def _confirmed(trial: str, score: float, at: str) -> Confirmed:
    """Return that the leader's fresh seeds are a little worse: the best of many is partly luck."""
    mean = score - 0.006
    told = {"mean": mean, "low": mean - 0.0041, "high": mean + 0.0041, "sd": 0.0016, "n": 3, "failed": 0, "p_best": 0.97, "margin": 3.1}
    rung = {"rung_mean": mean, "val_accuracy": mean}
    return Confirmed(at=at, request="confirm-1", author="ann", confirmation="3x54ep-0a1b2c", trials={trial: {**told, **rung}})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--stop-after", type=int, help="epochs")
    arguments = parser.parse_args()
    sweep = demo(arguments.trials)
    store(arguments.folder, sweep, events(sweep, stop_after=arguments.stop_after))
    print(arguments.folder)


if __name__ == "__main__":
    main()
