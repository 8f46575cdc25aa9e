"""Names and addresses: which file names are safe, where the local copy of an `s3://` place lies, and how a place is called.

A place in an object store is worked with through a local copy, its *mirror*, below the user's cache folder: whoever holds a path of a
mirror holds the place, and `runs / name` works for both. This file knows paths and text only; `mirror.py` moves bytes.
"""

import hashlib
import os
import re
from pathlib import Path, PurePosixPath

SCHEME = "s3://"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PART = re.compile(r"[\w.=@+-]{1,255}")  # of a key: letters, digits and a few signs that mean nothing to any system

# What decides who answers to the name of a bucket.
_ENDPOINT = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_PROFILE")


def cache_root() -> Path:
    """Return SHORTLIST_CACHE where it is set, else `shortlist` in the user's cache folder (XDG Base Directory Specification)."""
    if chosen := os.environ.get("SHORTLIST_CACHE"):
        return Path(chosen).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "shortlist"


def local(address: str) -> Path:
    """Return the folder that stands for an address here: the folder itself, or the mirror of an `s3://bucket/prefix`.

    Raises:
        ValueError: It is an address of another kind, or has a bucket or a prefix that cannot be.
    """
    if "://" not in address:
        return Path(address)
    if not address.startswith(SCHEME):
        scheme = address.partition("://")[0]
        raise ValueError(f"{scheme}:// is no storage, must be a folder that every node sees, or s3://bucket/prefix")
    bucket, *parts = address.removeprefix(SCHEME).rstrip("/").split("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(
            f"s3://{bucket if '@' not in bucket else '...'}: no name of a bucket, must be 3 to 63 small letters, digits, dots and dashes; "
            "credentials come from the environment, never from here"
        )
    if wrong := [part for part in parts if not is_safe_part(part)]:
        raise ValueError(f"{address}: {wrong[0]!r} in the prefix, must be letters, digits and . _ - = @ + between single slashes")
    return _mirrors().joinpath(bucket, *parts)


def bucket_and_prefix(folder: Path) -> tuple[str, str] | None:
    """Return bucket and key prefix (no slash at either end) of a mirror's folder; None for a folder that is just one."""
    absolute = folder.resolve()
    mirrors = _mirrors()
    if not absolute.is_relative_to(mirrors) or absolute == mirrors:
        return None
    bucket, *parts = absolute.relative_to(mirrors).parts
    return bucket, "/".join(parts)


def address(folder: Path) -> str:
    """Return how people call a folder: by its path, or by the `s3://` address that it mirrors."""
    if (known := bucket_and_prefix(folder)) is None:
        return str(folder)
    bucket, prefix = known
    return f"{SCHEME}{bucket}/{prefix}".rstrip("/")


def is_safe_part(part: str) -> bool:
    """Return whether a part of a file's name can neither lead elsewhere nor mean something else on another system."""
    return part not in (".", "..") and _PART.fullmatch(part) is not None


def inside(root: Path, name: str) -> Path:
    """Return where a file below `root` lies.

    Raises:
        ValueError: The name leads out of it: absolute, `..`, a symbolic link; or holds what no file name of ours holds.
    """
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{name!r} leads out of the sweep's folder; file names are relative to it")
    if not name.isprintable() or "\\" in name:
        raise ValueError(f"{name!r} has signs that no file of a sweep has")
    path = root / parts
    # A link is followed as long as it stays inside: the folder itself may be one, and so may be what lies above it.
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{path} is a link that leads out of the sweep's folder, to {path.resolve()}; remove it")
    return path


def _mirrors() -> Path:
    said = "|".join(os.environ.get(name, "") for name in _ENDPOINT)
    return cache_root().resolve() / "mirrors" / hashlib.sha256(said.encode()).hexdigest()[:8]
