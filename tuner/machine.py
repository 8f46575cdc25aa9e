"""What one machine is like, as seen by a process on it: versions, GPUs, disks, limits, clock, what it sees of storage and data. No ray.

It runs on every node of a cluster, so that it imports nothing that is not installed wherever shortlist is, and answers in plain values.
"""

import os
import platform
import resource
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tuner import provenance, storage_probe

SHM = Path("/dev/shm")

Probe = tuple[str, str, bytes]  # the storage's address, the name of a file there, its content: see `storage_probe`


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine.

    Attributes:
        host: Its name.
        versions: Package -> version, Python's among them.
        cuda: CUDA version that torch was built for; None for a build without.
        gpus: Name of each GPU that torch sees.
        broken: What is wrong with GPUs that do not compute.
        cores: That this process may use.
        free: Folder -> bytes free: temporary files, decoded images.
        shm: Bytes free in shared memory; None where there is none.
        files: Most files that a process may have open.
        clock: Seconds since 1970, when it looked.
        sees_storage: None where it read what was written there and wrote an answer; else why not.
        sees_data: None where the data's folder is there and can be read, or none was asked for; else why not.
    """

    host: str
    versions: dict[str, str]
    cuda: str | None
    gpus: list[str]
    broken: list[str]
    cores: int
    free: dict[str, int]
    shm: int | None
    files: int
    clock: float
    sees_storage: str | None = None
    sees_data: str | None = None
    variables: dict[str, str] = field(default_factory=dict)


def look(probe: Probe | None, data: str | None, node: str) -> Machine:
    """Return what this machine is like.

    Args:
        probe: What was written to the storage, to be read and answered there; None where there is none.
        data: Folder of the data set; None where it needs none.
        node: Tells the answers of several machines apart.
    """
    from trainable import devices
    from trainable.data.locations import cache_root

    clock = time.time()
    seen = devices.gpus()
    broken = [f"GPU {index}: {why}" for index in range(len(seen)) if (why := devices.computes(index))]
    folders = {"temporary files": Path(tempfile.gettempdir()), "decoded images": cache_root()}
    return Machine(
        host=platform.node(),
        versions=provenance.versions(),
        cuda=devices.cuda(),
        gpus=[str(gpu["name"]) for gpu in seen],
        broken=broken,
        cores=len(os.sched_getaffinity(0)),
        free={f"{name} ({folder})": _free(folder) for name, folder in folders.items()},
        shm=_free(SHM) if SHM.is_dir() else None,
        files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        clock=clock,
        sees_storage=None if probe is None else storage_probe.answer(*probe, node),
        sees_data=None if data is None else _readable(Path(data)),
        variables={name: os.environ[name] for name in ("RAY_AUTH_MODE",) if name in os.environ},
    )


def _readable(folder: Path) -> str | None:
    try:
        first = next((path for path in sorted(folder.rglob("*")) if path.is_file()), None)
        if first is None:
            return f"{folder}: empty, or not there"
        with first.open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror}"
    return None


def _free(folder: Path) -> int:
    """Return the bytes free where a folder lies, or would."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
