"""The tutorial way: what someone writes who has read Ray Tune's own tutorial for PyTorch, and knows PyTorch. `tutorial_way` runs it.

    python -m benchmarks.tutorial_peer FOLDER

A function trainable: images as arrays, as `torchvision.datasets.CIFAR10` holds them; torchvision's transforms; a DataLoader; the training
loop; a checkpoint and a report after each epoch. Ray's ASHAScheduler with the tutorial's grace_period 1 and reduction_factor 2. FOLDER has
`images.npz` and `task.json`. The networks are ours, to be the same; everything else is Ray's and PyTorch's.

Source: docs.ray.io, "How to use Tune with PyTorch"; pytorch.org, "Hyperparameter tuning with Ray Tune" (the structure; no line is copied).
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from PIL import Image
from pydantic import TypeAdapter
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from trainable import family
from trainable.config.model import ModelConfig

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of CIFAR-10's training images, as tutorials have them


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Images in memory, altered one by one."""

    def __init__(self, images_NHWC: np.ndarray, labels_N: np.ndarray, transform: transforms.Compose) -> None:
        self.images_NHWC, self.labels_N, self.transform = images_NHWC, labels_N, transform

    def __len__(self) -> int:
        return len(self.images_NHWC)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.images_NHWC[row])), int(self.labels_N[row])


def load_data(folder: Path) -> tuple[Pictures, Pictures]:
    """Return training and validation images."""
    as_tensor = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    altered = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *as_tensor]
    with np.load(folder / "images.npz") as arrays:
        return (
            Pictures(arrays["train_images"], arrays["train_labels"], transforms.Compose(altered)),
            Pictures(arrays["val_images"], arrays["val_labels"], transforms.Compose(as_tensor)),
        )


def optimizer_of(config: dict[str, Any], network: nn.Module) -> torch.optim.Optimizer:
    if config["optimizer"] == "sgd":
        return torch.optim.SGD(network.parameters(), lr=config["lr"], momentum=config["momentum"], weight_decay=config["weight_decay"])
    return torch.optim.Adam(network.parameters(), lr=config["lr"], weight_decay=config["weight_decay"])


def loaders(config: dict[str, Any], task: dict[str, Any]) -> tuple[DataLoader[Any], DataLoader[Any]]:
    train_images, val_images = load_data(Path(task["folder"]))
    workers = {"num_workers": task["loader_workers"], "persistent_workers": task["loader_workers"] > 0}
    return (
        DataLoader(train_images, batch_size=config["batch_size"], shuffle=True, **workers),
        DataLoader(val_images, batch_size=256, **workers),
    )


def train_epoch(network: nn.Module, loader: DataLoader[Any], optimizer: torch.optim.Optimizer, schedule: Any) -> float:
    """Train one epoch; return the mean loss of its batches."""
    criterion, total = nn.CrossEntropyLoss(), 0.0
    network.train()
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = criterion(network(inputs), labels)
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
    return total / len(loader)


def validate(network: nn.Module, loader: DataLoader[Any]) -> tuple[float, float]:
    """Return loss and accuracy, 0..1."""
    criterion, total, correct, seen = nn.CrossEntropyLoss(reduction="sum"), 0.0, 0, 0
    network.eval()
    with torch.no_grad():
        for inputs, labels in loader:
            outputs = network(inputs)
            total += criterion(outputs, labels).item()
            correct += int((outputs.argmax(1) == labels).sum().item())
            seen += len(labels)
    return total / seen, correct / seen


def train_cifar(config: dict[str, Any], task: dict[str, Any]) -> None:
    """Train one configuration: Ray's function trainable."""
    config = config["configuration"]
    torch.manual_seed(task["seed"])
    model: Any = TypeAdapter(ModelConfig).validate_python(config["model"])
    network = family.build(model, image=(3, 32, 32), num_classes=10, dropout=0.0)
    train_loader, val_loader = loaders(config, task)
    optimizer = optimizer_of(config, network)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=task["max_epochs"] * len(train_loader))
    for epoch in range(task["max_epochs"]):
        train_loss = train_epoch(network, train_loader, optimizer, schedule)
        val_loss, accuracy = validate(network, val_loader)
        with tempfile.TemporaryDirectory() as folder:
            state = {"epoch": epoch, "network": network.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, Path(folder) / "checkpoint.pt")
            checkpoint = tune.Checkpoint.from_directory(folder)
            tune.report({"loss": val_loss, "accuracy": accuracy, "train_loss": train_loss}, checkpoint=checkpoint)


def epoch_s(task: dict[str, Any], loader_workers: int) -> float:
    """Return the seconds of an epoch of the first configuration, without Ray, evaluation included."""
    torch.set_num_threads(1)
    config = task["configurations"][0]
    network = family.build(TypeAdapter(ModelConfig).validate_python(config["model"]), image=(3, 32, 32), num_classes=10, dropout=0.0)
    train_loader, val_loader = loaders(config, task | {"loader_workers": loader_workers})
    optimizer = optimizer_of(config, network)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=len(train_loader))
    validate(network, val_loader)  # what is slow only the first time
    started = time.perf_counter()
    train_epoch(network, train_loader, optimizer, schedule)
    validate(network, val_loader)
    return time.perf_counter() - started


def main() -> None:
    folder = Path(sys.argv[1])
    task = json.loads((folder / "task.json").read_text()) | {"folder": str(folder)}
    began = time.perf_counter()
    ray.init(address="local", num_cpus=task["slots"], include_dashboard=False, log_to_driver=False)
    started = time.perf_counter()
    found = tune.Tuner(
        tune.with_resources(tune.with_parameters(train_cifar, task=task), {"cpu": 1}),
        param_space={"configuration": tune.grid_search(task["configurations"])},
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            scheduler=ASHAScheduler(time_attr="training_iteration", max_t=task["max_epochs"], grace_period=1, reduction_factor=2),
        ),
        run_config=tune.RunConfig(storage_path=str(folder / "ray"), verbose=0),
    ).fit()
    ended = time.perf_counter()
    curves = [list(result.metrics_dataframe["accuracy"]) for result in found if result.metrics_dataframe is not None]
    print(
        json.dumps(
            {
                "ray_start_s": started - began,
                "search_s": ended - started,
                "epochs": sum(map(len, curves)),
                "trials": len(curves),
                "errors": found.num_errors,
                "best_accuracy": max(max(curve) for curve in curves),
                "chosen_accuracy": max(curve[-1] for curve in curves),
            }
        )
    )


if __name__ == "__main__":
    main()
