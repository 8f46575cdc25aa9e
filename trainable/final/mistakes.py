"""Images that a finished network takes for something else, small enough to be shown beside its figures.

They are validation images, never test images: who looks at those begins to fit to them, and the next figure is worth less.

Shapes: N images, H height, W width, C channels, K classes.
"""

import base64
import io
from typing import Any

import torch
from PIL import Image
from torch import nn

from trainable.data.resident import TrainingData
from trainable.final.choices import logits

MISTAKES = "mistakes.json"

MOST = 24  # images; the surest of the mistakes
SIDE = 64  # pixels of the longer side, at most
LOSSLESS = 32  # up to this side as PNG, 3 kB at the very most; larger ones as JPEG, about as much
QUALITY = 90  # of JPEG


def mistakes(module: nn.Module, data: TrainingData, *, temperature: float, learned_from_all: bool) -> dict[str, Any]:
    """Return the content of `mistakes.json`: see `chosen`.

    Args:
        module: On the device of the data.
        data: What it was trained on.
        temperature: What its logits are divided by before they are probabilities.
        learned_from_all: Whether it has seen the validation images in training; then its mistakes there mean nothing, and none is kept.
    """
    if learned_from_all:
        return {
            "version": 1,
            "split": "validation",
            "learned_from": True,
            "examples": len(data.val_labels_N),
            "mistakes": None,
            "images": [],
        }
    probabilities_NK = (logits(module, data.val_images_NHWC, data).double() / temperature).softmax(dim=1)
    return chosen(probabilities_NK, data.val_images_NHWC, data.val_labels_N, data.class_names)


def chosen(
    probabilities_NK: torch.Tensor, images_NHWC: torch.Tensor, labels_N: torch.Tensor, class_names: tuple[str, ...]
) -> dict[str, Any]:
    """Return how many images are taken for another class, and the MOST of them about which the network is surest, the surest first.

    Args:
        probabilities_NK: What the network says.
        images_NHWC: uint8, of the validation split; one channel or three.
        labels_N: int64, what they are.
        class_names: One a class.

    Returns:
        version, split, learned_from (whether the network has learned from them), examples, mistakes (how many in all), and images: `number`
        (its place in the split, 0-based), `true`, `predicted`, `confidence` (probability of the predicted class), `of_true` (probability of
        the true one) and `image`, a `data:` address.
    """
    confidence_N, predicted_N = probabilities_NK.max(dim=1)
    wrong_M = (predicted_N != labels_N).nonzero().squeeze(1)
    surest_M = wrong_M[confidence_N[wrong_M].argsort(descending=True, stable=True)][:MOST]
    kept = [
        {
            "number": number,
            "true": class_names[int(labels_N[number])],
            "predicted": class_names[int(predicted_N[number])],
            "confidence": float(confidence_N[number]),
            "of_true": float(probabilities_NK[number, labels_N[number]]),
            "image": thumbnail(images_NHWC[number]),
        }
        for number in surest_M.tolist()
    ]
    return {
        "version": 1,
        "split": "validation",
        "learned_from": False,
        "examples": len(labels_N),
        "mistakes": len(wrong_M),
        "images": kept,
    }


def thumbnail(image_HWC: torch.Tensor) -> str:
    """Return an image of one channel or three, uint8, as a `data:` address: as it is where it is small, else reduced to SIDE."""
    pixels_HWC = image_HWC.cpu().numpy()
    picture = Image.fromarray(pixels_HWC.squeeze(2) if pixels_HWC.shape[2] == 1 else pixels_HWC)
    picture.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    kind = "png" if max(picture.size) <= LOSSLESS else "jpeg"
    if kind == "png":
        picture.save(written, "png", optimize=True)
    else:
        picture.save(written, "jpeg", quality=QUALITY)
    return f"data:image/{kind};base64,{base64.b64encode(written.getvalue()).decode()}"
