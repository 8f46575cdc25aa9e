"""The share of the workers' time in which they train: real sweeps through the command line, as a user starts them.

    python -m benchmarks.utilisation [second] [cifar10_small] [--repeats 1] [--data FOLDER]

second          epochs of about a second: digits shown twenty times an epoch, 48 trials under the default rules
cifar10_small   search_spaces/cifar10_small.yaml; FOLDER is that of cifar10-jpeg

What is printed is what `shortlist status` says: device seconds over slot seconds, all of it and without the start (until the first epoch
began). Writes benchmarks/records/utilisation.json: n, mean, sd, the processor cores and how much else ran on them.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from results.overview import overview
from results.storage import Storage

ROOT = Path(__file__).parent.parent
RECORD = Path(__file__).parent / "records" / "utilisation.json"
SECOND = """
name: second
data: {name: digits, validation: 200}
trial:
  model: {family: resnet, blocks: [1], channels: 8}
  lr: {loguniform: [1e-3, 1e-1]}
  augment: {repeats: 20}
search: {sampler: random, trials: 48}
scheduler: {asha: {max_epochs: 9}}
resources: {gpus: 0}
"""


def measure(name: str, data: Path) -> dict[str, float]:
    """Run one sweep to its end; return its shares, its epochs and its seconds."""
    with tempfile.TemporaryDirectory(prefix="shortlist-") as folder:
        options: list[str] = []
        if name == "second":
            sweep = Path(folder) / "second.yaml"
            sweep.write_text(SECOND)
        else:
            sweep, options = ROOT / "search_spaces" / f"{name}.yaml", ["-s", f"data.path={data}"]
        command = [sys.executable, "-c", "from tuner.cli.main import main; main()", "run", str(sweep), "--storage", folder, *options]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=sys.stderr)
        wall_s = time.perf_counter() - started
        (journal,) = Path(folder).glob("*/sweep.json")
        seen = overview(Storage(journal.parent), time.time())
        assert seen.training is not None
        assert seen.training_after_start is not None
        epochs = seen.epochs.spent
        return {
            "training": seen.training,
            "training_after_start": seen.training_after_start,
            "epochs": epochs,
            "device_s_per_epoch": seen.device_hours.spent * 3600 / epochs,
            "driver_s": seen.wall_s.spent,
            "command_s": wall_s,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweeps", nargs="*", default=["second", "cifar10_small"])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--data", type=Path, default=ROOT / "datasets" / "cifar10-jpeg")
    options = parser.parse_args()
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name in options.sweeps:
        load = os.getloadavg()[0]
        runs = [measure(name, options.data) for _ in range(options.repeats)]
        figures = {
            figure: {"mean": statistics.fmean(values), "sd": statistics.stdev(values) if len(values) > 1 else 0.0}
            for figure, values in ((figure, [run[figure] for run in runs]) for figure in runs[0])
        }
        machine = {"processor_cores": os.cpu_count(), "python": platform.python_version()}
        record[name] = {"n": options.repeats, "load_1_min_before": load, "load_1_min_after": os.getloadavg()[0], **machine, **figures}
        RECORD.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
