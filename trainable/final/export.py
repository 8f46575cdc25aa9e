"""A trained network -> files that need nothing of ours: `model.safetensors` and `model.py`; for a user's own network also `code/`.

They are tried before they are published: `model.py` is run as a file, and must compute what the trained network computes.

Shapes: N images, H height, W width, C channels, K classes.
"""

import copy
import runpy
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import nn

from trainable.checkpoint import pack, write_synced
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData
from trainable.errors import ExportError
from trainable.final import standalone
from trainable.final.choices import Choice
from trainable.final.standalone import CODE
from trainable.normalize import Normalize

NUM_TRIED = 64  # validation images that both networks see
# On one processor the two agree to the bit; the limit leaves room for a kernel that depends on how memory is aligned.
LARGEST_DIFFERENCE = 1e-4

# Run as `python -c PROGRAM FOLDER THREADS`.
PROGRAM = """
import sys
from pathlib import Path
folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))
import torch
torch.set_num_threads(int(sys.argv[2]))
import model
torch.save(model.logits(model.load(), torch.load(folder / "images.pt")), folder / "logits.pt")
"""


def export(module: nn.Module, config: TrainConfig, data: TrainingData, folder: Path, choice: Choice | None = None) -> None:
    """Write the files into the folder, each atomically, once they have been tried.

    Args:
        module: The trained network; left as it is.
        config: What it was trained with.
        data: What it was trained on.
        folder: Made if absent; the files are replaced, others stay.
        choice: How the network is asked; as it is by default.

    Raises:
        ExportError: The files do not compute the same logits, or a user's network needs what cannot be bundled; the folder is left
            without them.
    """
    write(module, standalone.files(config, data, choice or Choice()), data, folder)


def write(module: nn.Module, texts: Mapping[str, bytes], data: TrainingData, folder: Path) -> None:
    """Write `model.safetensors` and the texts, among them `model.py`. Arguments and errors as in `export`."""
    partial = folder / ".export.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write_synced(partial / "model.safetensors", pack(module.state_dict()))
    for name, text in texts.items():
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        write_synced(partial / name, text)
    _try(partial, module, data)
    for name in ("model.safetensors", *texts):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (partial / name).replace(folder / name)
    shutil.rmtree(partial)


def _try(folder: Path, module: nn.Module, data: TrainingData) -> None:
    """Raise ExportError where the files in the folder and the trained network disagree about an image."""
    cpu = torch.device("cpu")
    images_NHWC = data.val_images_NHWC[:NUM_TRIED].to(cpu)
    trained = copy.deepcopy(module).to(cpu).eval()
    with torch.inference_mode():
        expected_NK = trained(Normalize(data.mean, data.std, cpu)(images_NHWC))
    seen_NK = _logits(folder, images_NHWC)
    difference = float((seen_NK - expected_NK).abs().max())
    if not difference <= LARGEST_DIFFERENCE:  # a nan is no agreement
        raise ExportError(
            f"{folder}: the logits of model.py differ by up to {difference:.3g} from the trained network's, must be within "
            f"{LARGEST_DIFFERENCE}; nothing was published, please report this"
        )


def _logits(folder: Path, images_NHWC: torch.Tensor) -> torch.Tensor:
    """Return logits_NK that the exported files compute."""
    if not (folder / CODE).exists():
        exported = runpy.run_path(str(folder / "model.py"))  # as a file of its own, and without leaving byte code behind
        logits_NK: torch.Tensor = exported["logits"](exported["load"](), images_NHWC)
        return logits_NK
    # The user's modules are imported in this process already, from elsewhere: a fresh one finds those of the export, or none.
    torch.save(images_NHWC, folder / "images.pt")
    command = [sys.executable, "-I", "-B", "-c", PROGRAM, str(folder), str(torch.get_num_threads())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ExportError(f"{folder / 'model.py'} must run by itself: {said[-1] if said else 'it ended without a word'}")
    return cast(torch.Tensor, torch.load(folder / "logits.pt", weights_only=True))
