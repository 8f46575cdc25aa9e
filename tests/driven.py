"""A driver at work in a process of its own, real but for its workers: its epochs are sleeps. For tests of whoever looks on.

    python tests/driven.py FOLDER [--trials 27] [--workers 4] [--epoch-s 0.02] [--max-epochs 27]

Its search, its journal, its lock, its tables and its inbox are those of `shortlist run`.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sweeps import flat_cost, make_sweep

from results.storage import Storage
from tuner.decisions import Job
from tuner.errors import TunerError
from tuner.session import hold
from tuner.simulate import simulate

ROOT = Path(__file__).parent.parent


@contextmanager
def driving(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a driver as long as the context lasts, or until its sweep ends; its table is there when the context begins."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, str(Path(__file__)), str(folder), *arguments]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "curves.parquet").exists():
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process
    finally:
        process.terminate()
        process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=27)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--epoch-s", type=float, default=0.02)
    parser.add_argument("--max-epochs", type=int, default=27)
    options = parser.parse_args()
    sweep = make_sweep(
        trials=options.trials,
        name=options.folder.name,
        scheduler={"asha": {"min_epochs": 1, "max_epochs": options.max_epochs, "eta": 3}},
    )
    with suppress(TunerError), hold(sweep, Storage(options.folder), source=None, cost=flat_cost) as session:
        session.start(options.workers)
        rng = random.Random(0)

        def curves(job: Job, epoch: int) -> dict[str, float | None]:
            session.refresher.maybe()
            session.look_up(time.time(), (5.0, 50.0))
            time.sleep(options.epoch_s / options.workers)
            quality = random.Random(job.trial).uniform(0.5, 1.0)
            return {"score": None if job.trial.endswith("5") and epoch == 2 else quality * (1 - 0.7**epoch) + rng.gauss(0, 0.003)}

        simulate(session.search, curves, num_workers=options.workers, epoch_s=lambda job: options.epoch_s, start_s=time.time())


if __name__ == "__main__":
    main()
