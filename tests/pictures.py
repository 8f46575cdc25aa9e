"""Tiny image data sets and configurations for the tests of `trainable`."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import nn

from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData

CPU = torch.device("cpu")
CLASSES = ("dark", "bright", "striped")

# Every alteration at once.
ALTERATIONS = {
    "five_crop": 6,
    "crop": 1,
    "crop_border": "reflect",
    "flip": True,
    "vertical_flip": True,
    "brightness": 0.2,
    "contrast": 0.2,
    "saturation": 0.2,
    "grayscale": 0.2,
    "blur": 0.5,
    "cutout": 3,
    "erasing": 0.3,
}


def encode(pixels: np.ndarray[Any, Any], kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=kind)
    return file.getvalue()


def draw(label: int, rng: np.random.Generator, size: int = 8) -> np.ndarray[Any, Any]:
    pixels = rng.integers(0, 80, (size, size, 3)) + (0, 120, 0)[label]
    if label == 2:
        pixels[::2] += 150
    return pixels.astype(np.uint8)


def write_parquet(
    folder: Path,
    *,
    images: Sequence[bytes | None] | None = None,
    labels: Sequence[int | None] | None = None,
    num_images: int = 60,
    name: str = "train-00000",
    class_names: Sequence[str] | None = CLASSES,
    kind: str = "PNG",
    seed: int = 0,
) -> Path:
    """Write one Parquet file in the hub's layout; without class names the types alone say what is what."""
    rng = np.random.default_rng(seed)
    labels = [row % 3 for row in range(num_images)] if labels is None else labels
    images = [encode(draw((label or 0) % 3, rng), kind) for label in labels] if images is None else images
    table = pa.table(
        {
            "img": pa.array([{"bytes": image, "path": None} for image in images], pa.struct({"bytes": pa.binary(), "path": pa.string()})),
            "label": pa.array(labels, pa.int64()),
        }
    )
    if class_names is not None:
        features = {"img": {"_type": "Image"}, "label": {"names": list(class_names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / f"{name}.parquet")
    return folder


def recipe(**changes: Any) -> TrainConfig:
    """Return a configuration that trains on `random_data` in a blink."""
    content = {
        "model": {"blocks": [1, 1], "channels": 4},
        "data": {"name": "digits"},
        "augment": {"crop": 1, "flip": True},
        "batch_size": 16,
        "lr": 0.05,
        "max_epochs": 4,
        "precision": "float32",
    }
    return TrainConfig.model_validate(content | changes)


def random_data(*, num_train: int = 70, num_val: int = 20, channels: int = 1, size: int = 8, seed: int = 0) -> TrainingData:
    """Return images whose brightness tells their class, with noise."""
    generator = torch.Generator().manual_seed(seed)
    labels_N = torch.arange(num_train + num_val) % 3
    noise = torch.randint(0, 100, (num_train + num_val, size, size, channels), generator=generator)
    images_NHWC = (noise + 70 * labels_N[:, None, None, None]).to(torch.uint8)
    return TrainingData(
        train_images_NHWC=images_NHWC[:num_train],
        train_labels_N=labels_N[:num_train],
        val_images_NHWC=images_NHWC[num_train:],
        val_labels_N=labels_N[num_train:],
        mean=(120.0,) * channels,
        std=(64.0,) * channels,
        class_names=CLASSES,
        fingerprint="random",
    )


class Flat(nn.Module):
    """A network that is made for one size of images, as a user's own may be."""

    def __init__(self, *, outputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(64, outputs)

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.head(images_BCHW.flatten(1))
        return logits_BK
