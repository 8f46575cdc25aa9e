"""Seconds per image of one configuration, measured on this device by training it for a moment.

Shapes: N images, H height, W width, C channels.
"""

import contextlib
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from trainable.allocator import keep_freed_memory
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData, resident
from trainable.errors import TrainableError
from trainable.training import Training

# A rate that moves no weight far: what is measured is time, and a configuration that diverges would show none.
LR = 1e-6
PROBE_BATCHES = 2  # enough to see how many batches fill the time given; they also warm up caches and kernels
TRAINING_SHARE = 0.6  # of the time given; the rest evaluates, builds, saves


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """How long a configuration takes.

    Attributes:
        train_image_s: Seconds per training image: augmentation, both passes, the optimizer's share.
        val_image_s: Seconds per validation image.
        build_s: Seconds until a trial is ready to train, its data being there already.
        save_s: Seconds to write a checkpoint.
        device: Name of the GPU, or `cpu`.
    """

    train_image_s: float
    val_image_s: float
    build_s: float
    save_s: float
    device: str


def set_up(config: TrainConfig, *, threads: int) -> None:
    """Make this process what a worker is after its first trial: its threads, its memory, the data on the device, all imports."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    device = _device()
    data = resident(config.data, device)
    with contextlib.suppress(TrainableError):  # `measure` says so
        Training(config, _part(data, config.batch_size, config.batch_size), device)


def measure(config: TrainConfig, *, seconds: float) -> Throughput:
    """Train for about so many seconds; at least four batches are trained whatever they take.

    Args:
        config: What to train; its learning rate does not matter.
        seconds: How long, > 0.

    Raises:
        TrainableError: It cannot be trained here.
    """
    device = _device()
    data = resident(config.data, device)
    config = config.model_copy(update={"lr": LR, "max_epochs": max(config.max_epochs, 4)})
    probe_N = min(len(data.train_labels_N), PROBE_BATCHES * config.batch_size)
    training = Training(config, _part(data, probe_N, probe_N), device)
    training.train_epoch()
    probed = training.train_epoch()
    train_image_s, val_image_s = _per_image(probed.images_per_s, probed.device_s, training.data)
    num_train = min(len(data.train_labels_N), max(probe_N, _whole_batches(TRAINING_SHARE * seconds / train_image_s, config.batch_size)))
    num_val = min(len(data.val_labels_N), max(probe_N, int((1 - TRAINING_SHARE) / 2 * seconds / max(val_image_s, 1e-9))))
    data = _part(data, num_train, num_val)
    started = time.perf_counter()
    training = Training(config, data, device)
    build_s = time.perf_counter() - started
    measured = training.train_epoch()
    train_image_s, val_image_s = _per_image(measured.images_per_s, measured.device_s, training.data)
    with tempfile.TemporaryDirectory(prefix="shortlist-") as folder:
        started = time.perf_counter()
        training.save(Path(folder) / "checkpoint")
        save_s = time.perf_counter() - started
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return Throughput(train_image_s=train_image_s, val_image_s=val_image_s, build_s=build_s, save_s=save_s, device=name)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _part(data: TrainingData, num_train: int, num_val: int) -> TrainingData:
    """Return the data with fewer images, spread over all of them: files are often sorted by class."""
    train_N, val_N = (_spread(len(labels), number) for labels, number in ((data.train_labels_N, num_train), (data.val_labels_N, num_val)))
    return replace(
        data,
        train_images_NHWC=data.train_images_NHWC[train_N],
        train_labels_N=data.train_labels_N[train_N],
        val_images_NHWC=data.val_images_NHWC[val_N],
        val_labels_N=data.val_labels_N[val_N],
    )


def _spread(num_images: int, number: int) -> torch.Tensor:
    return torch.linspace(0, num_images - 1, min(number, num_images)).long()


def _per_image(images_per_s: float, device_s: float, data: TrainingData) -> tuple[float, float]:
    """Return seconds per image of training and of evaluation, of an epoch over this data."""
    train_s = len(data.train_labels_N) / images_per_s
    return 1.0 / images_per_s, max(0.0, device_s - train_s) / len(data.val_labels_N)


def _whole_batches(num_images: float, batch_size: int) -> int:
    return max(1, round(num_images / batch_size)) * batch_size
