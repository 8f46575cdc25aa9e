"""Measure what README and docs claim: every program of `benchmarks.entries` in turn, then docs/benchmarks.md from the records.

    python -m benchmarks.suite [RECORD ...] [--data FOLDER] [--tables FOLDER] [--list]

RECORD names some of them (all by default). `--data` is a folder of CIFAR-10 as Parquet, `--tables` one of learning curves; what needs one
that is not given is skipped, and its old record stays. Each program runs in a process group of its own, its messages go to
build/bench/<record>.log. One that fails, or takes four times as long as it should, loses its own record only, the others go on.

Exit codes: 0 all measured or skipped, 1 a program failed, 2 the call is wrong, 130 interrupted; what was measured until then is kept.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import records, render
from benchmarks.claims import Claim
from benchmarks.entries import DATA, ENTRIES, NEEDS, TABLES, Entry

LOGS = Path("build") / "bench"
PATIENCE = 4.0  # times the minutes that are expected, and two more: a busy machine is no failure


@dataclass(slots=True)
class Outcome:
    """What became of a run of the suite: records, and why there is none."""

    measured: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def measure(entries: Sequence[Entry], given: Mapping[str, Sequence[str]], *, folder: Path, logs: Path = LOGS) -> Outcome:
    """Run programs one after another and keep each record as soon as it is there.

    Args:
        entries: What to run, in this order.
        given: DATA and TABLES, as far as the caller has them -> the words that take their place.
        folder: Where records are kept.
        logs: Where messages go.

    Raises:
        KeyboardInterrupt: Ctrl-C; the program at work was ended.
    """
    outcome = Outcome()
    for number, entry in enumerate(entries, 1):
        missing = [NEEDS[word] for word in entry.needs if word not in given]
        if missing:
            outcome.skipped[entry.record] = f"needs {' and '.join(missing)}"
            say(f"[{number}/{len(entries)}] {entry.record}: skipped, {outcome.skipped[entry.record]}")
            continue
        say(f"[{number}/{len(entries)}] {entry.record}: about {entry.minutes:g} min, $ {entry.command}")
        started = time.perf_counter()
        log = logs / f"{entry.record}.log"
        try:
            record = run(entry, given, log)
            claims = list(entry.claims(json.loads(record)))
        except (Failed, ValueError, KeyError) as error:
            why = str(error) if isinstance(error, Failed) else f"its record is not as expected: {error!r}"
            outcome.failed[entry.record] = f"{why}; messages are in {log}"
            say(f"    FAILED after {time.perf_counter() - started:.0f} s: {why}\n    messages: {log}")
            continue
        keep(record, folder / f"{entry.record}.json")
        outcome.measured.append(entry.record)
        say(f"    {time.perf_counter() - started:.0f} s, {render.quietness(json.loads(record)['about']).replace('*', '')}")
        for claim in claims:
            say(f"    {in_words(claim)}")
    return outcome


class Failed(Exception):
    """A program made no record; the message says why."""


def run(entry: Entry, given: Mapping[str, Sequence[str]], log: Path) -> str:
    """Run one program and return what it printed.

    Raises:
        Failed: It ended with an error, or did not end.
    """
    words = [part for word in entry.arguments for part in given.get(word, [word])]
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", entry.program, *words]
    with (
        log.open("w") as messages,
        # A session of its own: what it started ends with it, whatever happens.
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=messages, text=True, start_new_session=True) as program,
    ):
        try:
            printed, _ = program.communicate(timeout=(PATIENCE * entry.minutes + 2) * 60)
        except subprocess.TimeoutExpired:
            raise Failed(f"did not end within {PATIENCE * entry.minutes + 2:.0f} minutes") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
    if program.returncode:
        last = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:]
        raise Failed(f"ended with {program.returncode}: {' '.join(last)}")
    return printed


def keep(record: str, path: Path) -> None:
    """Write a record; a reader never sees half of one."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(record)
    unfinished.replace(path)


def in_words(claim: Claim) -> str:
    """Return a claim in a line."""
    verdict = {True: f"   goal {claim.goal}: met", False: f"   goal {claim.goal}: NOT MET", None: ""}[claim.met]
    return f"{claim.seen:>26}  {claim.what}{verdict}"


def conclusion(outcome: Outcome, took_s: float) -> str:
    """Return what became of all programs."""
    counts = f"{len(outcome.measured)} measured, {len(outcome.skipped)} skipped, {len(outcome.failed)} failed"
    lines = [f"{counts}, in {took_s / 60:.1f} min"]
    lines += [f"  skipped {name}: {why}" for name, why in outcome.skipped.items()]
    lines += [f"  FAILED {name}: {why}" for name, why in outcome.failed.items()]
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.suite", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = [entry for entry in ENTRIES if not entry.because]
    parser.add_argument("records", nargs="*", metavar="RECORD", help=", ".join(entry.record for entry in known))
    parser.add_argument("--data", type=Path, help="folder of CIFAR-10 as train*.parquet and test*.parquet")
    parser.add_argument("--tables", type=Path, help="folder of learning curves, a Parquet file a table (docs/search.md)")
    parser.add_argument("--list", action="store_true", help="show what would run, and run nothing")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.records if name not in {entry.record for entry in known}]:
        parser.error(f"{', '.join(unknown)}: no such record; there are {', '.join(entry.record for entry in known)}")
    given: dict[str, list[str]] = {}
    for word, folder, pattern in ((DATA, options.data, "train*.parquet"), (TABLES, options.tables, "*.parquet")):
        if folder is not None:
            files = sorted(folder.absolute().glob(pattern))
            if not files:
                parser.error(f"--{word.lower()}: {folder} has no {pattern}, must be a folder that has")
            given[word] = [str(folder.absolute())] if word == DATA else [str(file) for file in files]
    chosen = [entry for entry in known if not options.records or entry.record in options.records]
    if options.list:
        for entry in chosen:
            needs = f"   needs {' and '.join(NEEDS[word] for word in entry.needs)}" if entry.needs else ""
            say(f"{entry.minutes:>5g} min  {entry.command}{needs}")
        say(f"{sum(entry.minutes for entry in chosen):>5g} min  in all")
        return 0
    started = time.perf_counter()
    code = 0
    try:
        outcome = measure(chosen, given, folder=records.FOLDER)
        code = 1 if outcome.failed else 0
        say(f"\n{conclusion(outcome, time.perf_counter() - started)}")
    except KeyboardInterrupt:
        code = 130
        say("\ninterrupted; records of the programs that had ended are kept")
    render.DOCUMENT.write_text(render.document(records.FOLDER, ENTRIES))
    say(f"written: {os.path.relpath(render.DOCUMENT)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
