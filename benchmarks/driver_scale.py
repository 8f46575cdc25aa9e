"""What the search itself costs per epoch, and whether that stays flat from 500 to 10,000 trials.

    python -m benchmarks.driver_scale [--repeats 5]

No training, no Ray: simulated workers drive the production engine with the journal in memory. Both sizes run in one go, in turn.
Prints microseconds per reported epoch, mean and standard deviation, and the ratio large / small.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Sequence

from results.events import Event
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from tuner import provenance
from tuner.decisions import Job
from tuner.restore import restore
from tuner.simulate import simulate

SIZES = (500, 10_000)
COST = ArchitectureCost(parameters=1, flops_per_image=1, activation_bytes_per_image=1)


def discard(events: Sequence[Event], sync: bool) -> None:
    """Journal to nowhere: only the engine is timed."""


def scores(job: Job, epoch: int) -> dict[str, float | None]:
    return {"score": (int(job.trial[1:]) * 2_654_435_761 % 2**32) / 2**32}


def microseconds_per_epoch(trials: int) -> float:
    """Run one sweep to its end and return what an epoch cost, drawing candidates left in."""
    sweep = Sweep.model_validate(
        {
            "name": "scale",
            "data": {"name": "digits"},
            "trial": {"model": {"family": "resnet", "blocks": [1], "channels": 8}, "lr": {"loguniform": [1e-5, 1.0]}},
            "search": {"trials": trials},
            "scheduler": {"asha": {"min_epochs": 3, "max_epochs": 81}},
        }
    )
    search = restore(sweep, [], cost=lambda config: COST, append=discard, now=0.0)
    started = time.perf_counter()
    trace = simulate(search, scores, num_workers=16)
    return (time.perf_counter() - started) / trace.epochs * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    if repeats < 2:
        parser.error(f"--repeats: {repeats}, must be at least 2, for a standard deviation")
    measured: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(repeats):
        for size in SIZES:
            measured[size].append(microseconds_per_epoch(size))
    ratios = [large / small for small, large in zip(*(measured[size] for size in SIZES), strict=True)]
    record = {
        "microseconds_per_epoch": {size: [statistics.fmean(values), statistics.stdev(values)] for size, values in measured.items()},
        "ratio": [statistics.fmean(ratios), statistics.stdev(ratios)],
        "n": repeats,
        "machine": platform.processor() or platform.machine(),
        "commit": provenance.commit(),
        "versions": provenance.versions(),
    }
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
