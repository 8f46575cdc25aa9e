"""What of a final is handed over: its files, what was found out about them, their checksums. Writes and checks; computes no figures."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from results.storage import Storage
from tuner.errors import SweepFailed

CHECKSUMS = "checksums.sha256"

# Of a run's export, where it is there: a final of an older release, or a network that cannot be traced, goes without.
EXTRAS = ("preprocessing.json", "model.pt2", "model.onnx")
DELIVERED = ("README.md", "lineage.json", "metrics.json", "model.py", "model.safetensors", *EXTRAS)
FOLDERS = ("code",)  # whole folders of them: a user's own network


def copy_extras(place: Storage, trial: str) -> None:
    """Lay beside the weights what else the export of a run has."""
    for name in EXTRAS:
        if (content := _read(place, f"trials/{trial}/export/{name}")) is not None:
            place.write_atomic(name, content)


def account(place: Storage, trial: str) -> dict[str, Any]:
    """Return what `metrics.json` says of the kept run besides its numbers: what its export knows, and the test in detail."""
    found: dict[str, Any] = {}
    if (content := _read(place, f"trials/{trial}/export/about.json")) is not None:
        about = json.loads(content)
        found = {part: about[part] for part in ("validation", "check", "programs", "speed")}
    details = json.loads(place.read_now("test.json")).get("details", {}).get(trial)
    return found if details is None else found | {"test": details}


def publish(place: Storage, content: Mapping[str, bytes]) -> None:
    """Write the files, their checksums and, last, `metrics.json`: a final that has it is whole.

    Args:
        place: The final's folder; weights and programs lie there already.
        content: File -> what goes into it; `metrics.json` is among them.
    """
    for name, data in content.items():
        if name != "metrics.json":
            place.write_atomic(name, data)
    seal(place, {"metrics.json": content["metrics.json"]})
    place.write_atomic("metrics.json", content["metrics.json"])


def seal(place: Storage, coming: Mapping[str, bytes] | None = None) -> None:
    """Write `checksums.sha256`, as `sha256sum -c` reads it, over everything that is handed over.

    Args:
        place: The final's folder.
        coming: Files that are about to be written.
    """
    coming = coming or {}
    names = sorted({*coming, *(name for name in DELIVERED if place.exists(name)), *_below(place.root)})
    lines = [f"{_sha256(coming[name]) if name in coming else file_sha256(place.path(name))}  {name}\n" for name in names]
    place.write_atomic(CHECKSUMS, "".join(lines).encode())


def damaged(place: Storage) -> list[str]:
    """Return what is wrong with the files, a line each; nothing where all are as they were written.

    Raises:
        SweepFailed: There are no checksums, or they cannot be read.
    """
    try:
        lines = place.read(CHECKSUMS).decode().splitlines()
        expected = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    except FileNotFoundError as error:
        raise SweepFailed(f"{place.root} has no {CHECKSUMS}: an older release made this final; promote again to have one") from error
    except ValueError as error:
        raise SweepFailed(f"{place.path(CHECKSUMS)} is damaged ({error}); take the folder from a backup") from error
    found = []
    for name, digest in expected.items():
        if not place.path(name).is_file():
            found.append(f"{name} is gone")
        elif file_sha256(place.path(name)) != digest:
            found.append(f"{name} has changed")
    return found


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _read(place: Storage, name: str) -> bytes | None:
    """Return what a worker has written, wherever that was; None where it has not."""
    try:
        return place.read_now(name)
    except FileNotFoundError:
        return None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _below(root: Path) -> list[str]:
    return [
        file.relative_to(root).as_posix()
        for folder in FOLDERS
        for file in (root / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]
