"""A checkpoint is read without running anything that its writer put into it."""

import json
import pickle
from pathlib import Path

import pytest
import torch

from trainable import checkpoint
from trainable.checkpoint import Checkpoint
from trainable.errors import CheckpointError


class Evil:
    """Unpickled, it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.trace,)


def written(folder: Path) -> Path:
    weights = {"weight": torch.arange(4.0)}
    checkpoint.write(folder, Checkpoint(epoch=3, config_hash="abc", weights=weights, memory={"step": torch.tensor(7)}))
    return folder


@pytest.mark.parametrize("how", ["torch.save", "pickle", "as weights"])
def test_checkpoint_that_would_run_code_is_refused_and_runs_none(tmp_path: Path, how: str) -> None:
    folder = written(tmp_path / "000003")
    assert checkpoint.read(folder, torch.device("cpu")).epoch == 3
    trace = tmp_path / "owned"
    if how == "torch.save":
        torch.save({"step": Evil(trace)}, folder / "state.pt")
    else:
        (folder / ("state.pt" if how == "pickle" else "model.safetensors")).write_bytes(pickle.dumps(Evil(trace), protocol=2))
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.read(folder, torch.device("cpu"))
    assert not trace.exists()
    pickle.loads(pickle.dumps(Evil(trace)))
    assert trace.exists(), "the trap itself must work"


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", json.dumps({"version": 99, "epoch": 1, "config_hash": ""}).encode()])
def test_checkpoint_with_an_odd_description_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = written(tmp_path / "000003")
    (folder / "meta.json").write_bytes(content)
    with pytest.raises(CheckpointError):
        checkpoint.read(folder, torch.device("cpu"))
