"""How fast a trial trains on a GPU: captured, eager, and beside the plain tutorial loop; where a step's time goes; what the goals say.

    python -m benchmarks.trial_speed_gpu [--data FOLDER] [--channels 8 16 64] [--batch-sizes 16 64 128 512] [--output record.json]

Needs torch, torchvision, numpy, pydantic, safetensors, pyarrow, filelock, pillow, scikit-learn; no ray. FOLDER holds CIFAR-10 as Parquet;
without it the images are generated. About four minutes; after `--seconds` no further network begins, and the record has what there is.

Images per second, wall time, input included, evaluation left out, of epochs after one that is not counted:

    captured   `Training` as production runs it
    eager      the same with SHORTLIST_NO_GRAPHS=1
    tutorial   PIL images, torchvision's transforms, a DataLoader with worker processes, float32, contiguous tensors
    step only  the tutorial's forward, backward and SGD on one batch that is there already: what of it is not input

Shares of a captured step are of the GPU's time, each part replayed alone; what remains of an epoch is launching, order, losses.
Not yet run on a GPU.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from benchmarks import records
from benchmarks.trial_speed import NETWORKS, Pictures, generated, recipe
from trainable import family
from trainable.captured import cuda_graph, stream_of_its_own
from trainable.config.data import DataConfig
from trainable.data.resident import TrainingData, resident
from trainable.evaluate import evaluate
from trainable.loss import mean_loss
from trainable.memory import give_back
from trainable.precision import autocast, float32_products
from trainable.training import Training

TRAIN_IMAGES, VAL_IMAGES = 40_000, 10_000  # of CIFAR-10's training split: 10,000 is what the goal for evaluation speaks of
STEPS = 512  # of an epoch, at most: enough to forget how it began
TUTORIAL_IMAGES = 8192  # its speed is per image
REPLAYS = 50
EPOCHS_OF_A_FINAL, FINAL_IMAGES = 200, 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with train*.parquet and test*.parquet of CIFAR-10")
    parser.add_argument("--channels", type=int, nargs="+", choices=NETWORKS, default=[64, 8, 16])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 512, 16, 128])
    parser.add_argument("--workers", type=int, default=4, help="processes that prepare the tutorial's images")
    parser.add_argument("--epochs", type=int, default=3, help="epochs that count")
    parser.add_argument("--seconds", type=float, default=400.0, help="after which no further network begins")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu shows that the program runs, and nothing else")
    parser.add_argument("--images", type=int, default=TRAIN_IMAGES, help="training images, at most")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    device, started = torch.device(options.device), records.start()
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("--device: cuda, must be a device that is there; on a CPU the program is benchmarks.trial_speed")
    data, images = read(options.data, device)
    record: dict[str, Any] = {
        "about": {},
        "hardware": torch.cuda.get_device_name(device) if device.type == "cuda" else "a CPU: the figures mean nothing",
        "images": images,
        "networks": [],
    }
    for channels in options.channels:
        for batch_size in options.batch_sizes:
            if time.perf_counter() - started.clock > options.seconds:
                record["left_out"] = "networks that did not begin in time"
                continue
            row = measure(channels, batch_size, data, device, options)
            record["networks"].append(row)
            record["about"] = started.about(n=options.epochs, settings=vars(options))
            record["about"]["versions"]["cuda"] = torch.version.cuda
            record["goals"] = goals(record["networks"])
            print(in_words(row), file=sys.stderr, flush=True)
            if options.output:
                options.output.write_text(records.text(record), encoding="utf-8")
    records.show(record)
    for goal in record.get("goals", []):
        print(f"{goal['goal']}: {goal['seen']}, {'met' if goal['met'] else 'not met'}", file=sys.stderr)


def measure(channels: int, batch_size: int, data: TrainingData, device: torch.device, options: argparse.Namespace) -> dict[str, Any]:
    """Train one network by one batch size in each way."""
    num_images = min(options.images, batch_size * STEPS, len(data.train_labels_N))
    some = part(data, num_images)
    rates: dict[str, list[float]] = {}
    seconds_of_an_epoch = parts = evaluation_s = None
    for way, no_graphs in (("captured", "0"), ("eager", "1")):
        give_back()
        with patch.dict(os.environ, {"SHORTLIST_NO_GRAPHS": no_graphs}):
            training = Training(recipe(channels, batch_size), some, device)
        epochs = [training.train_epoch() for _ in range(options.epochs + 1)][1:]
        rates[way] = [metrics.images_per_s for metrics in epochs]
        if way == "captured":
            seconds_of_an_epoch = statistics.fmean(metrics.wall_s for metrics in epochs)
            evaluation_s = evaluation_seconds(training, data)
            parts = shares(training, batch_size, num_images / statistics.fmean(rates[way])) if training._captured.replays else None
        del training
    rates["tutorial"] = tutorial(channels, batch_size, part(data, min(num_images, TUTORIAL_IMAGES)), device, options)
    rates["step only"] = step_only(channels, batch_size, some, device, options.epochs)
    return {
        "channels": channels,
        "blocks": NETWORKS[channels][0],
        "batch_size": batch_size,
        "train_images": num_images,
        "images_per_s": {way: records.spread(values, 1) for way, values in rates.items()},
        "times_tutorial": round(statistics.fmean(rates["captured"]) / statistics.fmean(rates["tutorial"]), 2),
        "times_step_only": round(statistics.fmean(rates["captured"]) / statistics.fmean(rates["step only"]), 2),
        "times_eager": round(statistics.fmean(rates["captured"]) / statistics.fmean(rates["eager"]), 2),
        "epoch_s": seconds_of_an_epoch,
        "evaluation_s": evaluation_s,
        "milliseconds_of_a_step": parts,
        "peak_memory_mib": torch.cuda.max_memory_allocated() // 2**20 if device.type == "cuda" else None,
    }


def shares(training: Training, batch_size: int, epoch_s: float) -> dict[str, float]:
    """Return milliseconds of the parts of a captured step on the GPU; `launching` is what an epoch takes beside them."""
    step, batches, replays = training._step, training._batches, training._captured._replays
    rows_B = torch.arange(batch_size, device=training.device)
    training.module.train()
    with float32_products(training.number_format), stream_of_its_own(training.device):
        images_BCHW, targets = batches(rows_B)

        def forward() -> None:
            with autocast(training.device, training.number_format):
                logits_BK = step.module(images_BCHW)
            mean_loss(logits_BK.float(), targets, 0.0)

        data_ms = milliseconds(cuda_graph(lambda: (batches(rows_B), None)[1], batches.generators))
        forward_ms = milliseconds(cuda_graph(forward, ()))
        batch_ms = milliseconds(replays["first batch"])
        update_ms = milliseconds(replays["update"])
    num_steps = len(training.data.train_labels_N) / batch_size
    rest_ms = 1000 * epoch_s / num_steps - batch_ms - update_ms
    parts = {"data": data_ms, "forward": forward_ms, "backward": batch_ms - data_ms - forward_ms, "update": update_ms, "launching": rest_ms}
    return {name: round(value, 4) for name, value in parts.items()}


def milliseconds(work: Callable[[], None]) -> float:
    """Return what a replay takes, one after another."""
    work()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(REPLAYS):
        work()
    torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - started) / REPLAYS


def evaluation_seconds(training: Training, data: TrainingData) -> float:
    """Return what the validation images take, 10,000 of them, the second time."""
    for _ in range(2):
        started = time.perf_counter()
        evaluate(
            training.evaluated,
            data.val_images_NHWC,
            data.val_labels_N,
            normalize=training.normalize,
            number_format=training.number_format,
        )
    return time.perf_counter() - started


def tutorial(channels: int, batch_size: int, data: TrainingData, device: torch.device, options: argparse.Namespace) -> list[float]:
    """Return images per second of epochs of the tutorial loop."""
    module, optimizer = network(channels, batch_size, data, device)
    loader = DataLoader(
        Pictures(data),
        batch_size=batch_size,
        shuffle=True,
        num_workers=options.workers,
        pin_memory=device.type == "cuda",
        persistent_workers=options.workers > 0,
    )
    rates = []
    for _ in range(options.epochs + 1):
        started, total = time.perf_counter(), 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = cross_entropy(module(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            total += loss.item()
        rates.append(len(data.train_labels_N) / (time.perf_counter() - started))
    return rates[1:]


def step_only(channels: int, batch_size: int, data: TrainingData, device: torch.device, repeats: int) -> list[float]:
    """Return images per second of the tutorial's step on a batch that is on the device already, its loss read each time."""
    module, optimizer = network(channels, batch_size, data, device)
    images = torch.rand((batch_size, 3, 32, 32), device=device)
    labels = torch.zeros(batch_size, dtype=torch.int64, device=device)
    num_steps = min(100, len(data.train_labels_N) // batch_size)
    rates = []
    for _ in range(repeats + 1):
        started, total = time.perf_counter(), 0.0
        for _ in range(num_steps):
            optimizer.zero_grad()
            loss = cross_entropy(module(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        rates.append(num_steps * batch_size / (time.perf_counter() - started))
    return rates[1:]


def network(channels: int, batch_size: int, data: TrainingData, device: torch.device) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    config = recipe(channels, batch_size)
    module = family.build(config.model, image=data.image, num_classes=data.num_classes, dropout=0.0).to(device)
    return module, torch.optim.SGD(module.parameters(), lr=config.lr, momentum=0.9)


def read(folder: Path | None, device: torch.device) -> tuple[TrainingData, str]:
    """Return CIFAR-10 from a folder, else noise of its shape; and which of the two."""
    if folder is None:
        return generated(TRAIN_IMAGES, VAL_IMAGES, device), "generated images"
    config = DataConfig(name="parquet", path=str(folder), validation=VAL_IMAGES, train_examples=TRAIN_IMAGES)
    return resident(config, device), "CIFAR-10"


def part(data: TrainingData, num_images: int) -> TrainingData:
    """Return the first training images, and a ninth as many for validation."""
    num_val = max(1, num_images // 9)
    return replace(
        data,
        train_images_NHWC=data.train_images_NHWC[:num_images],
        train_labels_N=data.train_labels_N[:num_images],
        val_images_NHWC=data.val_images_NHWC[:num_val],
        val_labels_N=data.val_labels_N[:num_val],
    )


def goals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the goals for [3,3,3] x 64 channels on one H200 that can be judged by now, with what was seen."""
    large = {row["batch_size"]: row for row in rows if row["channels"] == 64}
    judged = []
    if 512 in large:
        rate, epoch_s = large[512]["images_per_s"]["captured"]["mean"], large[512]["epoch_s"]
        minutes = EPOCHS_OF_A_FINAL * epoch_s * FINAL_IMAGES / large[512]["train_images"] / 60
        judged += [
            ("batch 512: at least 45,000 images/s", f"{rate:.0f}", rate >= 45_000),
            ("200 epochs of 50,000 images in at most 4 minutes", f"{minutes:.1f}, from {epoch_s:.2f} s an epoch", minutes <= 4),
            ("evaluation of 10,000 images in at most 0.1 s", f"{large[512]['evaluation_s']:.3f} s", large[512]["evaluation_s"] <= 0.1),
        ]
    if 64 in large:
        times, step_times = large[64]["times_tutorial"], large[64]["times_step_only"]
        judged += [("batch 64: at least 4 times the tutorial loop", f"{times}, {step_times} times its step alone", times >= 4)]
    return [{"goal": goal, "seen": seen, "met": bool(met)} for goal, seen, met in judged]


def in_words(row: dict[str, Any]) -> str:
    """Return the figures of one network and batch size in a line."""
    rates = ", ".join(f"{way} {values['mean']:.0f} (sd {values['sd']:.0f})" for way, values in row["images_per_s"].items())
    return f"{row['channels']:3} channels, batch {row['batch_size']:3}, images/s: {rates}; ms of a step: {row['milliseconds_of_a_step']}"


if __name__ == "__main__":
    main()
