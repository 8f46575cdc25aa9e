"""Trained networks of a final, as their exports lie on disk, ready to be evaluated: one run, or several put together."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import safetensors.torch
import torch
from torch import nn

from trainable import family
from trainable.checkpoint import pack, write_synced
from trainable.config.data import DataConfig
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData, resident, scaled
from trainable.errors import ExportError
from trainable.models.ensemble import Ensemble

WEIGHTS = "model.safetensors"


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

    @property
    def data(self) -> DataConfig:
        """Return what it was trained on."""
        return self.config.data


@dataclass(frozen=True, slots=True)
class Together:
    """Runs put together, to be asked as one network.

    Attributes:
        configs: The members' recipes.
        shares: What each counts for in the mean of their probabilities, > 0, 1 in all.
        folder: Where the export of all lies.
        weights: SHA-256 of its `model.safetensors`, which holds the weights of all members.
    """

    configs: tuple[TrainConfig, ...]
    shares: tuple[float, ...]
    folder: Path
    weights: str

    @property
    def data(self) -> DataConfig:
        """Return what they were all trained on."""
        return self.configs[0].data


Finished: TypeAlias = Run | Together


def loaded(run: Finished, device: torch.device) -> tuple[nn.Module, TrainingData]:
    """Return the network with its weights, channels_last on the device, and the data it was trained on, with its statistics.

    The members of an ensemble normalize for themselves: its data has the mean 0 and the standard deviation 1.

    Raises:
        DataError: The training images cannot be read.
    """
    data = resident(run.data, device)
    if isinstance(run, Run):
        data = _statistics(run.config, data)
        module = _network(run.config, data)
    else:
        module, data = _ensemble(run.configs, run.shares, data), as_pixels(data)
    module.load_state_dict(safetensors.torch.load_file(run.folder / WEIGHTS))
    placed: nn.Module = module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub forgets it
    return placed, data


def put_together(members: Sequence[tuple[Run, float]], folder: Path) -> Together:
    """Write the weights of an ensemble into a folder and return it.

    Args:
        members: Each with its share; all of one data set.
        folder: Made if absent.

    Raises:
        ExportError: A member's weights are not those that were chosen.
        DataError: The training images cannot be read.
    """
    configs, shares = tuple(run.config for run, _ in members), tuple(share for _, share in members)
    module = _ensemble(configs, shares, resident(configs[0].data, torch.device("cpu")))
    for network, (run, _) in zip(module.members, members, strict=True):
        refuse_other_weights(run)
        network.load_state_dict(safetensors.torch.load_file(run.folder / WEIGHTS))
    content = pack(module.state_dict())
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{WEIGHTS}.partial"
    write_synced(partial, content)
    partial.replace(folder / WEIGHTS)
    return Together(configs, shares, folder, hashlib.sha256(content).hexdigest())


def refuse_other_weights(run: Run) -> None:
    """Raise ExportError where a run's weights are gone, or are not those that were tested."""
    file = run.folder / WEIGHTS
    try:
        seen = hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise ExportError(f"{file} is gone; put it back, or promote that trial again") from None
    if seen != run.weights:
        raise ExportError(f"{file} has changed since it was tested (SHA-256 {seen[:12]}, must be {run.weights[:12]}); put it back")


def as_pixels(data: TrainingData) -> TrainingData:
    """Return the data with a mean and a standard deviation that leave pixels as they are."""
    channels = data.image[0]
    return replace(data, mean=(0.0,) * channels, std=(1.0,) * channels)


def statistics_of(config: TrainConfig, data: TrainingData) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the standard deviation by which a recipe normalizes the images."""
    own = _statistics(config, data)
    return own.mean, own.std


def _ensemble(configs: Sequence[TrainConfig], shares: Sequence[float], data: TrainingData) -> Ensemble:
    """Return the members with fresh weights; `data` has the statistics of the training part."""
    statistics = [statistics_of(config, data) for config in configs]
    return Ensemble(
        [_network(config, data) for config in configs],
        shares=shares,
        means=[mean for mean, _ in statistics],
        stds=[std for _, std in statistics],
    )


def _network(config: TrainConfig, data: TrainingData) -> nn.Module:
    return family.build(config.model, image=data.image, num_classes=data.num_classes, dropout=config.dropout)


def _statistics(config: TrainConfig, data: TrainingData) -> TrainingData:
    return data if config.normalize else scaled(data)
