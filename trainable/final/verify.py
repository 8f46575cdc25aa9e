"""A finished model, evaluated again from its files alone, by its own `model.py`.

Shapes: N images, H height, W width, C channels.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from trainable.config.data import DataConfig
from trainable.data.resident import resident
from trainable.errors import DataError
from trainable.final.figures import figures
from trainable.final.package import device_name
from trainable.final.published import Published
from trainable.final.test_once import look_again
from trainable.memory import says_out_of_memory

# On the hardware and the torch that made them the figures come out the same to the last digit. Elsewhere sums are added up in another
# order: a loss may then differ in its sixth digit, and an image whose two best classes are equally likely may fall to the other one.
LOSS_TOLERANCE = 1e-4
IMAGES_TOLERANCE = 2e-3  # share of the images, at least one


@says_out_of_memory
def validation(model: Published, config: DataConfig, *, fingerprint: str | None) -> dict[str, Any]:
    """Return the figures of the held-out images.

    Args:
        model: As it lies in its folder.
        config: Its data, as it was trained.
        fingerprint: Of the training split that it was trained on.

    Raises:
        DataError: The images are not those, or cannot be read.
    """
    data = resident(config, model.device)
    if fingerprint is not None and data.fingerprint != fingerprint:
        raise DataError(
            f"the training images have the fingerprint {data.fingerprint[:12]}, must be {fingerprint[:12]}: they have changed since this "
            "model was trained; put them back"
        )
    return asdict(figures(model.logits(data.val_images_NHWC), data.val_labels_N))


@says_out_of_memory
def test_again(model: Published, place: Path, config: DataConfig, *, written: Callable[[], None]) -> dict[str, Any]:
    """Return the figures of the test split, and have this reading counted; `written` is called when `test.json` says so."""

    def scores(images_NHWC: torch.Tensor, labels_N: torch.Tensor) -> dict[str, Any]:
        return asdict(figures(model.logits(images_NHWC), labels_N))

    return look_again(place, config, model.device, scores, written=written)


test_again.__test__ = False  # type: ignore[attr-defined]  # pytest would take the name for a test


def made_here(device: torch.device, told: dict[str, Any]) -> bool:
    """Say whether figures were made by this kind of hardware and this torch."""
    return bool(told.get("device") == device_name(device) and told.get("torch") == torch.__version__)


def agree(seen: dict[str, Any], told: dict[str, Any]) -> bool:
    """Say whether figures are the same within what another machine may make of them: accuracy, loss, examples."""
    images = max(1.5 / told["examples"], IMAGES_TOLERANCE)
    return bool(
        seen["examples"] == told["examples"]
        and abs(seen["accuracy"] - told["accuracy"]) <= images
        and abs(seen["loss"] - told["loss"]) <= LOSS_TOLERANCE * max(1.0, abs(told["loss"]))
    )
