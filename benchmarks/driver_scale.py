"""What the search itself costs: per epoch, per fold, and on Ray beside plain Ray Tune.

    python -m benchmarks.driver_scale [engine] [fold] [ray] [--repeats 5] [--trials 2000] [--peer-trials 2000]

engine   microseconds per reported epoch with the journal in memory, at 500 and at 10,000 trials, in turn
fold     seconds and peak memory of reading a journal of 10,000 trials x 25 epochs into a search, each in a fresh process
ray      trivial trials through Ray: our driver beside plain Ray Tune with its ASHAScheduler, same rungs, same workers, same machine, in
         turn; wall seconds, actors created, utilisation. Plain Ray Tune runs twice, reusing actors and not; the latter with fewer trials,
         and what it would need for all of them is extrapolated, and called so

No training: a trial's epoch is a sleep of a millisecond. Prints means, standard deviations and ratios.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from results import journal
from results.events import Event
from results.journal import Journal
from results.storage import Storage
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from tuner import provenance
from tuner.decisions import Job
from tuner.restore import restore
from tuner.simulate import simulate

SIZES = (500, 10_000)
FOLD_TRIALS, FOLD_EPOCHS = 10_000, 25
COST = ArchitectureCost(parameters=1, flops_per_image=1, activation_bytes_per_image=1)
SLOTS = 2
NEW_ACTOR_TRIALS = 30  # a second or more each: more would hold up the machine for an hour


def discard(events: Sequence[Event], sync: bool) -> None:
    """Journal to nowhere: only the engine is timed."""


def sweep(trials: int, scheduler: dict[str, Any]) -> Sweep:
    return Sweep.model_validate(
        {
            "name": "scale",
            "data": {"name": "digits"},
            "trial": {"model": {"family": "resnet", "blocks": [1], "channels": 8}, "lr": {"loguniform": [1e-5, 1.0]}},
            "search": {"sampler": "random", "trials": trials},
            "scheduler": scheduler,
        }
    )


def quality(trial: int) -> float:
    return (trial * 2_654_435_761 % 2**32) / 2**32


def scores(job: Job, epoch: int) -> dict[str, float | None]:
    return {"score": quality(int(job.trial[1:]))}


def microseconds_per_epoch(trials: int) -> float:
    """Run one sweep to its end and return what an epoch cost, drawing candidates left in."""
    search = restore(sweep(trials, {"asha": {"min_epochs": 3, "max_epochs": 81}}), [], cost=lambda config: COST, append=discard, now=0.0)
    started = time.perf_counter()
    trace = simulate(search, scores, num_workers=16)
    return (time.perf_counter() - started) / trace.epochs * 1e6


def engine(repeats: int) -> dict[str, Any]:
    measured: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(repeats):
        for size in SIZES:
            measured[size].append(microseconds_per_epoch(size))
    ratios = [large / small for small, large in zip(*(measured[size] for size in SIZES), strict=True)]
    return {"microseconds_per_epoch": {str(size): spread(values) for size, values in measured.items()}, "large_over_small": spread(ratios)}


def fold(repeats: int) -> dict[str, Any]:
    """Write one journal, then fold it in fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(Path(folder) / "scale")
        writer = Journal(storage)
        full = {"none": {"max_epochs": FOLD_EPOCHS}}
        search = restore(
            sweep(FOLD_TRIALS, full), [], cost=lambda config: COST, append=lambda events, sync: writer.append(events, sync=False), now=0.0
        )
        trace = simulate(search, scores, num_workers=16)
        writer.close()
        size = sum(path.stat().st_size for path in storage.path(journal.FOLDER).iterdir())
        runs = [json.loads(fresh("fold-once", str(storage.root))) for _ in range(repeats)]
    return {
        "trials": FOLD_TRIALS,
        "epochs": trace.epochs,
        "journal_bytes": size,
        "seconds": spread([run["seconds"] for run in runs]),
        "processor_seconds": spread([run["processor_seconds"] for run in runs]),
        "peak_bytes": spread([run["peak_bytes"] for run in runs]),
        "imports_peak_bytes": spread([run["imports_peak_bytes"] for run in runs]),
    }


def fold_once(root: str) -> dict[str, float]:
    full = sweep(FOLD_TRIALS, {"none": {"max_epochs": FOLD_EPOCHS}})
    before = peak_bytes()
    started, processor = time.perf_counter(), time.process_time()
    search = restore(full, journal.read(Storage(Path(root))), cost=lambda config: COST, append=discard, now=0.0)
    seconds, processor_seconds = time.perf_counter() - started, time.process_time() - processor
    assert search.budget.epochs == FOLD_TRIALS * FOLD_EPOCHS
    return {"seconds": seconds, "processor_seconds": processor_seconds, "peak_bytes": peak_bytes(), "imports_peak_bytes": before}


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def on_ray(repeats: int, trials: int, peer_trials: int) -> dict[str, Any]:
    """Run both sides in turn, each in a fresh process with a Ray of its own."""
    sides: dict[str, tuple[str, int]] = {
        "shortlist": ("ours", trials),
        "ray_tune_reusing_actors": ("peer-reuse", peer_trials),
        "ray_tune": ("peer", NEW_ACTOR_TRIALS),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, (side, number) in sides.items():
            runs[name].append(json.loads(fresh(side, str(number))))
            print(name, runs[name][-1], file=sys.stderr, flush=True)
    found: dict[str, Any] = {
        name: {key: spread([run[key] for run in side]) for key in side[0]} | {"trials": sides[name][1]} for name, side in runs.items()
    }
    per_trial = {name: [(run["wall_s"] - run["start_s"]) / sides[name][1] for run in side] for name, side in runs.items()}
    for name, values in per_trial.items():
        found[name]["s_per_trial_after_start"] = spread(values)
    for name in ("ray_tune_reusing_actors", "ray_tune"):
        found[name]["s_per_trial_over_ours"] = spread(
            [peer / ours for ours, peer in zip(per_trial["shortlist"], per_trial[name], strict=True)]
        )
    found["ray_tune"][f"s_extrapolated_to_{trials}_trials"] = statistics.fmean(per_trial["ray_tune"]) * trials
    return found


def fresh(*arguments: str) -> str:
    """Run a part of this program in a process of its own; return its last line."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.driver_scale", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout.splitlines()[-1]


def spread(values: Sequence[float]) -> list[float]:
    """Return mean and standard deviation."""
    return [statistics.fmean(values), statistics.stdev(values)]


def main() -> None:
    parts: dict[str, Callable[..., Any]] = {"engine": engine, "fold": fold, "ray": on_ray}
    if len(sys.argv) == 3 and sys.argv[1] in ("ours", "peer", "peer-reuse", "fold-once"):
        if sys.argv[1] == "fold-once":
            print(json.dumps(fold_once(sys.argv[2])))
        else:
            from benchmarks import trivial_trials

            print(json.dumps(trivial_trials.run(sys.argv[1], int(sys.argv[2]), slots=SLOTS)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], help="what to measure; all by default")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--peer-trials", type=int, default=2_000)
    options = parser.parse_args()
    if options.repeats < 2:
        parser.error(f"--repeats: {options.repeats}, must be at least 2, for a standard deviation")
    record: dict[str, Any] = {}
    for name in options.parts or parts:
        record[name] = on_ray(options.repeats, options.trials, options.peer_trials) if name == "ray" else parts[name](options.repeats)
    record |= {
        "n": options.repeats,
        "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
        "load": os.getloadavg(),
        "commit": provenance.commit(),
        "versions": provenance.versions(),
    }
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
