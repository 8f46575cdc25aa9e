"""What it costs a running sweep that many watch it in the browser, and how long they wait.

    python -m benchmarks.serve_load [--clients 50] [--seconds 20] [--repeats 3] [--epochs-per-s 50]

A driver in a process of its own, with its search, journal, lock and tables, whose epochs are sleeps, is run with nobody watching and with
`shortlist serve` and so many clients on its event stream, in turn. Printed for both: processor seconds of the driver per thousand epochs
and epochs per second of wall time; for the watched ones: processor share of the server, states that each client got, seconds that the
first one took, and milliseconds that a leaderboard of 100 rows took meanwhile. Driver, server and clients share the machine's cores, so
what is measured is an upper bound for a driver that has its own.
"""

import argparse
import asyncio
import contextlib
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks import records
from benchmarks.driver_scale import COST, quality, sweep
from benchmarks.records import spread
from results.storage import Storage
from tuner.decisions import Job
from tuner.session import hold
from tuner.simulate import simulate

SWEEP = "scale"  # the name that `driver_scale.sweep` gives
WORKERS = 16
TRIALS = 100_000  # more than are ever reached
ASK_S = 0.5  # between two questions for the leaderboard


def drive(folder: Path, seconds: float, epochs_per_s: float) -> dict[str, float]:
    """Run a driver for so long; return what it did and what that cost."""
    epochs = 0
    done = time.monotonic() + seconds
    with hold(
        sweep(TRIALS, {"asha": {"min_epochs": 3, "max_epochs": 81}}), Storage(folder), source=None, cost=lambda config: COST
    ) as session:
        session.start(WORKERS)
        session.refresher.now()
        started, processor = time.perf_counter(), time.process_time()

        def curves(job: Job, epoch: int) -> dict[str, float | None]:
            nonlocal epochs
            epochs += 1
            session.refresher.maybe()
            session.look_up(time.time())
            time.sleep(1 / epochs_per_s)
            if time.monotonic() > done:
                raise KeyboardInterrupt
            return {"score": quality(int(job.trial[1:]))}

        with contextlib.suppress(KeyboardInterrupt):
            simulate(session.search, curves, num_workers=WORKERS, epoch_s=lambda job: WORKERS / epochs_per_s, start_s=time.time())
        return {"epochs": epochs, "wall_s": time.perf_counter() - started, "processor_s": time.process_time() - processor}


def once(options: argparse.Namespace, *, clients: int) -> dict[str, float]:
    """Run the driver once, watched by so many."""
    with tempfile.TemporaryDirectory() as runs:
        folder = Path(runs) / SWEEP
        command = [sys.executable, "-m", "benchmarks.serve_load", "drive", str(folder), str(options.seconds), str(options.epochs_per_s)]
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        found: dict[str, float] = {}
        while not (folder / "curves.parquet").exists():
            if driver.poll() is not None:
                sys.exit("the driver ended before its first table")
            time.sleep(0.05)
        if clients:
            found = watched(Path(runs), clients, options.seconds)
        said, _ = driver.communicate()
    told = json.loads(said)
    per_s, processor = told["epochs"] / told["wall_s"], told["processor_s"] / told["epochs"] * 1000
    return {"epochs_per_s": per_s, "driver_processor_s_per_1000_epochs": processor} | found


def watched(runs: Path, clients: int, seconds: float) -> dict[str, float]:
    """Serve the sweeps and watch one; return what was seen and what the server took."""
    command = [sys.executable, "-c", "from tuner.cli.main import main; main()", "serve", "--storage", str(runs), "--port", "0"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = re.search(r"(http://[^/]+)/\?token=(\S+)", server.stdout.readline())
    assert address is not None
    started = time.perf_counter()
    try:
        found = asyncio.run(watch(address[1], address[2], clients, seconds * 0.6))
    finally:
        took = time.perf_counter() - started
        server.terminate()
        server.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found | {"server_processor_share": processor / took}


async def watch(address: str, token: str, clients: int, seconds: float) -> dict[str, float]:
    """Follow the stream with many clients, and ask for the leaderboard as a page does."""
    states, first_s, answers_ms = [0] * clients, [0.0] * clients, []
    limits = httpx.Limits(max_connections=clients + 5)
    async with httpx.AsyncClient(base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=60, limits=limits) as client:

        async def follow(number: int) -> None:
            started = time.perf_counter()
            async with client.stream("GET", f"/api/v1/sweeps/{SWEEP}/events") as answer:
                answer.raise_for_status()
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        first_s[number] = first_s[number] or time.perf_counter() - started
                        states[number] += 1

        async def ask() -> None:
            while True:
                started = time.perf_counter()
                answer = await client.get(f"/api/v1/sweeps/{SWEEP}/leaderboard", params={"limit": 100})
                answer.raise_for_status()
                answers_ms.append((time.perf_counter() - started) * 1000)
                await asyncio.sleep(ASK_S)

        tasks = [asyncio.create_task(follow(number)) for number in range(clients)] + [asyncio.create_task(ask())]
        done, rest = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for task in done:
            task.result()
    return {
        "states_per_client": statistics.fmean(states),
        "fewest_states_of_a_client": min(states),
        "slowest_first_state_s": max(first_s),
        "leaderboard_ms_median": statistics.median(answers_ms),
        "leaderboard_ms_worst": max(answers_ms),
    }


def main() -> None:
    if sys.argv[1:2] == ["drive"]:
        print(json.dumps(drive(Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs-per-s", type=float, default=50.0)
    options = parser.parse_args()
    if options.repeats < 2:
        parser.error(f"--repeats: {options.repeats}, must be at least 2, for a standard deviation")
    started = records.start()
    runs: dict[str, list[dict[str, float]]] = {"alone": [], "watched": []}
    for _ in range(options.repeats):
        runs["alone"].append(once(options, clients=0))
        runs["watched"].append(once(options, clients=options.clients))
    figures: dict[str, Any] = {name: {key: spread([run[key] for run in side]) for key in side[0]} for name, side in runs.items()}
    key = "driver_processor_s_per_1000_epochs"
    figures["watched_over_alone"] = spread([w[key] / a[key] for a, w in zip(runs["alone"], runs["watched"], strict=True)])
    records.show({"about": started.about(n=options.repeats, settings=vars(options)), **figures})


if __name__ == "__main__":
    main()
