"""Where a sweep's files lie, and which sweep an argument means.

Callers give names, not paths, so that an object store can stand behind the same calls: then `root` is a local copy, see `mirror.py`.
"""

import difflib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from results import mirror, places
from results.errors import NotASweep

# What a sweep's folder holds from its first minute (or keeps when only the table was copied elsewhere, or before its job begins).
MARKS = ("journal", "sweep.json", "leaderboard.parquet", "job.json")

# Folder of what people have asked for and the driver has not obeyed yet, a file each.
REQUESTS = "requests"


class Storage:
    """The folder of one sweep; file names are relative to it, with forward slashes.

    Attributes:
        root: The folder on this machine.
        mirror: What keeps it and an object store together; None where it is just a folder.
    """

    def __init__(self, root: Path, *, follow: bool = True) -> None:
        """Open a folder, or the local copy of a place on an object store (see `places.local`).

        Args:
            root: The folder; it need not exist.
            follow: Whether such a copy is brought up to date before it is looked at; a worker is told what to read and needs no journal.
        """
        self.root = root
        self.mirror = mirror.of(root)
        self._follow = follow

    @classmethod
    def at(cls, address: str, *, follow: bool = True) -> Self:
        """Return the storage that `address` names, on any machine. Errors as in `places.local`."""
        return cls(places.local(address), follow=follow)

    def __repr__(self) -> str:
        return f"Storage({str(self)!r})"

    def __str__(self) -> str:
        return places.address(self.root)

    @property
    def address(self) -> str:
        """Return how any process on any node calls it: its absolute path, or `s3://bucket/prefix/sweep`."""
        return str(self.root.resolve()) if self.mirror is None else self.mirror.address

    def path(self, name: str) -> Path:
        """Return where the file lies on this machine, up to date.

        Raises:
            ValueError: The name leads out of the sweep's folder, by itself or by a link.
            OSError: The object store does not answer.
        """
        path = places.inside(self.root, name)
        if self.mirror is not None and self._follow:
            self.mirror.freshen()
        return path

    def exists(self, name: str) -> bool:
        """Return whether there is a file or folder of that name."""
        return self.path(name).exists()

    def read(self, name: str) -> bytes:
        """Return the whole file.

        Raises:
            FileNotFoundError: There is none.
        """
        return self.path(name).read_bytes()

    def read_now(self, name: str) -> bytes:
        """Return the whole file as it is this very moment, on whatever storage. Errors as in `read`."""
        path = places.inside(self.root, name)
        return path.read_bytes() if self.mirror is None else self.mirror.store.get(self.mirror.key(name)).data

    def remove(self, name: str) -> None:
        """Delete the file; it need not be there."""
        path = places.inside(self.root, name)
        if self.mirror is None:
            path.unlink(missing_ok=True)
        else:
            self.mirror.remove(name)

    def pull(self, folder: str) -> Path:
        """Return a folder in which others leave files for the driver, with all that they have left."""
        path = places.inside(self.root, folder)
        if self.mirror is not None:
            self.mirror.pull(folder)
        return path

    def fetch(self, folder: str) -> Path:
        """Return a folder below `trials/` with its files on this machine: other nodes may have written them."""
        path = places.inside(self.root, folder)
        if self.mirror is not None:
            self.mirror.fetch(folder)
        return path

    def publish(self, name: str, *, last: str | None = None) -> None:
        """Let every node see a file, or a folder with all in it, that was written by other means than `write_atomic`.

        Args:
            name: The file or folder.
            last: The file of the folder that is there only when all others are.
        """
        path = places.inside(self.root, name)
        if self.mirror is None:
            return
        if path.is_file():
            self.mirror.push(name, path.read_bytes())
        else:
            self.mirror.publish(name, last=last)

    def move(self, target: Path) -> None:
        """Give the sweep another folder, on the same storage."""
        if self.mirror is None:
            self.root.rename(target)
            return
        other = mirror.of(target)
        assert other is not None
        self.mirror.move(other)

    def write_atomic(self, name: str, data: bytes) -> None:
        """Replace the file so that every reader, and a power cut, finds the old content or the new, never a part."""
        target = places.inside(self.root, name)
        if self.mirror is not None:
            self.mirror.push(name, data)
            return
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
        argument: A sweep's name under `runs`, the path of its folder, its `s3://` address, or the path of a sweep file (then its `name:`).
        runs: The storage folder that holds the sweeps, or its mirror.

    Raises:
        NotASweep: None of the three fits; the message lists what there is.
    """
    if "://" in argument:
        try:
            stored = Storage.at(argument)
        except ValueError as error:
            raise NotASweep(str(error)) from error
        if _is_sweep(stored.root):
            return stored
        raise NotASweep(f"{argument}: no sweep there; see: shortlist winners --storage {argument.rpartition('/')[0]}")
    name = _name_in(Path(argument)) if argument.endswith((".yaml", ".yml")) else argument
    for folder in (Path(name), runs / name):
        if _is_sweep(folder):
            return Storage(folder)
    raise NotASweep(f"{argument}: no sweep there{_hint(name, runs)}")


def stored_sweeps(runs: Path) -> list[str]:
    """Return the names of the sweeps under a storage folder, in alphabetical order."""
    if mirror.of(runs) is not None:
        return [name for name in mirror.folders(runs) if _is_sweep(runs / name)]
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
    stored = Storage(folder)
    return any(stored.exists(mark) for mark in MARKS)


def _hint(name: str, runs: Path) -> str:
    known: Sequence[str] = stored_sweeps(runs)
    if not known:
        return f" and none under {places.address(runs)}/; start one with: shortlist run SWEEP.yaml, or name the folder with --storage"
    if close := difflib.get_close_matches(Path(name).name, known, n=1):
        return f" nor under {places.address(runs)}/; did you mean {close[0]}?"
    listed = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    return f" nor under {places.address(runs)}/, which holds {listed}"


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
    if not places.is_safe_part(name):
        raise NotASweep(f"{file}: {name!r} is no name of a sweep; see: shortlist validate {file}")
    return name
