"""Programs of a network that cannot be traced, or where a package is missing, are left out and the reason is told."""

from pathlib import Path

import pytest
import torch
from pictures import CPU, random_data, recipe
from torch import nn

from trainable.final import programs
from trainable.training import Training

ABOUT = {"version": 1}


class TwoWays(nn.Module):
    """Goes one way or another by what it sees, as a user's own network may: no program can be made of that."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, 3)

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.head(images_BCHW.flatten(1))
        return logits_BK if float(images_BCHW.mean()) > 0 else -logits_BK


@pytest.mark.slow  # 4 s, most of it importing what traces
def test_network_that_cannot_be_traced_goes_without_programs_and_old_ones_are_removed(tmp_path: Path) -> None:
    (tmp_path / "model.pt2").write_bytes(b"of another network")
    told = programs.write(TwoWays(), random_data(channels=3), ABOUT, tmp_path)
    assert set(told) == {"model.pt2", "model.onnx"}
    assert all("cannot be traced by torch.export" in one["skipped"] for one in told.values())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_missing_package_costs_the_onnx_file_alone_and_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "NEEDS", ("onnx", "surely_not_installed"))
    training = Training(recipe(), random_data(channels=3), CPU)
    training.train_epoch()
    told = programs.write(training.kept, training.data, ABOUT, tmp_path)
    assert told["model.onnx"] == {"skipped": "surely_not_installed is not installed; install it with: pip install 'shortlist[onnx]'"}
    assert told["model.pt2"]["largest_difference"] <= 1e-5
    assert [file.name for file in tmp_path.iterdir()] == ["model.pt2"]


def test_program_that_answers_something_else_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Exported:
        """Stands for a program that was traced wrongly."""

    def wrong(exported: Exported, images_BHWC: torch.Tensor, about: str, file: Path) -> torch.Tensor:
        file.write_bytes(b"program")
        return torch.zeros(len(images_BHWC), 3)

    monkeypatch.setattr(programs, "_exported", lambda program, images_BHWC: Exported())
    monkeypatch.setattr(programs, "_pt2", wrong)
    monkeypatch.setattr(programs, "_onnx", wrong)
    training = Training(recipe(), random_data(channels=3), CPU)
    told = programs.write(training.kept, training.data, ABOUT, tmp_path)
    assert all("its logits differ by up to" in one["skipped"] for one in told.values())
    assert list(tmp_path.iterdir()) == []
