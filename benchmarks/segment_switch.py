"""How long a worker stands still between two segments: our driver beside plain Ray Tune, which reuses actors, too.

    python -m benchmarks.segment_switch [--repeats 5] [--trials 200] [--epoch-s 0.05] [--slots 2]

Trials that sleep for an epoch, through Ray, under successive halving with the same rungs on as many workers, in turn, each run in a
process of its own. Two figures: seconds between two segments on the same worker, and seconds that the slots idled for each segment, the
start of workers that replaced others included. Prints means, standard deviations and the ratio of the two sides.
"""

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from benchmarks import records

SIDES = {"shortlist": "ours", "ray_tune_reusing_actors": "peer-reuse"}
FIGURES = ("gap_median_s", "gap_99th_s", "gap_largest_s", "gaps_within_0.2_s", "idle_s_per_segment", "utilisation", "actors", "segments")
RUN = """
import json, sys
from benchmarks import trivial_trials
print(json.dumps(trivial_trials.run(sys.argv[1], int(sys.argv[2]), slots=int(sys.argv[3]))))
"""


def measure(side: str, *, trials: int, slots: int, epoch_s: float) -> dict[str, float]:
    environment = os.environ | {"TRIVIAL_EPOCH_S": str(epoch_s)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, side, str(trials), str(slots)], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--epoch-s", type=float, default=0.05)
    parser.add_argument("--slots", type=int, default=2)
    options = parser.parse_args()
    started = records.start()
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for _ in range(options.repeats):
        for name, side in SIDES.items():
            seen[name].append(measure(side, trials=options.trials, slots=options.slots, epoch_s=options.epoch_s))
            print(name, json.dumps(seen[name][-1]), file=sys.stderr)
    record: dict[str, Any] = {"about": started.about(n=options.repeats, settings=vars(options))}
    for name, runs in seen.items():
        record[name] = {figure: records.spread([run[figure] for run in runs]) for figure in FIGURES}
    ours, theirs = seen.values()
    for figure in ("gap_median_s", "idle_s_per_segment"):
        ratios = [theirs_run[figure] / ours_run[figure] for ours_run, theirs_run in zip(ours, theirs, strict=True)]
        record[f"{figure}_theirs_over_ours"] = records.spread(ratios)
    records.show(record)


if __name__ == "__main__":
    main()
