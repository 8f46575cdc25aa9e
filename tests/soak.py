"""Kill a sweep's driver again and again, go on each time, and compare its end with that of an undisturbed one.

    python tests/soak.py --kills 50 [--workers 1] [--seed 0]

The command line runs in a process of its own, through Ray, and is killed with SIGKILL: at a random moment, or (every other time)
in the middle of a write to the journal, half of a line being on disk. Between two lives each trial gets a late checkpoint of an
older attempt that is nothing but garbage. One worker: the leaderboard must be identical but for times and memory. Several: without
early stopping, so that the order of arrival decides nothing, the same work must be finished. Prints what happened, JSON.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from results import journal
from results.events import DriverStarted, Reported
from results.history import History
from results.storage import Storage

NAME = "soaked"
SWEEP = """
version: 1
name: soaked
seed: 3
data: {{name: digits, validation: 200}}
trial:
  model: {{family: resnet, blocks: [1], channels: {{choice: [4, 8]}}}}
  optimizer: {{choice: [sgd, adam]}}
  lr: {{loguniform: [1e-3, 1e-1]}}
  batch_size: {{choice: [16, 32]}}
search: {{sampler: random, trials: {trials}}}
scheduler: {scheduler}
resources: {{workers: {workers}}}
"""
ASHA = "{asha: {variant: promotion, min_epochs: 1, max_epochs: 9, eta: 3}}"
NOBODY_STOPS = "{none: {max_epochs: 4}}"

TIMES_AND_MEMORY = frozenset({"wall_s", "device_s", "images_per_s", "peak_memory_bytes", "started_at", "ended_at"})
LONGEST_WAIT_S = 180.0
TRIES = 5  # a machine that is busy with other things may be too slow for Ray's own patience at its start
TOO_SLOW = "timed out during startup"

# The command line, killed by itself when half of its n-th append is on disk.
TORN = """
import os, signal, sys
from results import journal
from tuner.cli.main import main

left = int(sys.argv.pop(1))
write = journal.Journal._write

def torn(self, events, *, sync):
    global left
    left -= 1
    if left <= 0 and self._segment is not None and events:
        data = b"".join(journal._line(event, number) for number, event in enumerate(events, start=self._next))
        self._segment.write(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, events, sync=sync)

journal.Journal._write = torn
main()
"""


def soak(folder: Path, *, kills: int, workers: int, seed: int) -> dict[str, Any]:
    """Run the sweep undisturbed, then with kills; return what both ended with.

    Args:
        folder: An empty folder.
        kills: How often the driver is killed, >= 1.
        workers: Trials at once.
        seed: Decides when.
    """
    rng = random.Random(seed)
    scheduler = ASHA if workers == 1 else NOBODY_STOPS
    (folder / "soaked.yaml").write_text(SWEEP.format(trials=9 + 2 * kills, scheduler=scheduler, workers=workers))
    storage = Storage(folder / "runs" / NAME)
    _to_its_end(folder, "run", "soaked.yaml")
    undisturbed = rows(storage)
    storage.root.rename(folder / "undisturbed")

    verb = ("run", "soaked.yaml")
    torn = 0
    for kill in range(kills):
        if in_a_write := kill % 2 == 1:
            torn += _die_in_a_write(folder, verb, appends=rng.randint(3, 12))
        else:
            _kill_at_random(folder, verb, storage, rng)
        _leave_late_checkpoints(storage)
        verb = ("resume", NAME)
        print(f"kill {kill + 1} of {kills}{' in a write' if in_a_write else ''}: {_epochs(storage)} epochs", file=sys.stderr)
    _to_its_end(folder, *verb)
    events = list(journal.read(storage))
    reports = [(event.trial, event.epoch) for event in events if isinstance(event, Reported)]
    return {
        "kills": kills,
        "in_a_write": torn,
        "drivers": sum(isinstance(event, DriverStarted) for event in events),
        "epochs": len(reports),
        "epochs_reported_twice": len(reports) - len(set(reports)),
        "repeated": History.of(events).epochs - len(reports),
        "undisturbed": undisturbed,
        "killed": rows(storage),
    }


def rows(storage: Storage) -> list[dict[str, Any]]:
    """Return the leaderboard without what no two runs have in common."""
    table = pq.read_table(storage.path("leaderboard.parquet"))
    return table.drop_columns([name for name in table.column_names if name in TIMES_AND_MEMORY]).to_pylist()


def finished(table: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what was trained and what came of it, whatever the order and the place."""
    return sorted((row["config_hash"], row["status"], row["epochs"], row["score"], row["val_loss"]) for row in table)


def _to_its_end(folder: Path, *verb: str) -> None:
    code, said = _once_ray_starts(folder, "from tuner.cli.main import main; main()", *verb)
    assert code == 0, said


def _die_in_a_write(folder: Path, verb: tuple[str, ...], *, appends: int) -> bool:
    """Let the driver die in the middle of an append; return whether the sweep was long enough for that."""
    code, said = _once_ray_starts(folder, TORN, str(appends), *verb)
    assert code in (-9, 0), said
    return code == -9


def _once_ray_starts(folder: Path, program: str, *arguments: str) -> tuple[int, str]:
    """Run a program to its end; return its exit code and what it said."""
    for _ in range(TRIES):
        done = subprocess.run(_command(program, *arguments), **_surroundings(folder), timeout=600)
        if TOO_SLOW not in done.stdout:
            break
    return done.returncode, done.stdout


def _kill_at_random(folder: Path, verb: tuple[str, ...], storage: Storage, rng: random.Random) -> None:
    """Kill the driver up to a second after its first report: it always gets a little further."""
    before = _epochs(storage)
    for _ in range(TRIES):
        process = subprocess.Popen(_command("from tuner.cli.main import main; main()", *verb), **_surroundings(folder))
        deadline = time.monotonic() + LONGEST_WAIT_S
        while _epochs(storage) == before and process.poll() is None:
            assert time.monotonic() < deadline, f"no report within {LONGEST_WAIT_S:.0f} s"
            time.sleep(0.02)
        if process.poll() is None:
            time.sleep(rng.random())
            process.kill()
            process.communicate()
            return
        said = process.communicate()[0]
        assert TOO_SLOW in said, said
    raise AssertionError(said)


def _leave_late_checkpoints(storage: Storage) -> None:
    """Write what a worker of the dead driver may still write: an epoch that the journal has not heard of, under its old attempt."""
    for record in History.of(journal.read(storage)).trials.values():
        late = storage.path(f"trials/{record.trial}/checkpoints/{record.epochs + 1:06d}.{record.attempt}")
        if record.ended is None and not late.exists():
            late.mkdir(parents=True)
            (late / "meta.json").write_text("garbage")


def _epochs(storage: Storage) -> int:
    return sum(isinstance(event, Reported) for event in journal.read(storage))


def _command(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def _surroundings(folder: Path) -> dict[str, Any]:
    environment = os.environ | {"HOME": str(folder), "SHORTLIST_CACHE": str(folder / "cache"), "NO_COLOR": "1"}
    return {"cwd": folder, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
        seen = soak(Path(folder), kills=options.kills, workers=options.workers, seed=options.seed)
    undisturbed, killed = seen.pop("undisturbed"), seen.pop("killed")
    same = undisturbed == killed if options.workers == 1 else finished(undisturbed) == finished(killed)
    print(json.dumps(seen | {"workers": options.workers, "same": same, "wall_s": round(time.perf_counter() - started)}, indent=2))
    sys.exit(0 if same and not seen["epochs_reported_twice"] else 1)


if __name__ == "__main__":
    main()
