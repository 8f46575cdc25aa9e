"""What holds for every family: fields and arguments agree, it trains through the loop, its export computes the same."""

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from pictures import CPU, random_data, recipe

from trainable import family
from trainable.config.builder import BuilderConfig
from trainable.config.model import ModelConfig
from trainable.data.resident import TrainingData
from trainable.final.export import export
from trainable.training import Training

MODELS: dict[str, dict[str, Any]] = {
    "resnet": {"family": "resnet", "blocks": [1, 1], "channels": 8, "stem_layers": 2, "pool": 2, "activation": "leaky_relu", "se_ratio": 4,
               "norm": "group", "zero_init": True, "block_dropout": 0.1, "dropout": 0.1},
    "preact": {"family": "preact", "blocks": [1, 1], "channels": 4, "activation": "silu", "block_dropout": 0.1},
    "wide_resnet": {"family": "wide_resnet", "depth": 10, "width": 1, "dropout": 0.2},
    "vgg": {"family": "vgg", "layout": "A"},
    "vgg without norm": {"family": "vgg", "layout": "A", "norm": "none", "activation": "elu"},
}  # fmt: skip
# Run where only the export is on the path; argument: the images.
PROGRAM = """
import json, sys
import torch
torch.set_num_threads(1)
before = set(sys.modules)
import model
strangers = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
images = torch.load("images.pt")
print(json.dumps({"strangers": sorted(strangers), "logits": model.logits(model.load(), images).tolist()}))
"""


def exported_logits(training: Training, folder: Path) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    """Return logits of the network in training and of its export in a fresh process, and what the latter imported besides torch."""
    export(training.module, training.config, training.data, folder / "export")
    images = training.data.val_images_NHWC
    torch.save(images, folder / "images.pt")
    start = f"import sys; sys.path.insert(0, {str(folder / 'export')!r}); sys.dont_write_bytecode = True\n"
    process = subprocess.run([sys.executable, "-W", "error", "-I", "-c", start + PROGRAM], capture_output=True, text=True, cwd=folder)
    assert process.returncode == 0, process.stderr
    seen = json.loads(process.stdout)
    training.module.eval()
    with torch.inference_mode():
        return training.module(training.normalize(images)), torch.tensor(seen["logits"]), seen["strangers"]


def trained(model: dict[str, Any], data: TrainingData) -> Training:
    torch.set_num_threads(1)
    training = Training(recipe(model=model, lr=0.01), data, CPU)
    training.train_epoch()
    return training


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_family_trains_and_its_export_computes_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    training = trained(MODELS[name], random_data(channels=3, num_train=32, num_val=8))
    expected, seen, strangers = exported_logits(training, tmp_path)
    assert torch.equal(seen, expected)
    assert strangers == ["model"]


def test_every_family_has_its_module() -> None:
    named = [get_args(config)[0] for config in get_args(get_args(ModelConfig)[0])]
    assert [get_args(config.model_fields["family"].annotation)[0] for config in named if config is not BuilderConfig] == list(
        family.FAMILIES
    )


@pytest.mark.parametrize("name", family.FAMILIES)
def test_fields_of_a_family_are_the_arguments_of_its_module_with_the_same_defaults(name: str) -> None:
    config = next(
        config
        for part in get_args(get_args(ModelConfig)[0])
        if name in get_args((config := get_args(part)[0]).model_fields["family"].annotation)
    )
    fields = {key: field.get_default() for key, field in config.model_fields.items() if key not in ("family", "label", "dropout")}
    signature = inspect.signature(family.FAMILIES[name]).parameters
    given = {"in_channels", "num_classes", "dropout", "image_size"}
    assert set(fields) == set(signature) - given
    for key, default in fields.items():
        if not config.model_fields[key].is_required():
            assert signature[key].default == default, key
        else:
            assert signature[key].default is inspect.Parameter.empty, key
