"""Which software made a number: commit, versions, machine. No secrets, nothing of the user's or of the environment but our own commit.

Neither torch nor ray is imported: versions come from the installed packages' metadata.
"""

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path

from results.events import stamp

# What can change a trained number or the way it is stored.
PACKAGES = ("shortlist", "torch", "torchvision", "ray", "numpy", "scikit-learn", "pillow", "pyarrow", "pandas", "pydantic", "safetensors")


def collect() -> dict[str, object]:
    """Return what is stored beside a sweep or a final, ready for JSON."""
    return {
        "at": stamp(time.time()),
        "commit": commit(),
        "versions": versions(),
        "host": platform.node(),
        "platform": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Return package -> version for Python and the packages that matter; one that is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit(folder: Path = Path(__file__).parent) -> str | None:
    """Return the commit of this software, with `+changes` where files differ from it; None where it is unknown.

    Unknown it is when the software was installed without its repository, or where there is no git. A job of a cluster, whose software
    travelled with it, is told by `SHORTLIST_COMMIT`.

    Args:
        folder: A folder of the checkout.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None or not _tracked(folder):
        return os.environ.get("SHORTLIST_COMMIT")
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{head}+changes" if changed else head


def _tracked(folder: Path) -> bool:
    """Return whether the repository around a folder is its own: an environment inside some other project's checkout is not."""
    return _git(folder, "ls-files", "--error-unmatch", "__init__.py") is not None


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None where it fails, is missing or hangs on a slow file system."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
