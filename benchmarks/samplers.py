"""Our model beside Optuna's TPE, Optuna's Gaussian process and random search, as samplers of one engine under one scheduler.

    python -m benchmarks.samplers [--problems ...] [--tables TABLE.parquet ...] --workers 4 --repeats 20 --trainings 20 -o json

A run is a sweep: the engine, ASHA as it is by default, the limits and the sampler that `search.sampler` names, on simulated workers. Every
epoch takes a worker one unit of time, resuming costs nothing. In one repeat all samplers begin with the same random candidates.
Problems are in `sampler_problems.py`, those fitted to tables of curves in `sampler_surrogates.py`, figures in `sampler_measures.py`.

Exit codes: 0 done, 2 a table or an argument is wrong.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from benchmarks import records, sampler_surrogates
from benchmarks.curve_tables import TableError
from benchmarks.sampler_measures import Outcome, Watched, ranks, ratios, summary, timed
from benchmarks.sampler_problems import KINDS, NOISE, Problem, built_in, named
from results.events import Event
from results.history import History
from search_spaces.feasible_space import prepared
from search_spaces.space import Space
from tuner.budget import Budget
from tuner.decisions import Job
from tuner.samplers import sampler as samplers_of
from tuner.schedulers import scheduler
from tuner.search import Search
from tuner.simulate import simulate

REFERENCE = "random"
SAMPLERS = (REFERENCE, "tpe", "gp", "model")
Key = str | Path  # a problem: its name, or its table


def problem_of(key: Key) -> Problem:
    """Return a problem; each process makes it once.

    Raises:
        TableError: Its table is none.
    """
    return sampler_surrogates.problem(key) if isinstance(key, Path) else built_in()[key]()


def run(problem: Problem, sampler: str, repeat: int, *, seed: int, num_workers: int, trainings: int) -> Outcome:
    """Search one problem once; equal arguments give equal regrets.

    Args:
        problem: What is searched.
        sampler: What `search.sampler` says.
        repeat: Number of the run; its seed is shared by all samplers.
        seed: Of all runs.
        num_workers: Trials trained at the same time.
        trainings: Full trainings that may be spent, all trials together.
    """
    own = zlib.crc32(f"{seed}/{problem.name}/{repeat}".encode())
    outcome = Outcome()
    search = search_of(problem, sampler, seed=own, trainings=trainings, outcome=outcome)
    curves: dict[str, Sequence[float | None]] = {}

    def score(job: Job, epoch: int) -> Mapping[str, float | None]:
        if job.trial not in curves:
            curves[job.trial] = problem.curve(named(search.history.trials[job.trial].values))
        truth = curves[job.trial][epoch - 1]
        noise = Random(f"{own}/{job.trial}/{epoch}").gauss(0.0, NOISE * problem.unit)
        return {"score": None if truth is None else truth + noise}

    watched = Watched(search, problem, outcome, trainings=trainings)
    simulate(watched, score, num_workers=num_workers)
    watched.close()
    return outcome


def search_of(problem: Problem, sampler: str, *, seed: int, trainings: int, outcome: Outcome) -> Search:
    """Return the engine at the start of a run; what proposing costs is noted in `outcome`."""
    sweep = problem.sweep(sampler, seed=seed, epochs=trainings * problem.max_epochs)
    space = Space.parse(sweep.trial)
    feasible = prepared(sweep, problem.cost)
    return Search(
        sweep,
        space=space,
        scheduler=scheduler.build(sweep.scheduler.rule, sign=1),
        propose=timed(samplers_of.build(sweep, space, feasible), outcome),
        feasible=feasible,
        cost=problem.cost,
        budget=Budget(sweep.budget),
        history=History(),
        append=discard,
    )


def discard(events: Sequence[Event], sync: bool) -> None:
    """Journal to nowhere: the history in memory is what a run reads."""


def task(key: Key, sampler: str, repeat: int, options: Mapping[str, Any]) -> Outcome:
    """Search once: one task of a worker process."""
    return run(problem_of(key), sampler, repeat, **options)


def compare(
    keys: Sequence[Key], samplers: Sequence[str], repeats: Mapping[str, int], jobs: int, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Run everything and return the record."""
    started = records.start()
    names = {key: problem_of(key).name for key in keys}
    found: dict[str, dict[str, list[Outcome]]] = {names[key]: {sampler: [] for sampler in samplers} for key in keys}
    tasks = [(key, sampler, repeat) for key in keys for sampler in samplers for repeat in range(repeats[sampler])]
    for done, ((key, sampler, _), outcome) in enumerate(_outcomes(tasks, jobs, options), 1):
        found[names[key]][sampler].append(outcome)
        if sys.stderr.isatty():
            print(f"\r{done} of {len(tasks)} runs, {time.perf_counter() - started.clock:.0f} s ", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    rng = np.random.default_rng(options["seed"])
    problems = {}
    for key in keys:
        problem = problem_of(key)
        problems[problem.name] = {"kind": problem.kind, "best": problem.best, "unit": problem.unit} | (
            {"held_out": sampler_surrogates.surrogate(key).held_out()} if isinstance(key, Path) else {}
        )
        problems[problem.name]["samplers"] = {one: summary(outcomes, rng) for one, outcomes in found[problem.name].items()}
    record: dict[str, Any] = {"problems": problems, "ratios": {}, "ranks": {}}
    for group in ("all", *KINDS):
        if chosen := {name: outcomes for name, outcomes in found.items() if group in ("all", problems[name]["kind"])}:
            if REFERENCE in samplers:
                record["ratios"][group] = {sampler: ratios(chosen, sampler, REFERENCE, rng) for sampler in samplers}
            record["ranks"][group] = ranks(chosen, samplers, rng)
    about = started.about(n=min(repeats.values()))
    record["about"] = {
        "reference": REFERENCE,
        "repeats": dict(repeats),
        **options,
        "jobs": jobs,
        "noise": NOISE,
        **about,
        "versions": about["versions"] | {name: metadata.version(name) for name in ("optuna", "scipy")},
    }
    return record


def _outcomes(
    tasks: Sequence[tuple[Key, str, int]], jobs: int, options: Mapping[str, Any]
) -> Iterator[tuple[tuple[Key, str, int], Outcome]]:
    """Yield tasks with what they found, in their order."""
    if jobs == 1:
        yield from ((each, task(*each, options)) for each in tasks)
        return
    # A fresh process for each worker, with one thread each: arithmetic libraries would otherwise fight over the cores.
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(task, *each, options) for each in tasks]
        yield from ((each, future.result()) for each, future in zip(tasks, futures, strict=True))


def text(record: Mapping[str, Any]) -> str:
    """Return the record as tables for people."""
    lines = []
    numbers = list(next(iter(next(iter(record["problems"].values()))["samplers"].values()))["regret"])
    for name, problem in record["problems"].items():
        held_out = problem.get("held_out")
        trust = f"; held out, rank correlation {held_out['all']:.2f}, {held_out['better']:.2f} among the better" if held_out else ""
        lines += [f"{name} ({problem['kind']}{trust})", f"{'':10}{'n':>5}{'starts':>8}{'ms each':>9}" + _heads(numbers, "regret@", 24)]
        for sampler, figures in problem["samplers"].items():
            cells = "".join(f"{_interval(figures['regret'][number], 'mean'):>24}" for number in numbers)
            lines.append(f"{sampler:10}{figures['n']:>5}{figures['starts']:>8.0f}{1e3 * figures['proposal_s']['mean']:>9.1f}{cells}")
        lines.append("")
    for group, by_sampler in record["ratios"].items():
        lines += [
            f"{group}: ratios of mean regret to {record['about']['reference']}",
            f"{'':10}" + _heads(numbers, "regret@", 24) + "   worst",
        ]
        for sampler, figures in by_sampler.items():
            cells = "".join(f"{_interval(figures[number], 'ratio'):>24}" for number in numbers)
            lines.append(f"{sampler:10}{cells}{figures[numbers[-1]]['worst']:>8.2f}")
    lines += ["", "mean ranks by regret, 1 is the best", f"{'':24}" + _heads(numbers, "after ", 20)]
    for group, by_number in record["ranks"].items():
        for sampler in by_number[numbers[0]]:
            cells = "".join(f"{_interval(by_number[number][sampler], 'mean', 2):>20}" for number in numbers)
            lines.append(f"{group:14}{sampler:10}{cells}")
    return "\n".join(lines)


def _heads(numbers: Sequence[str], prefix: str, width: int) -> str:
    return "".join(f"{prefix + number:>{width}}" for number in numbers)


def _interval(figures: Mapping[str, float], name: str, digits: int = 3) -> str:
    return f"{figures[name]:.{digits}f} [{figures['low']:.{digits}f},{figures['high']:.{digits}f}]"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.samplers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = list(built_in())
    parser.add_argument("--problems", default=",".join(known), help="names or kinds, separated by commas; none for tables alone (all)")
    parser.add_argument("--tables", nargs="+", type=Path, default=[], metavar="TABLE.parquet", help="learning curves to fit problems to")
    parser.add_argument("--samplers", default=",".join(SAMPLERS), help="some of them, separated by commas")
    parser.add_argument("--workers", type=int, default=4, help="trials trained at the same time (4)")
    parser.add_argument("--repeats", type=int, default=20, help="runs of each sampler on each problem (20)")
    parser.add_argument("--gp-repeats", type=int, help="runs of gp, which takes 10 to 30 times as long as the others (as --repeats)")
    parser.add_argument("--trainings", type=int, default=20, help="full trainings that a run may spend (20)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one per core)")
    parser.add_argument("--seed", type=int, default=0, help="of all runs (0)")
    parser.add_argument("-o", dest="output", choices=("table", "json"), default="table")
    given = parser.parse_args(arguments)
    if given.gp_repeats is None:
        given.gp_repeats = given.repeats
    for name, least in (("workers", 1), ("repeats", 2), ("gp_repeats", 2), ("trainings", 1), ("jobs", 1), ("seed", 0)):
        if getattr(given, name) < least:
            parser.error(f"--{name.replace('_', '-')}: {getattr(given, name)}, must be >= {least}")
    samplers = list(dict.fromkeys(given.samplers.split(",")))
    if unknown := [sampler for sampler in samplers if sampler not in SAMPLERS]:
        parser.error(f"--samplers: {', '.join(unknown)}: no such sampler here; there are {', '.join(SAMPLERS)}")
    words = [] if given.problems == "none" else list(dict.fromkeys(given.problems.split(",")))
    kinds = {name: make().kind for name, make in built_in().items()}
    if unknown := [word for word in words if word not in kinds and word not in kinds.values()]:
        parser.error(f"--problems: {', '.join(unknown)}: no such problem; there are {', '.join((*kinds, *dict.fromkeys(kinds.values())))}")
    keys: list[Key] = [*(name for name, kind in kinds.items() if name in words or kind in words), *given.tables]
    if not keys:
        parser.error("--problems: none, and no --tables; name a problem or a table")
    if len(taken := [*kinds, *(path.stem for path in given.tables)]) > len(set(taken)):
        parser.error("--tables: two files have the same name, or that of a problem; the record names them by it, rename one")
    try:
        for path in given.tables:
            problem_of(path)
    except TableError as error:
        print(f"python -m benchmarks.samplers: {error}", file=sys.stderr)
        return 2
    options = {"seed": given.seed, "num_workers": given.workers, "trainings": given.trainings}
    repeats = {sampler: given.gp_repeats if sampler == "gp" else given.repeats for sampler in samplers}
    record = compare(keys, samplers, repeats, given.jobs, options)
    print(json.dumps(record, indent=2) if given.output == "json" else text(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
