"""What is made of the run that is kept, before the test split is opened: how it is asked, the files others use it by, how fast it is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainable.checkpoint import write_synced
from trainable.config.data import DataConfig
from trainable.data.resident import TrainingData
from trainable.final import programs, standalone, standalone_ensemble
from trainable.final.choices import Choice, choose, logits
from trainable.final.export import write
from trainable.final.figures import figures
from trainable.final.mistakes import MISTAKES, mistakes
from trainable.final.runs import Finished, Run, loaded
from trainable.final.views import SETS
from trainable.latency import module_ms
from trainable.memory import says_out_of_memory

ABOUT = "about.json"  # written last: a folder that holds it is whole
PREPROCESSING = "preprocessing.json"
CHOICES = "choices.json"
BATCHES = (1, 256)


@says_out_of_memory
def choices_of(runs: Mapping[str, Finished], *, place: Path, device: torch.device) -> dict[str, Choice]:
    """Return how each run of a final is asked; chosen by validation at the first call, read from `choices.json` at the next.

    Args:
        runs: Trial id -> run.
        place: The final's folder.
        device: Where to evaluate.
    """
    weights = {trial: run.weights for trial, run in runs.items()}
    file = place / CHOICES
    if file.exists() and (record := json.loads(file.read_bytes()))["weights"] == weights:
        return {trial: Choice(**content) for trial, content in record["choices"].items()}
    found = {}
    for trial, run in runs.items():
        module, data = loaded(run, device)
        found[trial] = choose(module, data, learned_from_all=run.data.train_on == "all")
    _write(file, {"version": 1, "weights": weights, "choices": {trial: asdict(choice) for trial, choice in found.items()}})
    return found


@says_out_of_memory
def package(run: Finished, choice: Choice, *, device: torch.device) -> None:
    """Write into the run's export `model.py` as it is asked, `preprocessing.json`, the programs, `mistakes.json` and, last, `about.json`.

    Raises:
        ExportError: `model.py` does not compute what the network computes.
    """
    (run.folder / ABOUT).unlink(missing_ok=True)
    module, data = loaded(run, device)
    write(module, _texts(run, data, choice), data, run.folder)
    seen = hashlib.sha256((run.folder / "model.safetensors").read_bytes()).hexdigest()
    assert seen == run.weights, "weights that are read and written again are the same bytes"
    about = preprocessing(run.data, data, choice)
    _write(run.folder / PREPROCESSING, about)
    learned_from_all = run.data.train_on == "all"
    _write(run.folder / MISTAKES, mistakes(module, data, temperature=choice.temperature, learned_from_all=learned_from_all))
    content = {
        "version": 1,
        "validation": choice.validation,
        "check": check(module, data, run.data),
        "programs": programs.write(module, data, about, run.folder),
        "speed": speed(module, data.image),
    }
    _write(run.folder / ABOUT, content)


def preprocessing(config: DataConfig, data: TrainingData, choice: Choice) -> dict[str, Any]:
    """Return what a caller must know to use a network: what it reads, what its answers mean."""
    channels, height, width = data.image
    return {
        "version": 1,
        "images": "uint8, 0..255: batch, height, width, channels",
        "height": height,
        "width": width,
        "channels": channels,
        "mode": "L" if channels == 1 else "RGB",
        "resize": "bicubic, to width x height whatever the proportions",
        "mean": list(data.mean),
        "std": list(data.std),
        "classes": list(data.class_names),
        "temperature": choice.temperature,
        "views": list(SETS[choice.views]),
        "views_temperature": choice.views_temperature,
        "data": config.name,
    }


def check(module: nn.Module, data: TrainingData, config: DataConfig) -> dict[str, Any]:
    """Return figures of the held-out images that whoever computes them again must find, in float32."""
    seen = figures(logits(module, data.val_images_NHWC, data), data.val_labels_N)
    return {
        "accuracy": seen.accuracy,
        "loss": seen.loss,
        "examples": seen.examples,
        "learned_from": config.train_on == "all",
        "device": device_name(data.val_images_NHWC.device),
        "torch": torch.__version__,
    }


def speed(module: nn.Module, image: tuple[int, int, int]) -> dict[str, Any]:
    """Return milliseconds of a forward pass in float32 (median) and images a second, at each of BATCHES."""
    device = next(module.parameters()).device
    passes = [(size, module_ms(module, image, batch_size=size)) for size in BATCHES]
    return {
        "device": device_name(device),
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        "batches": [{"images": size, "ms": ms, "images_per_s": size * 1000 / ms} for size, ms in passes],
    }


def device_name(device: torch.device) -> str:
    """Return the name of the hardware for people."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _texts(run: Finished, data: TrainingData, choice: Choice) -> dict[str, bytes]:
    """Return `model.py` and the files it imports."""
    if isinstance(run, Run):
        return standalone.files(run.config, data, choice)
    return standalone_ensemble.files(run, data, choice)


def _write(file: Path, content: dict[str, Any]) -> None:
    partial = file.with_name(f".{file.name}.partial")
    write_synced(partial, json.dumps(content, indent=2).encode() + b"\n")
    partial.replace(file)
