"""Decode once per node: a folder of memory-mapped arrays for each split, named by the content it was decoded from.

    <cache root>/<source>-<split>-<key>/images.npy   uint8, N x H x W x C
                                        labels.npy   int64, N
                                        meta.json    version, class names, fingerprint of the two arrays

The folder is written beside its place and renamed there when it is complete. Whoever opens it hashes what it reads: a folder that
is damaged all the same is decoded again.
"""

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path

import numpy as np
from filelock import FileLock

from trainable.config.data import DataConfig
from trainable.data.images import Images, Split
from trainable.data.locations import cache_root
from trainable.data.sources import source
from trainable.errors import DataError

FORMAT_VERSION = 1

logger = logging.getLogger(__name__)


def decoded(config: DataConfig, split: Split) -> tuple[Images, str]:
    """Return the images of one split, memory-mapped, and the fingerprint of their pixels and labels.

    The first process on a node decodes; others that come meanwhile wait for it. Only files of this split are opened.

    Raises:
        DataError: The images cannot be read, or the cache cannot be written.
    """
    origin = source(config)
    key = hashlib.sha256(f"{FORMAT_VERSION} {origin.key(split)}".encode()).hexdigest()[:16]
    folder = cache_root() / f"{config.name}-{split}-{key}"
    if (found := _open(folder)) is not None:
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if (found := _open(folder)) is None:  # else another process was quicker
                _write(folder, origin.read(split))
                found = _open(folder)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error}), must be on a disk with room; set SHORTLIST_CACHE to another folder"
        ) from error
    if found is None:
        raise DataError(
            f"{folder} does not read back what was written to it, its disk may be failing; set SHORTLIST_CACHE to another folder"
        )
    return found


def _open(folder: Path) -> tuple[Images, str] | None:
    """Return what the folder holds; None where it is absent or not what was once written."""
    if not folder.is_dir():
        return None
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
        # Copy-on-write, because torch warns of arrays that cannot be written to; nothing ever is.
        images_NHWC = np.load(folder / "images.npy", mmap_mode="c")
        labels_N = np.load(folder / "labels.npy")
        images = Images(images_NHWC, labels_N, tuple(meta["class_names"]))
        if (seen := _fingerprint(images)) != meta["fingerprint"]:
            raise ValueError(f"its fingerprint is {seen}, was {meta['fingerprint']}")
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        logger.warning("%s is damaged (%s); decoding again", folder, error)
        return None
    return images, seen


def _write(folder: Path, images: Images) -> None:
    """Put a complete folder in its place. The caller holds the lock, so whatever lies there is a dead process's or damaged."""
    partial = folder.with_suffix(".partial")
    for leftover in (partial, folder):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir()
    meta = {"version": FORMAT_VERSION, "class_names": images.class_names, "fingerprint": _fingerprint(images)}
    np.save(partial / "images.npy", images.images_NHWC)
    np.save(partial / "labels.npy", images.labels_N)
    (partial / "meta.json").write_text(json.dumps(meta, indent=2), encoding="utf-8")
    for file in partial.iterdir():
        with file.open("rb") as written:
            os.fsync(written.fileno())
    partial.replace(folder)


def _fingerprint(images: Images) -> str:
    """Return the SHA-256 of shape, pixels and labels."""
    digest = hashlib.sha256(repr(images.images_NHWC.shape).encode())
    digest.update(np.ascontiguousarray(images.images_NHWC).data)
    digest.update(np.ascontiguousarray(images.labels_N).data)
    return digest.hexdigest()
