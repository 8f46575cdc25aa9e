"""What a worker says while it trains one trial, kept beside the trial: whoever asks why a worker died finds its last words there.

The file lies in the sweep's folder, not on the worker's node, so that it outlives the node; only where the storage is an object store it is
in the node's copy (see `ray_nodes.last_words`). No ray, no torch.
"""

import os
from contextlib import suppress
from pathlib import Path

from results.redact import redacted
from results.storage import Storage

NAME = "worker.log"
TAIL_LINES = 30
_TAIL_BYTES = 64 * 1024


def attach(folder: Path) -> Path:
    """Send this process's standard output and error to a new log in a trial's folder; return the log.

    Whatever is written goes there at once, below Python as well: what a C library says before it ends the process is kept.
    """
    path = folder / NAME
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    try:
        for stream in (1, 2):
            os.dup2(descriptor, stream)
    finally:
        os.close(descriptor)
    return path


def drop_if_empty(path: Path) -> None:
    """Delete the log of a segment that said nothing."""
    with suppress(OSError):  # gone already, or its storage is: nothing is lost
        if path.stat().st_size == 0:
            path.unlink()


def tail(folder: Path) -> tuple[str, ...]:
    """Return the last lines of a trial's log; empty where there is none."""
    try:
        with (folder / NAME).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(redacted(line) for line in lines[-TAIL_LINES:])


def written_here(address: str, trial: str) -> tuple[int, tuple[str, ...]]:
    """Return when the log of a trial was last written to on this machine, in nanoseconds since 1970, and its last lines; 0 for none."""
    folder = Storage.at(address, follow=False).path(f"trials/{trial}")
    lines = tail(folder)
    return ((folder / NAME).stat().st_mtime_ns, lines) if lines else (0, ())
