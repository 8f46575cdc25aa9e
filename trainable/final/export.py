"""A trained network -> two files that need nothing of ours: `model.safetensors` and `model.py`.

They are tried before they are published: `model.py` is run as a file, and must compute what the trained network computes.

Shapes: N images, H height, W width, C channels, K classes.
"""

import copy
import runpy
import shutil
from pathlib import Path

import torch
from torch import nn

from trainable.checkpoint import pack, write_synced
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData
from trainable.errors import ExportError
from trainable.final import standalone
from trainable.normalize import Normalize

NUM_TRIED = 64  # validation images that both networks see
# On one processor the two agree to the bit; the limit leaves room for a kernel that depends on how memory is aligned.
LARGEST_DIFFERENCE = 1e-4


def export(module: nn.Module, config: TrainConfig, data: TrainingData, folder: Path) -> None:
    """Write the two files into the folder, each atomically, once they have been tried.

    Args:
        module: The trained network; left as it is.
        config: What it was trained with.
        data: What it was trained on.
        folder: Made if absent; the two files are replaced, others stay.

    Raises:
        ExportError: The files do not compute the same logits; the folder is left without them.
    """
    partial = folder / ".export.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write_synced(partial / "model.safetensors", pack(module.state_dict()))
    write_synced(partial / "model.py", standalone.source(config, data).encode())
    _try(partial, module, data)
    for name in ("model.safetensors", "model.py"):
        (partial / name).replace(folder / name)
    partial.rmdir()


def _try(folder: Path, module: nn.Module, data: TrainingData) -> None:
    """Raise ExportError where the files in the folder and the trained network disagree about an image."""
    cpu = torch.device("cpu")
    images_NHWC = data.val_images_NHWC[:NUM_TRIED].to(cpu)
    trained = copy.deepcopy(module).to(cpu).eval()
    with torch.inference_mode():
        expected_NK = trained(Normalize(data.mean, data.std, cpu)(images_NHWC))
    exported = runpy.run_path(str(folder / "model.py"))  # as a file of its own, and without leaving byte code behind
    seen_NK = exported["logits"](exported["load"](), images_NHWC)
    difference = float((seen_NK - expected_NK).abs().max())
    if not difference <= LARGEST_DIFFERENCE:  # a nan is no agreement
        raise ExportError(
            f"{folder}: the logits of model.py differ by up to {difference:.3g} from the trained network's, must be within "
            f"{LARGEST_DIFFERENCE}; nothing was published, please report this"
        )
