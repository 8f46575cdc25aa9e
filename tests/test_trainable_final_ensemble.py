"""Several networks as one, in one file that needs torch alone: untrained networks, whose answers differ as well as trained ones'."""

import ast
import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from pictures import CPU

from trainable import family
from trainable.checkpoint import pack
from trainable.config.train import TrainConfig
from trainable.data.resident import resident
from trainable.errors import ExportError
from trainable.final import export, standalone, standalone_ensemble
from trainable.final.choices import Choice
from trainable.final.published import load
from trainable.final.runs import Run, loaded, put_together

SMALL = {"blocks": [1], "channels": 8}
MODELS = {
    "resnet": {"family": "resnet", **SMALL},
    "preact": {"family": "preact", **SMALL},
    "wide_resnet": {"family": "wide_resnet", "depth": 10, "width": 1},
}
SHARES = (0.5, 0.3, 0.2)


def run(folder: Path, model: dict[str, Any], *, seed: int, normalize: bool = True) -> Run:
    """Export an untrained network; nothing but its weights and its `model.py` is needed."""
    data = {"name": "digits", "validation": 100, "train_examples": 300}
    config = TrainConfig.model_validate({"model": model, "data": data, "lr": 0.1, "max_epochs": 1, "seed": seed, "normalize": normalize})
    images = resident(config.data, CPU)
    torch.manual_seed(seed)
    network = family.build(config.model, image=images.image, num_classes=images.num_classes, dropout=0.0).eval()
    content = pack(network.state_dict())
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(content)
    found = Run(config, folder, hashlib.sha256(content).hexdigest())
    (folder / "model.py").write_text(standalone.source(config, loaded(found, CPU)[1], Choice()))
    return found


def test_one_file_holds_several_families_and_answers_the_weighted_mean(tmp_path: Path) -> None:
    runs = [run(tmp_path / name, model, seed=seed, normalize=name != "preact") for seed, (name, model) in enumerate(MODELS.items())]
    together = put_together(list(zip(runs, SHARES, strict=True)), tmp_path / "together")
    module, data = loaded(together, CPU)
    choice = Choice(temperature=2.0, views_temperature=2.0)
    export.write(module, standalone_ensemble.files(together, data, choice), data, together.folder)
    model = load(together.folder, CPU)
    images = resident(together.data, CPU).val_images_NHWC[:20]
    mean_NK = sum(share * load(one.folder, CPU).logits(images).softmax(dim=1) for one, share in zip(runs, SHARES, strict=True))
    assert isinstance(mean_NK, torch.Tensor)
    assert torch.allclose(model.logits(images).exp(), mean_NK, atol=1e-6)
    assert torch.allclose(model.probabilities(images), (mean_NK.log() / 2).softmax(dim=1), atol=1e-6)
    text = (together.folder / "model.py").read_text()
    imported = {name.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"collections.abc", "json", "math", "pathlib", "torch", "torch.nn.functional"}


def test_weights_that_are_not_those_that_were_tested_are_refused(tmp_path: Path) -> None:
    first, second = (run(tmp_path / str(seed), MODELS["resnet"], seed=seed) for seed in (0, 1))
    (second.folder / "model.safetensors").write_bytes((first.folder / "model.safetensors").read_bytes())
    with pytest.raises(ExportError, match="has changed since it was tested"):
        put_together([(first, 0.5), (second, 0.5)], tmp_path / "together")
    (second.folder / "model.safetensors").unlink()
    with pytest.raises(ExportError, match="is gone; put it back, or promote"):
        put_together([(first, 0.5), (second, 0.5)], tmp_path / "together")
    assert not (tmp_path / "together").exists()


def test_what_two_families_define_under_one_name_is_the_same_so_that_one_file_can_hold_both() -> None:
    seen: dict[str, tuple[str, str]] = {}
    for file in sorted((Path(standalone.__file__).parents[1] / "models").glob("*.py")):
        for node in ast.parse(file.read_text()).body:
            names = [node.name] if isinstance(node, ast.ClassDef | ast.FunctionDef) else []
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            for name in names:
                other, text = seen.setdefault(name, (file.name, ast.unparse(node)))
                assert text == ast.unparse(node), f"{name} of {file.name} is another one than that of {other}"
    assert "PREACTIVATIONS" in seen
