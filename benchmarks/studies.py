"""The five studies at a size for two cores: run their sweeps on real images, keep what they found, write docs/studies.md.

    python -m benchmarks.studies --data FOLDER                  # all of benchmarks/sweeps; some hours on two cores
    python -m benchmarks.studies --data FOLDER vgg_batchnorm_small

FOLDER holds CIFAR-10 as train*.parquet and test*.parquet. A sweep that was interrupted goes on where it was; one that is finished is only
kept again. The test split is not read.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from results import studies

ROOT = Path(__file__).parents[1]
SWEEPS = ROOT / "benchmarks/sweeps"
RECORDS = ROOT / "benchmarks/records/studies"
PAGE = ROOT / "docs/studies.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, keep, and show; return the exit code of the first sweep that failed, else 0."""
    shipped = {path.stem: path for path in sorted(SWEEPS.glob("*.yaml"))}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sweeps", nargs="*", metavar="SWEEP", help=f"some of {', '.join(shipped)}; all without")
    parser.add_argument("--data", type=Path, required=True, help="folder of train*.parquet and test*.parquet")
    parser.add_argument("--data-is", default="CIFAR-10 (JPEG)", help="what these images are, in words")
    parser.add_argument("--machine", default="two CPU cores", help="where this runs, in words")
    parser.add_argument("--storage", type=Path, default=Path("runs"), help="where the sweeps are stored")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.sweeps) - set(shipped)):
        parser.error(f"no such sweep: {', '.join(unknown)}; there are {', '.join(shipped)}")
    for path in [shipped[name] for name in given.sweeps] or list(shipped.values()):
        print(f"$ shortlist run {path.relative_to(ROOT)} -s data.path={given.data}", flush=True)
        command = [sys.executable, "-c", "from tuner.cli.main import main; main()", "run", str(path)]
        command += ["-s", f"data.path={given.data}", "--storage", str(given.storage)]
        if code := subprocess.run(command, check=False).returncode:
            return code
        kept = ["keep", str(given.storage / yaml.safe_load(path.read_text())["name"]), str(RECORDS)]
        if code := studies.main([*kept, "--machine", given.machine, "--data", given.data_is]):
            return code
    PAGE.write_text(studies.render(studies.read(RECORDS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
