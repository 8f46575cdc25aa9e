"""A checkpoint: a folder that is complete or not there. Nothing in it is unpickled.

model.safetensors   parameters and buffers
state.pt            what the optimizer and others remember, loaded with `weights_only`
meta.json           format version, epochs trained, hash of the configuration
"""

import io
import json
import os
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from trainable.errors import CheckpointError

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A trial after one of its epochs.

    Attributes:
        epoch: Epochs trained, >= 0.
        config_hash: Says which configuration the state belongs to.
        weights: Parameters and buffers by name.
        memory: What else a run remembers: of the optimizer by the number of the parameter, of Lookahead, the moving average, the best
            epoch, the gradient scaler.
    """

    epoch: int
    config_hash: str
    weights: dict[str, torch.Tensor]
    memory: dict[str, Any]


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the folder beside its place and rename it; an older one there is replaced."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    state = io.BytesIO()
    torch.save(checkpoint.memory, state)
    meta = {"version": FORMAT_VERSION, "epoch": checkpoint.epoch, "config_hash": checkpoint.config_hash}
    write_synced(partial / "model.safetensors", pack(checkpoint.weights))
    write_synced(partial / "state.pt", state.getvalue())
    write_synced(partial / "meta.json", json.dumps(meta).encode())
    if folder.exists():  # a folder with content cannot be replaced in one step; at worst neither is there, never half of one
        shutil.rmtree(folder)
    partial.replace(folder)
    _sync_folder(folder.parent)


def read(folder: Path, device: torch.device) -> Checkpoint:
    """Return what `write` wrote, on the device.

    Raises:
        CheckpointError: The folder is absent, damaged, or of another format version.
    """
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
        if meta["version"] != FORMAT_VERSION:
            raise CheckpointError(
                f"{folder} has format {meta['version']}, this release reads {FORMAT_VERSION}; continue with the release that wrote it"
            )
        return Checkpoint(
            epoch=meta["epoch"],
            config_hash=meta["config_hash"],
            weights=safetensors.torch.load_file(folder / "model.safetensors", device=str(device)),
            memory=torch.load(folder / "state.pt", map_location=device, weights_only=True),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, SafetensorError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{folder} cannot be read ({error}); continue from an earlier checkpoint, or start the trial again"
        ) from error


def pack(weights: dict[str, torch.Tensor]) -> bytes:
    """Return tensors in the safetensors format, which knows no memory layout but the plain one."""
    packed: dict[str, torch.Tensor] = {}
    places: set[int] = set()
    for name, tensor in weights.items():
        plain = tensor.detach().cpu().contiguous()
        if (place := plain.untyped_storage().data_ptr()) in places:  # tied weights: the format refuses what shares memory
            plain = plain.clone()
        places.add(place)
        packed[name] = plain
    return safetensors.torch.save(packed)


def write_synced(file: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with file.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
