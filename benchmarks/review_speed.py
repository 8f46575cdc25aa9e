"""How quickly the commands that look at a sweep answer, and what deriving its tables costs.

    python -m benchmarks.review_speed [commands] [derive] [--repeats 5] [--trials 10000] [--epochs 25] [--derive-trials 100000]

commands   leaderboard, status, show, compare, winners, each in a process of its own as a user starts it: wall and processor seconds for a
           finished sweep of so many trials and epochs, every trial trained in full, and for an empty one, which is what starting costs
derive     seconds of `leaderboard.derive` for a sweep of a hundred thousand trials that is already in memory, by ASHA's shares: all of them
           at the first rung, a third at the next, and so on

The journal is made up: what is measured reads files, and trains nothing. Prints means, standard deviations and n.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from benchmarks import records
from benchmarks.records import spread
from results import curves, leaderboard
from results.events import Decided, DriverStarted, DriverStopped, Ended, Event, Launched, Reported, Suggested, SweepStarted, stamp
from results.history import History
from results.journal import Journal
from results.storage import Storage

START = 1_700_000_000.0
COMMANDS = {
    "leaderboard": ("leaderboard", "SWEEP"),
    "leaderboard --where": ("leaderboard", "SWEEP", "--where", "lr < 0.01 and optimizer == 'sgd'"),
    "leaderboard --at-epoch": ("leaderboard", "SWEEP", "--at-epoch", "9"),
    "leaderboard --pareto": ("leaderboard", "SWEEP", "--pareto", "score,parameters"),
    "leaderboard -o json": ("leaderboard", "SWEEP", "-o", "json"),
    "leaderboard -o csv": ("leaderboard", "SWEEP", "-o", "csv"),
    "status": ("status", "SWEEP"),
    "show": ("show", "SWEEP", "7"),
    "compare": ("compare", "SWEEP", "7", "8", "9"),
    "winners": ("winners",),
}
RUNGS = (2, 6, 18)
MAX_EPOCHS = 54


def sweep(trials: int, rungs: Sequence[int], last: Callable[[int], int], max_epochs: int) -> Iterator[Event]:
    """Yield the events of a sweep.

    Args:
        trials: So many.
        rungs: In epochs.
        last: Number of a trial, from 0 -> the epoch that it reaches.
        max_epochs: Epochs of a trial trained in full.
    """
    rng = random.Random(0)
    yield SweepStarted(
        at=stamp(START), sweep="speed", sweep_hash="0" * 16, metric="val_accuracy", mode="max", ladder=tuple(rungs), max_epochs=max_epochs,
        parameters=("model", "optimizer", "lr", "momentum", "batch_size", "flip"), num_trials=trials, commit=None, versions={},
    )  # fmt: skip
    yield DriverStarted(at=stamp(START), host="host", pid=1, slots=16)
    for number in range(trials):
        yield from _trial(number, rungs, last(number), max_epochs, rng)
    yield DriverStopped(at=stamp(START + 3600), reason="finished")


def _trial(number: int, rungs: Sequence[int], last: int, max_epochs: int, rng: random.Random) -> Iterator[Event]:
    trial, at = f"t{number + 1:05d}", stamp(START + number)
    optimizer = rng.choice(["sgd", "adam"])
    values = {"model": rng.choice(["small", "large"]), "optimizer": optimizer, "lr": 10 ** rng.uniform(-4, -1)}
    values |= {"batch_size": rng.choice([32, 64, 128]), "flip": rng.random() < 0.5} | ({"momentum": 0.9} if optimizer == "sgd" else {})
    config = values | {"seed": number, "weight_decay": 5e-4, "schedule": {"name": "cosine"}, "data": {"name": "digits"}}
    cost = {"parameters": rng.choice([77_850, 272_474]), "flops_per_image": 10_000_000, "activation_bytes_per_image": 100_000}
    yield Suggested(at=at, trial=trial, config=config, config_hash=f"{number:016x}", values=values, cost=cost, draw=number, source="random")
    yield Launched(at=at, trial=trial, attempt=1, from_epoch=0, until_epoch=last, why="new")
    quality = rng.random()
    for epoch in range(1, last + 1):
        score = quality * (1 - 0.7**epoch) + rng.gauss(0, 0.003)
        yield Reported(
            at=at, trial=trial, attempt=1, score=score, checkpoint=None, worker="host:2", device="cpu", epoch=epoch, val_accuracy=score,
            val_loss=2 - score, train_accuracy=score, train_loss=2 - score, lr=0.01, wall_s=1.5, device_s=1.25, images_per_s=800.0,
            peak_memory_bytes=300_000_000,
        )  # fmt: skip
        if epoch in rungs:
            action: Literal["continue", "pause"] = "continue" if epoch < last else "pause"
            reason = "among the best" if epoch < last else "waits"
            yield Decided(
                at=at, trial=trial, epoch=epoch, rung_epochs=epoch, score=score, cutoff=0.4, reason=f"{reason} of rung {epoch}",
                action=action,
            )  # fmt: skip
    if last == max_epochs:
        yield Ended(at=at, trial=trial, status="completed")


def stored(folder: Path, events: Iterator[Event]) -> Storage:
    """Write a sweep as a driver leaves it."""
    storage = Storage(folder)
    writer, history = Journal(storage), History()
    for event in events:
        writer.append([event], sync=False)
        history.apply(event)
    writer.close()
    leaderboard.write(storage, history)
    curves.write(storage, history)
    return storage


def commands(repeats: int, options: argparse.Namespace) -> dict[str, Any]:
    """Time every command on both sweeps, in turn; one run before is not counted."""
    measured: dict[str, dict[str, list[tuple[float, float]]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"small": 1, "large": options.trials}
        for name, trials in sizes.items():
            stored(Path(folder) / name / "speed", sweep(max(trials, 10), (3, 9), lambda number: options.epochs, options.epochs))
        for repeat in range(repeats + 1):
            for command, arguments in COMMANDS.items():
                for name in sizes:
                    took = timed([argument.replace("SWEEP", "speed") for argument in arguments], storage=Path(folder) / name)
                    if repeat:
                        measured.setdefault(command, {}).setdefault(name, []).append(took)
    return {
        "trials": options.trials,
        "epochs": options.trials * options.epochs,
        "commands": {
            command: {
                "wall_s": spread([wall for wall, _ in sides["large"]]),
                "processor_s": spread([processor for _, processor in sides["large"]]),
                "wall_s_of_ten_trials": spread([wall for wall, _ in sides["small"]]),
            }
            for command, sides in measured.items()
        },
    }


def timed(arguments: Sequence[str], *, storage: Path) -> tuple[float, float]:
    """Run the command line; return its wall and processor seconds."""
    command = [sys.executable, "-c", "from tuner.cli.main import main; main()", *arguments, "--storage", str(storage)]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"shortlist {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def derive(repeats: int, options: argparse.Namespace) -> dict[str, Any]:
    """Fold a large sweep once, derive its leaderboard many times."""
    ends = [*RUNGS, MAX_EPOCHS]
    history = History.of(
        sweep(
            options.derive_trials, RUNGS, lambda number: next(e for k, e in reversed([*enumerate(ends)]) if number % 3**k == 0), MAX_EPOCHS
        )
    )
    seconds, processor_seconds = [], []
    for _ in range(repeats):
        started, processor = time.perf_counter(), time.process_time()
        table = leaderboard.derive(history)
        seconds.append(time.perf_counter() - started)
        processor_seconds.append(time.process_time() - processor)
    assert table.num_rows == options.derive_trials
    return {"trials": options.derive_trials, "epochs": history.epochs, "wall_s": spread(seconds), "processor_s": spread(processor_seconds)}


def main() -> None:
    parts: dict[str, Callable[..., Any]] = {"commands": commands, "derive": derive}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], help="what to measure; all by default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--derive-trials", type=int, default=100_000)
    options = parser.parse_args()
    if options.repeats < 2:
        parser.error(f"--repeats: {options.repeats}, must be at least 2, for a standard deviation")
    started = records.start()
    figures = {name: parts[name](options.repeats, options) for name in options.parts or parts}
    records.show({"about": started.about(n=options.repeats, settings=vars(options)), **figures})


if __name__ == "__main__":
    main()
