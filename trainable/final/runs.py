"""One trained run of a final, as its export lies on disk, and its network ready to be evaluated."""

from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from trainable import family
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData, resident, scaled


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


def loaded(run: Run, device: torch.device) -> tuple[nn.Module, TrainingData]:
    """Return the network with its weights, channels_last on the device, and the data it was trained on, with its statistics.

    Raises:
        DataError: The training images cannot be read.
    """
    data = resident(run.config.data, device)
    data = data if run.config.normalize else scaled(data)
    module = family.build(run.config.model, image=data.image, num_classes=data.num_classes, dropout=run.config.dropout)
    module.load_state_dict(safetensors.torch.load_file(run.folder / "model.safetensors"))
    placed: nn.Module = module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub forgets it
    return placed, data
