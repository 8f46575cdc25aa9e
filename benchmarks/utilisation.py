"""The share of the workers' time in which they train: real sweeps through the command line, as a user starts them.

    python -m benchmarks.utilisation [second] [cifar10_small] [--repeats 1] [--data FOLDER]

second          epochs of about a second: digits shown twenty times an epoch, 48 trials under the default rules
cifar10_small   search_spaces/cifar10_small.yaml; FOLDER holds CIFAR-10 as Parquet

What is printed is what `shortlist status` says: device seconds over slot seconds, all of it and without the start (until the first epoch
began).
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import records
from results.overview import overview
from results.storage import Storage

ROOT = Path(__file__).parent.parent
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


def measure(name: str, data: Path | None) -> dict[str, float]:
    """Run one sweep to its end; return its shares, its epochs and its seconds."""
    with tempfile.TemporaryDirectory(prefix="shortlist-") as folder:
        options: list[str] = []
        if name == "second":
            sweep = Path(folder) / "second.yaml"
            sweep.write_text(SECOND)
        else:
            assert data is not None
            sweep, options = ROOT / "search_spaces" / f"{name}.yaml", ["-s", f"data.path={data.absolute()}"]
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
    parser.add_argument("sweeps", nargs="*", choices=["second", "cifar10_small", []], default=["second"])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder of CIFAR-10 as train*.parquet and test*.parquet")
    options = parser.parse_args()
    if "cifar10_small" in options.sweeps and (options.data is None or not options.data.is_dir()):
        parser.error(f"--data: {options.data}, must be a folder with CIFAR-10 as train*.parquet and test*.parquet for cifar10_small")
    started = records.start()
    figures: dict[str, Any] = {}
    for name in options.sweeps:
        runs = [measure(name, options.data) for _ in range(options.repeats)]
        figures[name] = {figure: records.spread([run[figure] for run in runs]) for figure in runs[0]}
    records.show({"about": started.about(n=options.repeats, settings=vars(options)), **figures})


if __name__ == "__main__":
    main()
