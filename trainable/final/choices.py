"""How a finished network is asked, chosen on validation alone, before the test split is opened: its temperature, and views to average over.

Shapes: N images, K classes.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from trainable.data.resident import TrainingData
from trainable.evaluate import BATCH_SIZE
from trainable.final import temperature
from trainable.final.figures import figures
from trainable.final.views import SETS, averaged, view
from trainable.normalize import Normalize
from trainable.precision import float32_products


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How a network is asked.

    Attributes:
        temperature: What its logits are divided by; 1.0 where no image was left to fit it on.
        views: A name of `views.SETS`.
        views_temperature: What the averaged logarithms are divided by.
        validation: What validation says: `plain` and `calibrated` figures, and of each set of views accuracy, loss and temperature; empty
            where nothing was chosen.
    """

    temperature: float = 1.0
    views: str = "plain"
    views_temperature: float = 1.0
    validation: dict[str, Any] = field(default_factory=dict)


def choose(module: nn.Module, data: TrainingData, *, learned_from_all: bool) -> Choice:
    """Fit the temperature, and choose views: those under which the validation labels are the likeliest, each with its own temperature.

    Views that classify fewer validation images right than the image alone are out. Six sets are compared on one split: the loss, which
    every image has its part in, decides and not the accuracy, in which they differ by a handful of images.

    Args:
        module: On the device of the data.
        data: What it was trained on.
        learned_from_all: Whether it has seen the validation images in training; then they choose nothing.
    """
    if learned_from_all:
        return Choice()
    labels_N = data.val_labels_N
    names = dict.fromkeys(name for views in SETS.values() for name in views)
    seen = {name: logits(module, data.val_images_NHWC, data, look=name) for name in names}
    candidates = {}
    for name, views in SETS.items():
        logits_NK = seen["plain"] if views == ("plain",) else averaged(torch.stack([seen[one] for one in views]))
        degrees = temperature.fit(logits_NK, labels_N)
        accuracy = figures(logits_NK, labels_N).accuracy
        candidates[name] = {"accuracy": accuracy, "loss": temperature.loss(logits_NK, labels_N, degrees), "temperature": degrees}
    plain = candidates["plain"]
    able = [name for name, one in candidates.items() if one["accuracy"] >= plain["accuracy"]]
    best = min(able, key=lambda name: candidates[name]["loss"])
    return Choice(
        temperature=plain["temperature"],
        views=best,
        views_temperature=candidates[best]["temperature"],
        validation={
            "plain": asdict(figures(seen["plain"], labels_N)),
            "calibrated": asdict(figures(seen["plain"].double() / plain["temperature"], labels_N)),
            "views": candidates,
        },
    )


def logits(module: nn.Module, images_NHWC: torch.Tensor, data: TrainingData, *, look: str = "plain") -> torch.Tensor:
    """Return the float32 logits_NK of a split seen in one way, as the exported files compute them; the module is left evaluating."""
    module.eval()
    normalize = Normalize(data.mean, data.std, images_NHWC.device)
    with torch.inference_mode(), float32_products("float32"):
        return torch.cat(
            [
                module(normalize(images if look == "plain" else view(images, look)))
                for images in torch.split(images_NHWC, BATCH_SIZE[images_NHWC.device.type])
            ]
        )
