"""How much training each method needs to find a table's best configurations: real learning curves, replayed in simulated time.

    python -m benchmarks.replay TABLE.parquet [TABLE ...] --workers 4 --repeats 200 -o json
    python -m benchmarks.replay TABLE.parquet [TABLE ...] --merge SLOW.json -o json   # beside what another call has replayed

Tables are described in `curve_tables.py`, what is measured in `replay_measures.py`, our methods in `replay_engine.py`, the peers in
`peers.py` and `peers_syne_tune.py` (pip install '.[peers]'). Every epoch takes a worker one unit of time, whatever the configuration, and
resuming a trial costs nothing. In one repeat all methods take new configurations from one random order, except those that propose.

Exit codes: 0 done, 2 a table or an argument is wrong.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import records, replay_engine, replay_records
from benchmarks.curve_tables import TableError, read
from benchmarks.peers import OptunaPruner, Peer, RayAsha
from benchmarks.replay_engine import Pool
from benchmarks.replay_measures import REGRET_AFTER, Outcome, Watched, ratios, summary
from benchmarks.replay_records import RecordError
from tuner.decisions import Job
from tuner.simulate import simulate

REFERENCE = "ray-asha"
METHODS = (
    "random",
    REFERENCE,
    "optuna-sha",
    "optuna-hyperband",
    "optuna-median",
    "syne-tune-asha",
    "syne-tune-bohb",
    "syne-tune-cqr",
    "shortlist-stopping",
    "shortlist-promotion",
    "shortlist-delayed",
    "shortlist-default",
)
# Syne Tune fits its model anew for every configuration: seconds to minutes a repeat, where the others take a fraction of a second.
SLOW_REPEATS = {"syne-tune-bohb": 20, "syne-tune-cqr": 5}

PROPOSE = {
    "syne-tune-bohb": "proposes configurations; each is replaced by the nearest unused row of the table",
    "syne-tune-cqr": "proposes configurations; each is replaced by the nearest unused row of the table",
    "shortlist-default": "three of four new configurations are the best of up to 200 unused rows by its model",
}


@cache
def pool_at(path: Path) -> Pool:
    """Return a table and what its replays share; each process reads it once."""
    return Pool.of(read(path))


def replay(path: Path, method: str, repeat: int, *, seed: int, num_workers: int, budget: float) -> Outcome:
    """Replay one method once; equal arguments give equal outcomes.

    Args:
        path: The table.
        method: One of METHODS.
        repeat: Number of the order, shared by all methods.
        seed: Of all orders.
        num_workers: Trials trained at the same time.
        budget: Full trainings, at least; then until the top 1 % is met or nothing is left to do.
    """
    pool = pool_at(path)
    table = pool.table
    own = zlib.crc32(f"{seed}/{table.name}/{repeat}".encode())
    order = np.random.default_rng(own).permutation(table.num_rows).tolist()
    curves = table.curves
    started = time.perf_counter()
    if method in replay_engine.METHODS:
        search = replay_engine.search(method, pool, order, seed=own)
        watched = Watched(search, table, search.ladder or None, budget=budget)
    else:
        peer = make_peer(method, pool, order, own)
        watched = Watched(peer, table, peer.ladder, budget=budget)

    def score(job: Job, epoch: int) -> Mapping[str, float | None]:
        return {"score": curves[job.config.seed][epoch - 1]}

    simulate(watched, score, num_workers=num_workers)
    outcome = watched.close()
    outcome.seconds = time.perf_counter() - started
    return outcome


def make_peer(method: str, pool: Pool, order: Sequence[int], seed: int) -> Peer:
    """Return a peer at its start; its package is imported now."""
    product, _, kind = method.partition("-")
    if product == "ray":
        return Peer(RayAsha(pool.table), pool.configs, order)
    if product == "optuna":
        return Peer(OptunaPruner(kind, pool.table, seed), pool.configs, order)
    from benchmarks.peers_syne_tune import SyneTune

    return Peer(SyneTune(kind.removeprefix("tune-"), pool.table, seed), pool.configs, order)


def chunk(path: Path, method: str, repeats: Sequence[int], options: Mapping[str, Any]) -> tuple[Path, str, Sequence[int], list[Outcome]]:
    """Replay some repeats: one task of a worker process."""
    return path, method, repeats, [replay(path, method, repeat, **options) for repeat in repeats]


def run(paths: Sequence[Path], methods: Sequence[str], repeats: int, jobs: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """Replay everything and return the record: medians, means and ratios, in the form that docs/search.md describes."""
    found: dict[Path, dict[str, dict[int, Outcome]]] = {path: {method: {} for method in methods} for path in paths}
    tasks = list(_tasks(paths, methods, repeats))
    started = records.start()
    # A fresh process for each worker, with one thread each: arithmetic libraries would otherwise fight over the cores.
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(chunk, *task, options) for task in tasks]
        for done, future in enumerate(as_completed(futures), 1):
            path, method, numbers, outcomes = future.result()
            found[path][method].update(zip(numbers, outcomes, strict=True))
            if sys.stderr.isatty():
                print(f"\r{done} of {len(tasks)} parts, {time.perf_counter() - started.clock:.0f} s ", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    tables = {
        pool_at(path).table.name: {
            method: [by_repeat[repeat] for repeat in sorted(by_repeat)] for method, by_repeat in methods_found.items()
        }
        for path, methods_found in found.items()
    }
    rng = np.random.default_rng(options["seed"])
    record: dict[str, Any] = {
        "tables": {
            table: {method: summary(outcomes, rng) for method, outcomes in by_method.items()} for table, by_method in tables.items()
        },
        "ratios": {},
    }
    if REFERENCE in methods:
        reference = {table: by_method[REFERENCE] for table, by_method in tables.items()}
        record["ratios"] = {
            method: ratios({table: by_method[method] for table, by_method in tables.items()}, reference, rng) for method in methods
        }
    measured = started.about(n=repeats, settings={"jobs": jobs})  # of the call, all its methods together
    record["about"] = {
        **alike(paths, options),
        "proposals": {method: text for method, text in PROPOSE.items() if method in methods},
        "repeats": repeats,
        **measured,
        "methods": {method: {**measured, **_numbers(method, repeats)} for method in methods},
    }
    return record


def _numbers(method: str, repeats: int) -> dict[str, int]:
    """Return how often a method is replayed, as `about` says it."""
    own = min(repeats, SLOW_REPEATS.get(method, repeats))
    return {"repeats": own, "n": own}


def alike(paths: Sequence[Path], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two records must have in common for their methods to stand side by side: `replay_records.ALIKE`."""
    pools = [pool_at(path).table for path in paths]
    return {"reference": REFERENCE, "rows": {table.name: [table.num_rows, table.max_epochs] for table in pools}, **options}


def _tasks(paths: Sequence[Path], methods: Sequence[str], repeats: int) -> Iterator[tuple[Path, str, Sequence[int]]]:
    """Yield parts of the work, the slow ones first."""
    for method in sorted(methods, key=lambda method: method not in SLOW_REPEATS):
        numbers = range(min(repeats, SLOW_REPEATS.get(method, repeats)))
        size = 1 if method in SLOW_REPEATS else 10
        for path in paths:
            yield from ((path, method, numbers[start : start + size]) for start in range(0, len(numbers), size))


def text(record: Mapping[str, Any]) -> str:
    """Return the record as tables for people."""
    lines = []
    header = f"{'':22}{'top 1 %':>22}{'missed':>8}{'top 5 %':>22}{'missed':>8}" + "".join(f"{f'regret@{n}':>11}" for n in REGRET_AFTER)
    for table, methods in record["tables"].items():
        rows, epochs = record["about"]["rows"][table]
        lines += [f"{table}: {rows} configurations, {epochs} epochs; full trainings, median [95 %]", header]
        for method, figures in methods.items():
            cells = "".join(f"{_trainings(figures[name]):>22}{figures[name]['missed']:>8.0%}" for name in ("top1", "top5"))
            lines.append(f"{method:22}{cells}" + "".join(f"{figures['regret'][str(n)]['mean']:11.3f}" for n in REGRET_AFTER))
        lines.append("")
    if record["ratios"]:
        lines += [f"ratios to {record['about']['reference']}, geometric means over tables [95 %], and the worst table"]
        lines.append(f"{'':22}" + "".join(f"{name:>24}" for name in ("top 1 %", "top 5 %", *(f"regret@{n}" for n in REGRET_AFTER))))
        for method, figures in record["ratios"].items():
            columns = [figures["top1"], figures["top5"], *figures["regret"].values()]
            lines.append(f"{method:22}" + "".join(f"{_ratio(column):>24}" for column in columns))
    return "\n".join(lines)


def _trainings(figures: Mapping[str, Any]) -> str:
    return f"{_number(figures['median'], 1)} [{_number(figures['low'], 1)}, {_number(figures['high'], 1)}]"


def _ratio(figures: Mapping[str, Any]) -> str:
    return f"{_number(figures['ratio'], 2)} [{_number(figures['low'], 2)},{_number(figures['high'], 2)}] {_number(figures['worst'], 2)}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="+", type=Path, metavar="TABLE.parquet")
    parser.add_argument("--workers", type=int, default=4, help="trials trained at the same time (4)")
    parser.add_argument("--repeats", type=int, default=200, help="random orders (200)")
    parser.add_argument("--methods", default=",".join(METHODS), help="some of them, separated by commas")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one per core)")
    parser.add_argument("--seed", type=int, default=0, help="of the orders (0)")
    parser.add_argument("--budget", type=float, default=max(REGRET_AFTER), help="full trainings simulated at least, >= 40 (40)")
    parser.add_argument(
        "--merge", action="append", default=[], type=Path, metavar="RECORD.json", help="take in its other methods; replayed alike"
    )
    parser.add_argument("-o", dest="output", choices=("table", "json"), default="table")
    given = parser.parse_args(arguments)
    methods = list(dict.fromkeys(given.methods.split(",")))
    if unknown := [method for method in methods if method not in METHODS]:
        parser.error(f"--methods: {', '.join(unknown)}: no such method; there are {', '.join(METHODS)}")
    for name, least in (("workers", 1), ("repeats", 2), ("jobs", 1), ("seed", 0), ("budget", max(REGRET_AFTER))):
        if getattr(given, name) < least:
            parser.error(f"--{name}: {getattr(given, name)}, must be >= {least}")
    if len({path.stem for path in given.tables}) < len(given.tables):
        parser.error("two tables have the same file name; the record names them by it, rename one")
    products = {"ray": "ray", "optuna": "optuna", "syne": "syne_tune"}
    absent = [method for method in methods if importlib.util.find_spec(products.get(method.partition("-")[0], "sys")) is None]
    if absent:
        parser.error(f"{', '.join(absent)}: not installed; pip install '.[peers]', or name the others with --methods")
    options = {"seed": given.seed, "num_workers": given.workers, "budget": given.budget}
    try:
        others = {path: replay_records.read(path) for path in given.merge}
        for path in given.tables:
            pool_at(path)
        for path, other in others.items():
            replay_records.check_alike(alike(given.tables, options), other, path)
    except (TableError, RecordError) as error:
        print(f"python -m benchmarks.replay: {error}", file=sys.stderr)
        return 2
    record = run(given.tables, methods, given.repeats, given.jobs, options)
    for other in others.values():
        replay_records.merge(record, other)
    print(json.dumps(record, indent=2) if given.output == "json" else text(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
