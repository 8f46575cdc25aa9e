"""A sweep as a job of a cluster: its name there, what is sent, what is remembered beside the sweep. No ray here.

The job's id is derived from what is searched and where it is kept, so that a sweep that is sent twice is one job. The driver that starts
as a job finds its id in `job.json` of the storage, or refuses: then the folder that it sees is not the one that was meant.
"""

import hashlib
import json
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from results.errors import Unreadable
from results.storage import Storage
from tuner.errors import UsageError

JOB = "job.json"  # beside the sweep: the jobs that it was sent as, oldest first
PACKAGES = ("results", "search_spaces", "trainable", "tuner")
MAX_BYTES = 64 * 2**20  # ours are 2 MiB; Ray keeps packages in the head node's memory and refuses more than 512 MiB
RESTARTS = 3  # of a driver that was killed, before its job fails
PATIENCE_S = 10.0  # for what another machine has just written to a network file system

FILE = "sweep/sweep.yaml"  # within the package; the user's own modules lie beside it


@dataclass(frozen=True, slots=True)
class Submitted:
    """One job that a sweep was sent as.

    Attributes:
        job: Its submission id.
        address: Of the cluster's dashboard, as a URL.
        at: When it was sent, UTC, ISO 8601.
        author: Who sent it.
    """

    job: str
    address: str
    at: str
    author: str


def identity(name: str, sweep_hash: str, storage: Storage) -> str:
    """Return the id of the job that a sweep is sent as first, of letters, digits and `._-`."""
    kept = hashlib.sha256(f"{storage.address}\n{sweep_hash}".encode()).hexdigest()[:8]
    return f"shortlist-{name}-{kept}"


def attempt(identity: str, job: str) -> int | None:
    """Return 1 for the first job of a sweep, 2 for the next and so on; None for a job of something else."""
    found = re.fullmatch(re.escape(identity) + r"(?:-(\d+))?", job)
    return found and int(found[1] or 1)


def numbered(identity: str, number: int) -> str:
    """Return the id of a sweep's job: Ray allows each id once, even where its job was deleted."""
    return identity if number == 1 else f"{identity}-{number}"


def remember(storage: Storage, submitted: Submitted) -> None:
    """Write down, before it is sent, that a sweep is sent as this job.

    Raises:
        Unreadable: The file of earlier jobs is damaged.
    """
    jobs = [asdict(earlier) for earlier in remembered(storage) if earlier.job != submitted.job]
    storage.write_atomic(JOB, json.dumps({"version": 1, "jobs": [*jobs, asdict(submitted)]}, indent=2).encode() + b"\n")


def remembered(storage: Storage) -> list[Submitted]:
    """Return the jobs that a sweep was sent as, oldest first; none where it was never sent.

    Raises:
        Unreadable: The file is damaged.
    """
    try:
        return [Submitted(**job) for job in json.loads(storage.read_now(JOB))["jobs"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{storage}/{JOB} is damaged ({error}); delete it, `shortlist submit` writes another") from error


def expect(storage: Storage, job: str) -> None:
    """Raise unless this storage is the one in which a job was written down.

    Raises:
        UsageError: It is another, or not the same folder on this machine.
    """
    deadline = time.monotonic() + PATIENCE_S
    while all(known.job != job for known in remembered(storage)):
        if time.monotonic() > deadline:
            raise UsageError(
                f"{storage} on this machine does not hold what `shortlist submit` wrote there for {job}: it is not the same folder; "
                "name a --storage that the cluster's nodes and the machine that submits see under the same path"
            )
        time.sleep(0.5)


def pack(folder: Path, *, file: Path | None, code: Mapping[str, bytes]) -> int:
    """Lay out what a job needs: this software, the sweep file and the user's own modules. Nothing else of the user's travels.

    Args:
        folder: An empty folder.
        file: The sweep file; None where the sweep is stored already.
        code: The user's modules, as they lie beside the sweep file.

    Returns:
        Bytes in all.

    Raises:
        UsageError: It is more than a cluster should be sent.
    """
    files = {f"sweep/{name}": content for name, content in code.items()}
    if file is not None:
        files[FILE] = file.read_bytes()
    ours = Path(__file__).parents[1]
    for package in PACKAGES:
        for path in sorted((ours / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                files[str(path.relative_to(ours))] = path.read_bytes()
    size = sum(map(len, files.values()))
    if size > MAX_BYTES:
        largest = sorted(files, key=lambda name: len(files[name]), reverse=True)[:3]
        named = ", ".join(f"{name.removeprefix('sweep/')} {len(files[name]) / 2**20:,.0f} MiB" for name in largest)
        raise UsageError(
            f"{size / 2**20:,.0f} MiB to send, must be at most {MAX_BYTES / 2**20:.0f} MiB; the largest are {named}; "
            "data belongs into a folder that every node sees, named by data.path"
        )
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return size


def entry_point(arguments: Sequence[str]) -> str:
    """Return the shell command of the job: `shortlist` with these arguments, again where its process was killed.

    What was journaled before a kill is not lost, and `run` and `resume` go on with it. A driver that ended by itself is not started again;
    neither is one that a person stopped (130, 143).
    """
    command = shlex.join(["python", "-m", "tuner.cli", *arguments])
    again = f'[ "$code" -gt 128 ] && [ "$code" -ne 130 ] && [ "$code" -ne 143 ] && [ "$try" -le {RESTARTS} ]'
    return f'try=0; while :; do {command}; code=$?; try=$((try + 1)); {again} || exit "$code"; done'
