"""Where a sweep's files lie, and which sweep an argument means.

Callers give names, not paths, so that an object store can stand behind the same calls.
"""

import difflib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from results.errors import NotASweep

# What a sweep's folder holds from its first minute (or keeps when only the table was copied elsewhere).
MARKS = ("journal", "sweep.json", "leaderboard.parquet")

# Folder of what people have asked for and the driver has not obeyed yet, a file each.
REQUESTS = "requests"


class Storage:
    """The folder of one sweep; file names are relative to it, with forward slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"Storage({str(self.root)!r})"

    def path(self, name: str) -> Path:
        """Return where the file lies on this machine.

        Raises:
            ValueError: The name leads out of the sweep's folder.
        """
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts:
            raise ValueError(f"{name!r} leads out of the sweep's folder; file names are relative to it")
        return self.root / parts

    def exists(self, name: str) -> bool:
        """Return whether there is a file or folder of that name."""
        return self.path(name).exists()

    def read(self, name: str) -> bytes:
        """Return the whole file.

        Raises:
            FileNotFoundError: There is none.
        """
        return self.path(name).read_bytes()

    def write_atomic(self, name: str, data: bytes) -> None:
        """Replace the file so that every reader, and a power cut, finds the old content or the new, never a part."""
        target = self.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), 0o644)  # mkstemp gives 0600, and colleagues read leaderboards
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except BaseException as error:
            Path(temporary).unlink(missing_ok=True)
            if isinstance(error, OSError) and error.filename is None:
                error.filename = str(target)
            raise
        sync_folder(target.parent)


def find_sweep(argument: str, runs: Path) -> Storage:
    """Return the stored sweep that a SWEEP argument means.

    Args:
        argument: A sweep's name under `runs`, the path of its folder, or the path of a sweep file (then its `name:`).
        runs: The storage folder that holds the sweeps.

    Raises:
        NotASweep: None of the three fits; the message lists what there is.
    """
    if "://" in argument:
        raise NotASweep(f"{argument}: object stores are not supported by this release; name a folder that every node can see")
    name = _name_in(Path(argument)) if argument.endswith((".yaml", ".yml")) else argument
    for folder in (Path(name), runs / name):
        if _is_sweep(folder):
            return Storage(folder)
    raise NotASweep(f"{argument}: no sweep there{_hint(name, runs)}")


def stored_sweeps(runs: Path) -> list[str]:
    """Return the names of the sweeps under a storage folder, in alphabetical order."""
    if not runs.is_dir():
        return []
    return sorted(folder.name for folder in runs.iterdir() if _is_sweep(folder))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, not only the files' contents."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_sweep(folder: Path) -> bool:
    return any((folder / mark).exists() for mark in MARKS)


def _hint(name: str, runs: Path) -> str:
    known: Sequence[str] = stored_sweeps(runs)
    if not known:
        return f" and none under {runs}/; start one with: shortlist run SWEEP.yaml, or name the folder with --storage"
    if close := difflib.get_close_matches(Path(name).name, known, n=1):
        return f" nor under {runs}/; did you mean {close[0]}?"
    listed = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    return f" nor under {runs}/, which holds {listed}"


def _name_in(file: Path) -> str:
    """Return the `name:` that a sweep file gives."""
    from ruamel.yaml import YAML  # 40 ms, and most arguments are names
    from ruamel.yaml.error import YAMLError

    if not file.is_file():
        raise NotASweep(f"{file}: no such file; name a sweep, its folder, or the sweep file it was run from")
    try:
        tree = YAML(typ="safe", pure=True).load(file)
    except (YAMLError, UnicodeDecodeError) as error:
        raise NotASweep(f"{file}: not a sweep file; see: shortlist validate {file}") from error
    name = tree.get("name") if isinstance(tree, dict) else None
    if not isinstance(name, str) or not name:
        raise NotASweep(f"{file}: a sweep file has a name; see: shortlist validate {file}")
    return name
