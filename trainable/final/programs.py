"""A network as programs that other software runs: `model.pt2` (torch.export) and `model.onnx`. Both read pixels and answer logits.

Mean and standard deviation are part of the program; everything a caller must know besides lies in its metadata as `preprocessing.json`.
Neither is needed to use a final, so a network that cannot be traced goes without them, and the reason is told.

Shapes: B batch (any number), H height, W width, C channels, K classes.
"""

import copy
import importlib.util
import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainable.data.resident import TrainingData

OPSET = 20  # of ONNX 1.15, November 2023: what runtimes of the last years read
# How far the logits may be from the network's own. Measured on the networks of this house: 0 and 1e-6; runtimes add up in another order.
LARGEST_DIFFERENCE = 1e-3
NUM_TRIED = 64
NEEDS = ("onnx", "onnxruntime", "onnxscript")
REMEDY = "install it with: pip install 'shortlist[onnx]'"


class Program(nn.Module):
    """The network with its normalization: uint8 images_BHWC in, float32 logits_BK out."""

    mean_C: torch.Tensor
    std_C: torch.Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean_C", torch.tensor(mean))
        self.register_buffer("std_C", torch.tensor(std))

    def forward(self, images_BHWC: torch.Tensor) -> torch.Tensor:
        """Return logits_BK."""
        logits_BK: torch.Tensor = self.network(((images_BHWC.to(torch.float32) - self.mean_C) / self.std_C).permute(0, 3, 1, 2))
        return logits_BK


def write(module: nn.Module, data: TrainingData, preprocessing: dict[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """Write both programs, each once it has been tried on validation images.

    Args:
        module: The trained network, plain; left as it is.
        data: What it was trained on.
        preprocessing: The content of `preprocessing.json`.
        folder: Where they go; a program of an earlier call is replaced or removed.

    Returns:
        File -> `largest_difference` of a logit (and `opset`), or the reason why it is `skipped`.
    """
    program = Program(copy.deepcopy(module).to("cpu", memory_format=torch.contiguous_format), data.mean, data.std).eval()  # type: ignore[call-overload]  # torch has no overload for both
    images_BHWC = data.val_images_NHWC[:NUM_TRIED].to("cpu")
    with torch.inference_mode():
        expected_BK = program(images_BHWC)
    told: dict[str, dict[str, Any]] = {}
    for name in ("model.pt2", "model.onnx"):
        (folder / name).unlink(missing_ok=True)
    try:
        exported = _exported(program, images_BHWC)
    except Exception as error:  # noqa: BLE001  # whatever a user's own network does that cannot be traced
        reason = f"this network cannot be traced by torch.export ({_first_line(error)})"
        return {name: {"skipped": reason} for name in ("model.pt2", "model.onnx")}
    about = json.dumps(preprocessing)
    partial = folder / ".model.partial"
    for name, make in (("model.pt2", _pt2), ("model.onnx", _onnx)):
        if name == "model.onnx" and (missing := [need for need in NEEDS if importlib.util.find_spec(need) is None]):
            told[name] = {"skipped": f"{', '.join(missing)} is not installed; {REMEDY}"}
            continue
        try:
            seen_BK = make(exported, images_BHWC, about, partial)
            difference = float((seen_BK - expected_BK).abs().max())
            if not difference <= LARGEST_DIFFERENCE:
                raise ValueError(f"its logits differ by up to {difference:.3g}, must be within {LARGEST_DIFFERENCE}")
        except OSError:
            raise  # a full disk is no fault of the network
        except Exception as error:  # noqa: BLE001  # an operation without a counterpart, and whatever else a converter raises
            told[name] = {"skipped": f"it could not be made ({_first_line(error)})"}
            partial.unlink(missing_ok=True)
            continue
        _sync(partial)
        partial.replace(folder / name)
        told[name] = {"largest_difference": difference} | ({"opset": OPSET} if name == "model.onnx" else {})
    return told


def _exported(program: Program, images_BHWC: torch.Tensor) -> torch.export.ExportedProgram:
    batch = torch.export.Dim("batch", min=1)
    # Two images: an example of one would make the program one for single images.
    return torch.export.export(program, (images_BHWC[:1].repeat(2, 1, 1, 1),), dynamic_shapes=({0: batch},))


def _pt2(exported: torch.export.ExportedProgram, images_BHWC: torch.Tensor, about: str, file: Path) -> torch.Tensor:
    """Write the program and return its logits of the images."""
    with file.open("wb") as opened:
        torch.export.save(exported, opened, extra_files={"preprocessing.json": about})
    with file.open("rb") as opened, torch.inference_mode():
        logits_BK: torch.Tensor = torch.export.load(opened).module()(images_BHWC)
    return logits_BK


def _onnx(exported: torch.export.ExportedProgram, images_BHWC: torch.Tensor, about: str, file: Path) -> torch.Tensor:
    """Write the model and return the logits that onnxruntime computes of the images."""
    import onnxruntime

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converter's own calls: nothing that a user could mend
        batch = torch.export.Dim("batch", min=1)
        made = torch.onnx.export(
            exported, (images_BHWC[:2],), dynamo=True, opset_version=OPSET, verbose=False, dynamic_shapes=({0: batch},),
            input_names=["images"], output_names=["logits"],
        )  # fmt: skip
    assert made is not None  # None is what the older exporter returns
    made.model.metadata_props["preprocessing.json"] = about
    made.save(str(file), external_data=False)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (logits_BK,) = session.run(None, {"images": images_BHWC.numpy()})
    return torch.from_numpy(logits_BK)


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
