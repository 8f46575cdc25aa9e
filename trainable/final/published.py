"""A finished model as a stranger has it: `model.py` run as a file, with its weights. Knows no recipe.

Shapes: N images, H height, W width, C channels, K classes.
"""

import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainable.errors import ExportError
from trainable.evaluate import BATCH_SIZE
from trainable.precision import float32_products


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """One finished model.

    Attributes:
        module: With its weights, on the device.
        image: Height, width, channels of what it reads.
        classes: Names, in the order of the logits.
        device: Where it computes.
        functions: What `model.py` defines.
    """

    module: nn.Module
    image: tuple[int, int, int]
    classes: tuple[str, ...]
    device: torch.device
    functions: dict[str, Any]

    def logits(self, images_NHWC: torch.Tensor) -> torch.Tensor:
        """Return logits_NK of uint8 images."""
        return self._in_batches(lambda images: self.functions["logits"](self.module, images), images_NHWC)

    def probabilities(self, images_NHWC: torch.Tensor) -> torch.Tensor:
        """Return probabilities_NK of uint8 images, calibrated and averaged as validation chose it."""
        return self._in_batches(lambda images: self.functions["probabilities"](images, self.module), images_NHWC)

    def _in_batches(self, answer: Callable[[torch.Tensor], torch.Tensor], images_NHWC: torch.Tensor) -> torch.Tensor:
        batches = torch.split(images_NHWC, BATCH_SIZE[self.device.type])
        with torch.inference_mode(), float32_products("float32"):
            return torch.cat([answer(images) for images in batches])


def here() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load(folder: Path, device: torch.device) -> Published:
    """Return the model that lies in a folder.

    Raises:
        ExportError: Its files are gone or damaged, or an older release wrote them.
    """
    try:
        functions = runpy.run_path(str(folder / "model.py"))
        module = functions["load"]().to(device)
        functions["probabilities"]  # what an older release did not write
        return Published(module, tuple(functions["IMAGE"]), tuple(functions["CLASSES"]), device, functions)
    except KeyError as error:
        raise ExportError(f"{folder / 'model.py'} has no {error}: an older release wrote it; promote again") from error
    except (OSError, RuntimeError, ValueError, SyntaxError, ImportError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ExportError(f"{folder} cannot be loaded ({reason}); see which file is damaged with: shortlist verify {folder}") from error
