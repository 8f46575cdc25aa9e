"""Made-up facts for the tests of `results` and of the commands that show them."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from results import curves, leaderboard
from results.events import (
    Action,
    Decided,
    DriverStarted,
    DriverStopped,
    Ended,
    EndStatus,
    Event,
    Launched,
    Lost,
    Reported,
    Suggested,
    SweepStarted,
    stamp,
)
from results.history import History
from results.journal import Journal
from results.storage import Storage

AT = stamp(1_780_000_000.0)
LADDER = (2, 6)
MAX_EPOCHS = 18
PARAMETERS = ("model", "optimizer", "lr", "momentum", "batch_size", "flip")


def started(**changes: Any) -> SweepStarted:
    fields: dict[str, Any] = {
        "at": AT,
        "sweep": "digits",
        "sweep_hash": "0123456789abcdef",
        "metric": "val_accuracy",
        "mode": "max",
        "parameters": PARAMETERS,
        "ladder": LADDER,
        "max_epochs": MAX_EPOCHS,
        "num_trials": 16,
        "commit": "c0ffee",
        "versions": {"torch": "2.11"},
    }
    return SweepStarted(**fields | changes)


def driver() -> DriverStarted:
    return DriverStarted(at=AT, host="laptop", pid=4711, slots=2)


def stopped(reason: str = "finished") -> DriverStopped:
    return DriverStopped(at=AT, reason=reason)


def suggested(trial: str, *, draw: int = 0, values: dict[str, Any] | None = None, parameters: int = 77_850, **changes: Any) -> Suggested:
    fields: dict[str, Any] = {
        "at": AT,
        "trial": trial,
        "config": {"seed": 3, "lr": 0.1},
        "config_hash": f"hash-of-{trial}",
        "values": values if values is not None else {"lr": 0.1},
        "cost": {"parameters": parameters, "flops_per_image": 10_000_000, "activation_bytes_per_image": 1000},
        "draw": draw,
        "source": "random",
    }
    return Suggested(**fields | changes)


def launched(trial: str, *, attempt: int = 1, from_epoch: int = 0, until_epoch: int = 2, **changes: Any) -> Launched:
    fields: dict[str, Any] = {"at": AT, "trial": trial, "attempt": attempt, "from_epoch": from_epoch, "until_epoch": until_epoch}
    return Launched(**fields | {"why": "new"} | changes)


def reported(trial: str, epoch: int, score: float | None = 0.5, *, attempt: int = 1, **changes: Any) -> Reported:
    shown = 0.0 if score is None else score
    fields: dict[str, Any] = {
        "at": stamp(1_780_000_000.0 + epoch),
        "trial": trial,
        "attempt": attempt,
        "score": score,
        "checkpoint": f"trials/{trial}/checkpoints/{epoch:06d}" if epoch in (*LADDER, MAX_EPOCHS) else None,
        "worker": "laptop:4712",
        "device": "cpu",
        "epoch": epoch,
        "val_accuracy": shown,
        "val_loss": 2 - shown,
        "train_accuracy": shown,
        "train_loss": 2 - shown,
        "lr": 0.01,
        "wall_s": 1.5,
        "device_s": 1.25,
        "images_per_s": 800.0,
        "peak_memory_bytes": 300_000_000,
    }
    return Reported(**fields | changes)


def decided(trial: str, rung: int, score: float | None, action: Action = "pause") -> Decided:
    reason = f"waits at rung {rung}" if action == "pause" else f"below the cutoff of rung {rung}"
    return Decided(at=AT, trial=trial, epoch=rung, rung_epochs=rung, score=score, action=action, cutoff=0.4, reason=reason)


def ended(trial: str, status: EndStatus, reason: str = "") -> Ended:
    return Ended(at=AT, trial=trial, status=status, reason=reason, log_tail=("last line",) if reason else ())


def lost(trial: str, attempt: int = 1) -> Lost:
    return Lost(at=AT, trial=trial, attempt=attempt, reason="the worker's process was killed (signal 9)")


def segment(trial: str, epochs: Sequence[int], quality: float, *, attempt: int, rung: int | None) -> Iterator[Event]:
    """Yield a segment that ends at a rung, or (rung None) in mid-air."""
    yield launched(trial, attempt=attempt, from_epoch=epochs[0] - 1, until_epoch=epochs[-1])
    score = 0.0
    for epoch in epochs:
        score = round(quality * (1 - 0.7**epoch), 6)
        yield reported(trial, epoch, score, attempt=attempt)
    if rung is not None:
        yield decided(trial, rung, score)


def trials(num: int = 16, seed: int = 3) -> dict[str, list[Event]]:
    """Return trial -> what happened to it: most wait at rung 2, some at rung 6, one is complete, others ended badly."""
    rng = random.Random(seed)
    streams: dict[str, list[Event]] = {}
    for number in range(num):
        trial = f"t{number + 1:05d}"
        optimizer = rng.choice(["sgd", "adam"])
        values: dict[str, Any] = {
            "model": rng.choice(["small", "large"]),
            "optimizer": optimizer,
            "lr": 10 ** rng.uniform(-4, -1),
            "batch_size": rng.choice([32, 64, 128]),
            "flip": False,
        }
        if optimizer == "sgd":
            values["momentum"] = rng.choice([0.8, 0.9])
        quality = rng.uniform(0.6, 1.0)
        parameters = {"small": 77_850, "large": 272_474}[values["model"]]
        stream: list[Event] = [suggested(trial, draw=number, values=values, parameters=parameters)]
        match number % 16:
            case 4:
                stream += [launched(trial), reported(trial, 1, None), ended(trial, "diverged", "training loss is not finite at step 37")]
            case 9:
                stream += [launched(trial), lost(trial), ended(trial, "failed", "its worker was lost 3 times")]
            case 11:
                stream += [launched(trial), ended(trial, "out_of_memory", "needs more than 2 GiB at batch size 128")]
            case place:
                stream += segment(trial, range(1, 3), quality, attempt=1, rung=2)
                if place in (0, 6, 13):
                    stream += segment(trial, range(3, 7), quality, attempt=2, rung=6)
                if place == 6:
                    stream += [*segment(trial, range(7, 19), quality, attempt=3, rung=None), ended(trial, "completed")]
        streams[trial] = stream
    return streams


def sweep(num: int = 16, *, seed: int = 3, reason: str | None = "finished") -> list[Event]:
    """Return the journal of a sweep; `reason` None is that of a driver which was killed."""
    facts: list[Event] = [started(num_trials=num), driver()]
    for stream in trials(num, seed).values():
        facts += stream
    return facts if reason is None else [*facts, stopped(reason)]


def started_pair(first: float, second: float) -> Iterator[Event]:
    """Two trials trained in full whose curves wiggle by about 0.005 around these scores."""
    yield from (started(num_trials=2), driver())
    rng = random.Random(0)
    for trial, final in (("t00001", first), ("t00002", second)):
        yield from (suggested(trial, values={"lr": final}), launched(trial, until_epoch=MAX_EPOCHS))
        for epoch in range(1, MAX_EPOCHS + 1):
            yield reported(trial, epoch, final if epoch == MAX_EPOCHS else final + rng.gauss(0, 0.005))
        yield ended(trial, "completed")
    yield stopped()


def store(root: Path, events: Sequence[Event], *, tables: bool = True) -> Storage:
    """Write a sweep's journal, and its tables."""
    storage = Storage(root)
    writer = Journal(storage)
    writer.append(events, sync=False)
    writer.close()
    if tables:
        history = History.of(events)
        leaderboard.write(storage, history)
        curves.write(storage, history)
    return storage
