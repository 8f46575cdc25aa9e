import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pictures import CPU, random_data, recipe, write_parquet

from trainable.config.data import DataConfig
from trainable.data.resident import resident
from trainable.data.test_split import TestData
from trainable.errors import DataError, ExportError
from trainable.final.export import export
from trainable.final.figures import wilson_interval
from trainable.final.finish import finish
from trainable.final.scores import score
from trainable.training import Training


@pytest.fixture
def training() -> Training:
    torch.set_num_threads(1)
    training = Training(
        recipe(dropout=0.2, model={"label": "a 'quoted' label", "blocks": [1, 2], "channels": 4}), random_data(channels=3), CPU
    )
    training.train_epoch()
    return training


def test_exported_model_computes_the_same_with_torch_alone(training: Training, tmp_path: Path) -> None:
    export(training.module, training.config, training.data, tmp_path / "export")
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == ["model.py", "model.safetensors"]
    images = training.data.val_images_NHWC
    torch.save(images, tmp_path / "images.pt")
    program = """
import json, sys
import torch
torch.set_num_threads(1)
before = set(sys.modules)
import model
imported = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
images = torch.load("images.pt")
net = model.load()
print(json.dumps({
    "imported": sorted(imported), "logits": model.logits(net, images).tolist(), "classes": model.predict(images).tolist(),
    "names": model.CLASSES, "image": model.IMAGE,
}))
"""
    # Isolated: neither this checkout nor the working folder is on the path, only the export.
    start = f"import sys; sys.path.insert(0, {str(tmp_path / 'export')!r}); sys.dont_write_bytecode = True\n"
    process = subprocess.run(
        [sys.executable, "-W", "error", "-I", "-c", start + program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert process.returncode == 0, process.stderr
    seen = json.loads(process.stdout)
    assert seen["imported"] == ["model"]
    assert seen["names"] == list(training.data.class_names)
    assert seen["image"] == [8, 8, 3]
    training.module.eval()
    with torch.inference_mode():
        expected = training.module(training.normalize(images))
    assert torch.equal(torch.tensor(seen["logits"]), expected)
    assert seen["classes"] == expected.argmax(dim=1).tolist()


def test_model_file_begins_with_the_family_file_as_it_is(training: Training, tmp_path: Path) -> None:
    export(training.module, training.config, training.data, tmp_path)
    family = Path(sys.modules["trainable.models.resnet"].__file__ or "")
    assert (tmp_path / "model.py").read_text().startswith(family.read_text())


def test_export_that_computes_something_else_is_not_published(training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainable.final import standalone

    source = standalone.source
    monkeypatch.setattr(standalone, "source", lambda *args: source(*args).replace("MEAN = (", "MEAN = (1 + "))
    with pytest.raises(ExportError, match=r"logits of model\.py differ by up to"):
        export(training.module, training.config, training.data, tmp_path)
    assert not (tmp_path / "model.py").exists()
    assert not (tmp_path / "model.safetensors").exists()


def test_exporting_again_replaces_the_files_and_leaves_others(training: Training, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").touch()
    for _ in range(2):
        export(training.module, training.config, training.data, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json", "model.py", "model.safetensors"]


def test_finish_exports_and_says_which_weights_of_which_epoch(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data")  # without a test split: nobody looks for one here
    config = recipe(data={"name": "parquet", "path": str(tmp_path / "data"), "validation": 12}, max_epochs=2, keep_best=True, lr=1e-9)
    training = Training(config, resident(config.data, CPU), CPU)
    for _ in range(2):
        training.train_epoch()
    exported = finish(training, tmp_path / "export")
    assert exported.epoch == 1
    assert exported.train_fingerprint == training.data.fingerprint
    assert json.loads((tmp_path / "export" / "run.json").read_bytes()) == dataclasses.asdict(exported)
    assert exported.weights == hashlib.sha256((tmp_path / "export" / "model.safetensors").read_bytes()).hexdigest()


def test_scores_are_those_of_the_exported_float32_network(training: Training) -> None:
    data = training.data
    test = TestData(images_NHWC=data.val_images_NHWC, labels_N=data.val_labels_N, class_names=data.class_names, fingerprint="")
    scores, _ = score(training.module, test, data)
    with torch.inference_mode():
        logits = training.module.eval()(training.normalize(data.val_images_NHWC))
    assert scores.test_accuracy == float((logits.argmax(1) == data.val_labels_N).double().mean())
    assert scores.test_loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, data.val_labels_N)), rel=1e-6)


def test_test_split_of_another_kind_is_refused(training: Training) -> None:
    data = training.data
    with pytest.raises(DataError, match="test images are"):
        score(training.module, TestData(torch.zeros(3, 9, 8, 3, dtype=torch.uint8), torch.zeros(3).long(), (), ""), data)
    with pytest.raises(DataError, match="label 3"):
        score(training.module, TestData(data.val_images_NHWC[:1], torch.tensor([3]), (), ""), data)


@pytest.mark.parametrize(
    ("num_right", "total", "interval"),
    # Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_interval_agrees_with_the_published_table(num_right: int, total: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(num_right, total) == pytest.approx(interval, abs=5e-5)


def test_digits_reach_what_is_promised() -> None:
    config = recipe(
        model={"blocks": [1, 1], "channels": 16}, data={"name": "digits", "validation": 0.2}, lr=0.1, batch_size=32, max_epochs=9,
        schedule="cosine", weight_decay=5e-4, augment={"crop": 1}, precision="auto",
    )  # fmt: skip
    training = Training(config, resident(DataConfig(name="digits", validation=0.2), CPU), CPU)
    accuracies = [training.train_epoch().val_accuracy for _ in range(9)]
    assert accuracies[-1] > 0.95
