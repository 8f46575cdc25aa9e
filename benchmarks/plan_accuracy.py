"""Whether `plan --calibrate` foretells how long a real sweep takes: plan, then run, then compare.

    python -m benchmarks.plan_accuracy [--repeats 2] [--calibrate-seconds 60] [--data FOLDER]

Each repeat plans the sweep with a fresh calibration and runs it through Ray, as a user does, in processes of their own. Real seconds are
those between the journal's `DriverStarted` and `DriverStopped`, which is what the plan foretells and what `budget.wall_clock` counts.
`--data` names a folder with CIFAR-10 as Parquet; without it only the digits sweep is measured. Prints predicted and real seconds and
their ratio, with the machine's load: on a machine that others use the ratio says as much about them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import records
from results import journal
from results.events import DriverStarted, DriverStopped, Reported, seconds
from results.storage import Storage

ROOT = Path(__file__).parent.parent
SWEEPS = ROOT / "search_spaces"
# Small enough for two cores: the shipped sweep on fewer images, shorter.
CIFAR10 = ("data.train_examples=1500", "data.validation=500", "search.trials=10", "scheduler.asha.max_epochs=4")


def shortlist(*arguments: str, folder: str) -> str:
    """Run the command line; return what it prints."""
    command = [sys.executable, "-c", "from tuner.cli.main import main; main()", *arguments, "--storage", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"shortlist {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def compared(file: Path, overrides: list[str], calibrate_seconds: float) -> dict[str, object]:
    """Plan and run one sweep."""
    changes = [part for text in overrides for part in ("-s", text)]
    with tempfile.TemporaryDirectory() as folder:
        load = [os.getloadavg()[0]]
        arguments = ("plan", str(file), *changes, "--calibrate", "--calibrate-seconds", str(calibrate_seconds), "-o", "json")
        plan = json.loads(shortlist(*arguments, folder=folder))
        load.append(os.getloadavg()[0])
        started = time.perf_counter()
        shortlist("run", str(file), *changes, folder=folder)
        command_s = time.perf_counter() - started
        load.append(os.getloadavg()[0])
        events = list(journal.read(Storage(Path(folder) / plan["name"])))
    began, ended = ([seconds(event.at) for event in events if isinstance(event, kind)] for kind in (DriverStarted, DriverStopped))
    real_s = ended[-1] - began[0]
    reports = [event for event in events if isinstance(event, Reported)]
    return {
        "sweep": plan["name"],
        "predicted_s": plan["wall_s"],
        "predicted_low_s": plan["wall_s_low"],
        "predicted_high_s": plan["wall_s_high"],
        "real_s": real_s,
        "ratio": plan["wall_s"] / real_s,
        "predicted_epochs": plan["epochs"],
        "real_epochs": len(reports),
        "predicted_device_s": plan["gpu_hours"] * 3600,
        "real_device_s": sum(report.device_s for report in reports),
        "command_s": command_s,
        "workers": plan["workers"],
        "load": load,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--calibrate-seconds", type=float, default=60.0)
    parser.add_argument("--data", type=Path, help="folder of CIFAR-10 as train*.parquet and test*.parquet")
    options = parser.parse_args()
    if options.repeats < 2:
        parser.error(f"--repeats: {options.repeats}, must be at least 2, for a standard deviation")
    sweeps = [(SWEEPS / "digits.yaml", ["search.trials=30"])]
    if options.data:
        sweeps.append((SWEEPS / "cifar10_small.yaml", [f"data.path={options.data.absolute()}", *CIFAR10]))
    started = records.start()
    runs = []
    for _ in range(options.repeats):
        for file, overrides in sweeps:
            runs.append(compared(file, overrides, options.calibrate_seconds))
            print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
    ratios: dict[str, list[float]] = {}
    for run in runs:
        ratios.setdefault(str(run["sweep"]), []).append(float(str(run["ratio"])))
    records.show(
        {
            "about": started.about(n=options.repeats, settings=vars(options)),
            "predicted_over_real": {name: records.spread(values) for name, values in ratios.items()},
            "runs": runs,
        }
    )


if __name__ == "__main__":
    main()
