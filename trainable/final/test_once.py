"""The one place that opens the test split: once for a final, when all of its runs are trained and the choice among them is made.

`test.json` in the final's folder says so before the split is opened, and holds the figures afterwards: a driver killed in between finds
them, or finds that it may open the split for these same weights again; for any others it is refused.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from trainable import family
from trainable.checkpoint import write_synced
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData, resident, scaled
from trainable.data.test_split import open_test_split
from trainable.errors import TestedAlready
from trainable.final.scores import score
from trainable.memory import says_out_of_memory

RECORD = "test.json"


@dataclass(frozen=True, slots=True)
class Run:
    """One trained run of a final.

    Attributes:
        config: Its recipe.
        folder: Where its export lies.
        weights: SHA-256 of its `model.safetensors`.
    """

    config: TrainConfig
    folder: Path
    weights: str


@says_out_of_memory
def read_test_split(
    runs: Mapping[str, Run], *, chosen: str, place: Path, device: torch.device, written: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Return what the test split says of every run of a final, reading it once for all of them.

    Args:
        runs: Trial id -> run; all of one data set.
        chosen: The run whose weights are kept. It was chosen before, and is written down before the split is opened.
        place: The final's folder.
        device: Where to evaluate.
        written: Called when `test.json` has been written, before the split is opened and afterwards.

    Returns:
        The content of `test.json`: chosen, weights (trial -> SHA-256), opened_at (UTC, one entry unless a driver was killed meanwhile),
        fingerprint of the split, and figures (trial -> the fields of `scores.Scores`).

    Raises:
        TestedAlready: The split was read for other weights, or another choice, of this final.
        DataError: The test images cannot be read, or are not of the kind the networks were trained on.
    """
    asked = {"chosen": chosen, "weights": {trial: run.weights for trial, run in runs.items()}}
    record = _record(place / RECORD, asked)
    if record["figures"] is not None:
        return record
    record["opened_at"].append(datetime.now(UTC).isoformat(timespec="milliseconds"))
    _write(place / RECORD, record)
    written()
    test = open_test_split(next(iter(runs.values())).config.data, device)
    record["fingerprint"] = test.fingerprint
    figures = {}
    for trial, run in runs.items():
        data = resident(run.config.data, device)
        data = data if run.config.normalize else scaled(data)
        figures[trial] = asdict(score(_trained(run, data, device), test, data))
    record["figures"] = figures
    _write(place / RECORD, record)
    written()
    return record


def _trained(run: Run, data: TrainingData, device: torch.device) -> nn.Module:
    module = family.build(run.config.model, image=data.image, num_classes=data.num_classes, dropout=run.config.dropout)
    module.load_state_dict(safetensors.torch.load_file(run.folder / "model.safetensors"))
    placed: nn.Module = module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub forgets it
    return placed


def _record(file: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a reading of these weights; a new record where there was none."""
    if not file.exists():
        return {"version": 1, **asked, "opened_at": [], "fingerprint": None, "figures": None}
    record: dict[str, Any] = json.loads(file.read_bytes())
    if any(record[name] != asked[name] for name in asked):
        when = record["opened_at"][0]
        raise TestedAlready(
            f"{file}: the test split was read at {when} for other weights of this final, and is read once; "
            "keep what is there, or move the folder away and promote again"
        )
    return record


def _write(file: Path, record: dict[str, Any]) -> None:
    partial = file.with_name(f".{file.name}.partial")
    write_synced(partial, json.dumps(record, indent=2).encode() + b"\n")
    partial.replace(file)
