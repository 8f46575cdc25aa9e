"""How fast a trial trains, input included, beside the plain tutorial loop; and what an epoch's time is spent on.

    python -m benchmarks.trial_speed [--channels 8 16 64] [--batch-sizes 16 64 128 256] [--repeats 2] [--data FOLDER]

The tutorial loop: PIL images, torchvision's transforms, a DataLoader in the same process, float32, contiguous tensors. Ours: `Training`
with the same network, recipe (SGD, momentum 0.9) and alterations (crop 4, flip, normalize), precision auto. Both sides run in one go, in
turn, after a round that is not counted; the tutorial loop in a fresh process each time (its speed depends on the allocator's luck), ours
with the allocator set as a worker sets it. A round trains a few batches of CIFAR-10, where FOLDER holds it as Parquet, else of generated
images.

One thread is used and processor time is measured: it leaves out what other programs on the machine take. For a GPU there is
`benchmarks.trial_speed_gpu`.
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

import trainable.training
from benchmarks import records
from benchmarks.records import spread
from trainable import family
from trainable.allocator import keep_freed_memory
from trainable.config.data import DataConfig
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData, resident
from trainable.training import Training

# Channels -> blocks, and images of one round: a few batches, some seconds for the tutorial loop.
NETWORKS = {8: ((1, 1, 1), 2048), 16: ((1, 1, 1), 1024), 64: ((3, 3, 3), 128)}
EPOCH_IMAGES = 45_000  # CIFAR-10 with a tenth held out: what the time of a checkpoint is compared with
VALIDATION = 1 / 9  # validation images for each training image, in that division


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """The training images as a tutorial reads them."""

    def __init__(self, data: TrainingData) -> None:
        self._images = data.train_images_NHWC.cpu().numpy()
        self._labels = data.train_labels_N.tolist()
        steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        statistics_of_one = [[value / 255 for value in values] for values in (data.mean, data.std)]
        self._alter = transforms.Compose([*steps, transforms.Normalize(*statistics_of_one)])

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self._alter(Image.fromarray(self._images[row])), self._labels[row]


def tutorial(config: TrainConfig, data: TrainingData, device: torch.device) -> Callable[[], None]:
    """Return what trains one epoch as tutorials do."""
    module = family.build(config.model, image=data.image, num_classes=data.num_classes, dropout=0.0).to(device)
    optimizer = torch.optim.SGD(module.parameters(), lr=config.lr, momentum=0.9)
    loader = DataLoader(Pictures(data), batch_size=config.batch_size, shuffle=True)

    def train_epoch() -> None:
        total = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = cross_entropy(module(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            total += loss.item()

    return train_epoch


class Shares:
    """Seconds of each part of our loop; a part inside another counts as the outer one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._clock = clock
        self._inside: str | None = None
        self._started = 0.0

    def begin(self, part: str) -> None:
        """Note that a part starts, unless another is under way."""
        if self._inside is None:
            self._inside, self._started = part, self._clock()

    def end(self, part: str) -> None:
        """Add what the part took, if it is the one under way."""
        if self._inside == part:
            self.seconds[part] += self._clock() - self._started
            self._inside = None

    def timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same work, timed as a part."""

        def timed_work(*args: Any, **kwargs: Any) -> Any:
            self.begin(part)
            try:
                return work(*args, **kwargs)
            finally:
                self.end(part)

        return timed_work


@contextmanager
def watched(training: Training, shares: Shares) -> Iterator[None]:
    """Time the parts of a training from outside: the loop itself is the one that production runs."""
    optimizer = training._optimizer
    with ExitStack() as stack:
        stack.enter_context(patch.object(training._captured, "_batches", shares.timed("data", training._batches)))
        stack.enter_context(patch.object(trainable.training, "evaluate", shares.timed("evaluation", trainable.training.evaluate)))
        stack.enter_context(patch.object(torch.Tensor, "backward", shares.timed("backward", torch.Tensor.backward)))
        for hook in (
            training.module.register_forward_pre_hook(lambda *_: shares.begin("forward")),
            training.module.register_forward_hook(lambda *_: shares.end("forward")),
            optimizer.register_step_pre_hook(lambda *_: shares.begin("optimizer")),
            optimizer.register_step_post_hook(lambda *_: shares.end("optimizer")),
        ):
            stack.callback(hook.remove)
        yield


def tutorial_seconds(folder: Path | None, channels: int, batch_size: int, num_images: int, device: torch.device) -> float:
    """Return what the second round of the tutorial side takes; runs in a process of its own."""
    torch.set_num_threads(1)
    train_epoch = tutorial(recipe(channels, batch_size), pictures(folder, num_images, device)[0], device)
    train_epoch()
    return seconds(train_epoch)


def measure(channels: int, batch_size: int, repeats: int, folder: Path | None, device: torch.device) -> dict[str, Any]:
    """Train both sides in turn; return images per second, their ratio, and where our time goes."""
    blocks, num_images = NETWORKS[channels]
    num_images = max(num_images, batch_size)
    training = Training(recipe(channels, batch_size), pictures(folder, num_images, device)[0], device)
    shares = Shares(time.process_time)
    rates: dict[str, list[float]] = {"ours": [], "tutorial": []}
    spent: dict[str, list[float]] = defaultdict(list)
    for number in range(repeats + 1):
        shares.seconds.clear()
        with watched(training, shares):
            ours_s = seconds(training.train_epoch)
        with tempfile.TemporaryDirectory() as scratch:
            saving_s = seconds(lambda scratch=scratch: training.save(Path(scratch) / "checkpoint"))  # type: ignore[misc]  # mypy infers no defaults of lambdas
        if number == 0:
            continue
        # A fresh process each time: how often glibc gives memory back differs from one to the next, and its speed with it.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
            tutorial_s = other.submit(tutorial_seconds, folder, channels, batch_size, num_images, device).result()
        rates["ours"].append(num_images / (ours_s - shares.seconds["evaluation"]))
        rates["tutorial"].append(num_images / tutorial_s)
        parts = {"checkpoint": saving_s * num_images / EPOCH_IMAGES, **shares.seconds}
        parts["rest"] = ours_s - sum(shares.seconds.values())
        total_s = sum(parts.values())
        for part, part_s in parts.items():
            spent[part].append(part_s / total_s)
        spent["beside_the_network"].append(1 - (parts["forward"] + parts["backward"]) / total_s)
    other.shutdown()
    ratios = [ours / tutorial for ours, tutorial in zip(rates["ours"], rates["tutorial"], strict=True)]
    return {
        "blocks": blocks,
        "channels": channels,
        "batch_size": batch_size,
        "precision": training.number_format,
        "ours_images_per_s": spread(rates["ours"]),
        "tutorial_images_per_s": spread(rates["tutorial"]),
        "ratio": spread(ratios),
        "shares_of_our_epoch": {part: spread(values) for part, values in spent.items()},
    }


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time that a piece of work takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def recipe(channels: int, batch_size: int) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "model": {"family": "resnet", "blocks": NETWORKS[channels][0], "channels": channels},
            "data": {"name": "cifar10"},
            "augment": {"crop": 4, "flip": True},
            "batch_size": batch_size,
            "lr": 0.01,
            "max_epochs": 1000,
        }
    )


def pictures(folder: Path | None, num_images: int, device: torch.device) -> tuple[TrainingData, str]:
    """Return CIFAR-10 from a folder, else noise of its shape; and which of the two."""
    num_val = round(num_images * VALIDATION)
    if folder is not None:
        return resident(
            DataConfig(name="parquet", path=str(folder.absolute()), validation=num_val, train_examples=num_images), device
        ), "CIFAR-10"
    return generated(num_images, num_val, device), "generated images"


def generated(num_images: int, num_val: int, device: torch.device) -> TrainingData:
    """Return noise of CIFAR-10's shape."""
    generator = torch.Generator().manual_seed(0)
    images_NHWC = torch.randint(0, 256, (num_images + num_val, 32, 32, 3), dtype=torch.uint8, generator=generator).to(device)
    labels_N = torch.randint(0, 10, (num_images + num_val,), generator=generator).to(device)
    return TrainingData(
        train_images_NHWC=images_NHWC[:num_images],
        train_labels_N=labels_N[:num_images],
        val_images_NHWC=images_NHWC[num_images:],
        val_labels_N=labels_N[num_images:],
        mean=(127.5,) * 3,
        std=(73.9,) * 3,
        class_names=tuple("0123456789"),
        fingerprint="generated",
    )


def in_words(row: dict[str, Any]) -> str:
    """Return the figures of one network and batch size in a line."""
    line = f"{row['channels']:3} channels, batch {row['batch_size']:3}: {row['ours_images_per_s']['mean']:7.1f} images/s, "
    line += f"{row['ratio']['mean']:.2f} (sd {row['ratio']['sd']:.2f}) times the tutorial loop"
    return f"{line}, {row['shares_of_our_epoch']['beside_the_network']['mean']:.1%} beside the network"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[16, 64, 128, 256])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--data", type=Path, help="folder of CIFAR-10 as train*.parquet and test*.parquet")
    options = parser.parse_args()
    if options.repeats < 2:
        parser.error(f"--repeats: {options.repeats}, must be at least 2, for a standard deviation")
    if options.data is not None and not options.data.is_dir():
        parser.error(f"--data: {options.data}, must be a folder; leave it out for generated images")
    started = records.start()
    device = torch.device("cpu")
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = []
    for channels in options.channels:
        for batch_size in options.batch_sizes:
            rows.append(row := measure(channels, batch_size, options.repeats, options.data, device))
            print(in_words(row), file=sys.stderr, flush=True)
    about = started.about(n=options.repeats, settings=vars(options))
    images = pictures(options.data, 1000, device)[1]
    records.show({"about": about | {"threads": 1, "measured": "processor time", "images": images}, "networks": rows})


if __name__ == "__main__":
    main()
