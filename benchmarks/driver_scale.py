"""What the search itself costs: per epoch, per fold, and on Ray beside plain Ray Tune.

    python -m benchmarks.driver_scale [engine] [flat] [fold] [ray] [--repeats 2] [--ray-repeats N] [--trials 2000] [--peer-trials 2000]

engine   microseconds per reported epoch with the journal in memory, at 500 and at 10,000 trials, in turn
flat     10,000 trials on 256 simulated workers, journal on disk: processor seconds and memory of an event while the first thousand trials
         were started and while the last were, each in a fresh process
fold     seconds and peak memory of reading a journal of 10,000 trials x 25 epochs into a search, each in a fresh process
ray      trivial trials through Ray: our driver beside plain Ray Tune with its ASHAScheduler, same rungs, same workers, same machine, in
         turn; wall seconds, actors created, utilisation. Plain Ray Tune runs twice, reusing actors and not; the latter with fewer trials,
         and what it would need for all of them is extrapolated, and called so

No training: a trial's epoch is a sleep of a millisecond. Prints means, standard deviations and ratios, as JSON.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import records
from benchmarks.records import spread
from results import journal
from results.events import Event, Suggested
from results.journal import Journal
from results.storage import Storage
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from tuner.decisions import Job
from tuner.restore import restore
from tuner.simulate import simulate

SIZES = (500, 10_000)
FOLD_TRIALS, FOLD_EPOCHS = 10_000, 25
COST = ArchitectureCost(parameters=1, flops_per_image=1, activation_bytes_per_image=1)
SLOTS = 2
FLAT_TRIALS, FLAT_SLOTS, FLAT_PART = 10_000, 256, 1_000


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


def flat(repeats: int) -> dict[str, Any]:
    """Compare what an event costs at a sweep's beginning with what it costs at its end; memory is traced in runs of its own."""
    found: dict[str, Any] = {"trials": FLAT_TRIALS, "slots": FLAT_SLOTS}
    for figure in ("processor_s", "bytes"):
        # Equal runs keep equal memory, and tracing makes them four times as long: once is enough.
        runs = [json.loads(fresh("flat-once", figure)) for _ in range(1 if figure == "bytes" else repeats)]
        found |= {"events": runs[0]["events"]}
        found[f"{figure}_per_event"] = {name: spread([run[name] for run in runs], 9) for name in ("first", "last")}
        found[f"{figure}_last_over_first"] = spread([run["last"] / run["first"] for run in runs])
    return found


def flat_once(figure: str) -> dict[str, float]:
    """Return what an event cost while the first and the last thousand trials were started: `processor_s` or `bytes`."""
    events = started = 0
    marks: dict[int, tuple[int, float]] = {}  # trials started -> events until then, and what they had cost

    def cost() -> float:
        return tracemalloc.get_traced_memory()[0] if figure == "bytes" else time.process_time()

    with tempfile.TemporaryDirectory() as folder:
        writer = Journal(Storage(Path(folder) / "scale"))

        def append(batch: Sequence[Event], sync: bool) -> None:
            nonlocal events, started
            if started % FLAT_PART == 0 and started not in marks:
                marks[started] = events, cost()
            writer.append(batch, sync=False)  # a disk that waits costs no processor time
            events += len(batch)
            started += sum(isinstance(event, Suggested) for event in batch)

        options = sweep(FLAT_TRIALS, {"asha": {"min_epochs": 3, "max_epochs": 81}})
        if figure == "bytes":
            tracemalloc.start()
        search = restore(options, [], cost=lambda config: COST, append=append, now=0.0)
        simulate(search, scores, num_workers=FLAT_SLOTS)
        writer.close()
    first, second, *_, last_but_one, last = (marks[number] for number in range(0, FLAT_TRIALS + 1, FLAT_PART))
    return {
        "events": events,
        "first": (second[1] - first[1]) / (second[0] - first[0]),
        "last": (last[1] - last_but_one[1]) / (last[0] - last_but_one[0]),
    }


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


def on_ray(repeats: int, trials: int, peer_trials: int, new_actor_trials: int) -> dict[str, Any]:
    """Run both sides in turn, each in a fresh process with a Ray of its own."""
    sides: dict[str, tuple[str, int]] = {
        "shortlist": ("ours", trials),
        "ray_tune_reusing_actors": ("peer-reuse", peer_trials),
        "ray_tune": ("peer", new_actor_trials),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, (side, number) in sides.items():
            runs[name].append(json.loads(fresh(side, str(number))))
            print(name, runs[name][-1], file=sys.stderr, flush=True)
    found: dict[str, Any] = {
        name: {key: spread([run[key] for run in side]) for key in side[0] if all(key in run for run in side)} | {"trials": sides[name][1]}
        for name, side in runs.items()
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


PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "engine": lambda options: engine(options.repeats),
    "flat": lambda options: flat(options.repeats),
    "fold": lambda options: fold(options.repeats),
    "ray": lambda options: on_ray(options.ray_repeats or options.repeats, options.trials, options.peer_trials, options.new_actor_trials),
}


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] in ("ours", "peer", "peer-reuse", "fold-once", "flat-once"):
        if sys.argv[1] == "fold-once":
            print(json.dumps(fold_once(sys.argv[2])))
        elif sys.argv[1] == "flat-once":
            print(json.dumps(flat_once(sys.argv[2])))
        else:
            from benchmarks import trivial_trials

            print(json.dumps(trivial_trials.run(sys.argv[1], int(sys.argv[2]), slots=SLOTS)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; all by default")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--ray-repeats", type=int, help="of `ray`, whose runs take the longest; --repeats by default")
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--peer-trials", type=int, default=2_000)
    parser.add_argument("--new-actor-trials", type=int, default=30, help="of plain Ray Tune that reuses no actor: a second or more each")
    options = parser.parse_args()
    if options.repeats < 2:
        parser.error(f"--repeats: {options.repeats}, must be at least 2, for a standard deviation")
    started = records.start()
    record: dict[str, Any] = {}
    for name in options.parts or PARTS:
        record[name] = PARTS[name](options)
        print(f"{name} measured after {time.perf_counter() - started.clock:.0f} s", file=sys.stderr, flush=True)
    records.show({"about": started.about(n=options.repeats, settings=vars(options)), **record})


if __name__ == "__main__":
    main()
