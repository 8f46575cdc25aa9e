"""What a final hands over: files a stranger can use, checksums that hold, figures that come out again."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import object_stores
import onnx
import onnxruntime
import pytest
import torch
from deliveries import delivered, finished_sweep
from object_stores import machine
from PIL import Image

from results.storage import Storage
from trainable.config.data import DataConfig
from trainable.data.resident import resident
from trainable.final.published import load
from tuner.errors import SweepFailed, UsageError
from tuner.verify import find_final, verify

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
DIGITS = DataConfig(name="digits", validation=200, train_examples=600)


@pytest.fixture(scope="module")
def final(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    return delivered(finished_sweep(tmp_path_factory.mktemp("delivered")))


@pytest.fixture
def copied(final: Storage, tmp_path: Path) -> Storage:
    """The whole sweep elsewhere, so that a test may damage it."""
    shutil.copytree(final.root.parents[2], tmp_path / "runs")
    return Storage(tmp_path / "runs" / "tiny" / "finals" / final.root.name)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return resident(DIGITS, CPU).val_images_NHWC[:20]


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from tuner.cli.main import main; main()", *arguments],
        capture_output=True, text=True, cwd=cwd, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def read(final: Storage, name: str) -> Any:
    return json.loads(final.read(name))


def test_readme_programs_run_as_they_stand_with_this_folder_alone(final: Storage, images: torch.Tensor, tmp_path: Path) -> None:
    programs = re.findall(r"```python\n(.*?)```", final.read("README.md").decode(), re.DOTALL)
    assert len(programs) == 2
    model = load(final.root, CPU)
    shares = model.probabilities(images[:3])
    for number, image in enumerate(images[:3]):
        Image.fromarray(image.squeeze(2).numpy()).save(tmp_path / f"{number}.pgm")
    shutil.copytree(final.root, tmp_path / "alone", ignore=shutil.ignore_patterns("trials", "journal"))
    start = f"import sys; sys.path.insert(0, {str(tmp_path / 'alone')!r}); sys.dont_write_bytecode = True\n"
    check = "assert not {'trainable', 'tuner', 'results', 'safetensors'} & set(sys.modules), 'something of ours'\n"
    for program in programs:
        done = subprocess.run(
            [sys.executable, "-I", "-c", start + program + check, *(f"{number}.pgm" for number in range(3))],
            capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": "", "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        expected = [f"{number}.pgm {model.classes[int(row.argmax())]} {float(row.max()):.4f}" for number, row in enumerate(shares)]
        assert done.stdout.splitlines() == expected


def test_programs_answer_any_number_of_images_as_model_py_does_and_hold_the_preprocessing(final: Storage, images: torch.Tensor) -> None:
    expected_NK = load(final.root, CPU).logits(images)
    about = read(final, "preprocessing.json")
    assert about["classes"] == [str(digit) for digit in range(10)]
    assert (about["height"], about["width"], about["channels"], about["mode"]) == (8, 8, 1, "L")

    extra = {"preprocessing.json": ""}
    program = torch.export.load(final.path("model.pt2"), extra_files=extra).module()
    session = onnxruntime.InferenceSession(str(final.path("model.onnx")), providers=["CPUExecutionProvider"])
    for number in (1, 20):
        with torch.inference_mode():
            assert torch.allclose(program(images[:number]), expected_NK[:number], atol=1e-5)
        (seen,) = session.run(None, {"images": images[:number].numpy()})
        assert np.allclose(seen, expected_NK[:number], atol=1e-5)
    stored = onnx.load(str(final.path("model.onnx")))
    assert [opset.version for opset in stored.opset_import if not opset.domain] == [20]
    assert json.loads({prop.key: prop.value for prop in stored.metadata_props}["preprocessing.json"]) == about
    assert json.loads(extra["preprocessing.json"]) == about
    assert read(final, "metrics.json")["programs"]["model.onnx"]["opset"] == 20


def test_metrics_hold_what_the_test_says_in_detail_and_the_card_tells_it(final: Storage) -> None:
    metrics = read(final, "metrics.json")
    test = metrics["test"]
    assert test["plain"]["accuracy"] == metrics["test_accuracy"]
    assert test["plain"]["loss"] == metrics["test_loss"]
    assert test["views"]["accuracy"] == metrics["test_accuracy_views"]
    assert sum(map(sum, test["confusion"])) == metrics["test_examples"] == sum(row["examples"] for row in test["per_class"])
    assert test["calibrated"]["temperature"] == metrics["validation"]["views"]["plain"]["temperature"]
    assert [row["images"] for row in metrics["speed"]["batches"]] == [1, 256]
    card = final.read("README.md").decode()
    assert f"| as it is | {test['plain']['accuracy']:.2%} |" in card
    assert card.count("\n| ") > 12


def test_checksums_hold_by_the_tool_everybody_has(final: Storage) -> None:
    done = subprocess.run(["sha256sum", "-c", "--strict", "checksums.sha256"], cwd=final.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    names = {line.rpartition("  ")[2] for line in final.read("checksums.sha256").decode().splitlines()}
    assert names == {
        "README.md", "lineage.json", "metrics.json", "mistakes.json", "model.onnx", "model.pt2", "model.py", "model.safetensors",
        "preprocessing.json",
    }  # fmt: skip


def test_figures_come_out_again_to_the_last_digit(final: Storage) -> None:
    before = read(final, "test.json")
    told = call("verify", final.root.name, cwd=final.root.parents[3])
    assert (told.returncode, told.stderr) == (0, "")
    assert "files: as they were written" in told.stdout
    assert "200 images; the same to the last digit" in told.stdout
    assert read(final, "test.json") == before, "the test split was left alone"


def test_test_split_is_read_again_only_when_asked_and_every_look_is_counted(copied: Storage) -> None:
    found = verify(copied, test=True)
    assert found.good
    assert [(one.split, one.same) for one in found.compared] == [("validation", True), ("test", True)]
    assert len(read(copied, "test.json")["opened_at"]) == 2
    assert len(read(copied, "lineage.json")["test_split"]["readings"]) == 2
    assert verify(copied).good, "the checksums know of it"


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("model.safetensors", lambda file: file.write_bytes(file.read_bytes()[:-1] + b"\0"), "model.safetensors has changed"),
        ("model.py", lambda file: file.unlink(), None),
        ("model.onnx", lambda file: file.unlink(), "model.onnx is gone"),
    ],
)
def test_damaged_file_is_named(copied: Storage, name: str, damage: Any, said: str | None) -> None:
    damage(copied.path(name))
    told = call("verify", str(copied.root), cwd=copied.root)
    assert told.returncode == (2 if said is None else 1)
    assert (said or "no finished model there") in told.stdout + told.stderr


def test_other_figures_than_were_told_are_not_agreed_with(copied: Storage) -> None:
    from tuner import delivery

    metrics = read(copied, "metrics.json")
    metrics["check"]["accuracy"] += 0.02
    delivery.publish(copied, {"metrics.json": json.dumps(metrics).encode()})
    assert not verify(copied).good
    told = call("verify", str(copied.root), cwd=copied.root)
    assert told.returncode == 1
    assert "NOT what it was" in told.stdout


def test_changed_training_images_and_missing_checksums_are_told(copied: Storage) -> None:
    from tuner import delivery

    told = read(copied, "lineage.json")
    told["data"]["train_fingerprint"] = "0" * 64
    delivery.publish(copied, {"lineage.json": json.dumps(told).encode(), "metrics.json": copied.read("metrics.json")})
    with pytest.raises(SweepFailed, match=r"must be 000000000000: they have changed since"):
        verify(copied)
    copied.path("checksums.sha256").unlink()
    with pytest.raises(SweepFailed, match="an older release made this final"):
        verify(copied)


def test_final_on_an_object_store_is_verified_from_a_machine_that_has_nothing(final: Storage, tmp_path: Path) -> None:
    sweep = final.root.parents[1]
    with object_stores.server(), machine(tmp_path):
        for file in sweep.rglob("*"):
            if file.is_file():
                object_stores.client().upload_file(str(file), "sweeps", f"team/tiny/{file.relative_to(sweep)}")
        address = f"s3://sweeps/team/tiny/finals/{final.root.name}"
        assert verify(find_final(address, Path("runs")), test=True).good
        object_stores.forget()
        with machine(tmp_path / "another"):
            place = find_final(address, Path("runs"))
            assert len(read(place, "test.json")["opened_at"]) == 2
            assert len(read(place, "lineage.json")["test_split"]["readings"]) == 2
            assert verify(place).good


def test_final_is_found_by_its_folder_its_id_and_its_place_in_a_sweep(final: Storage) -> None:
    runs = final.root.parents[2]
    for argument in (str(final.root), final.root.name, f"tiny/finals/{final.root.name}"):
        assert find_final(argument, runs).root == final.root
    with pytest.raises(UsageError, match="no finished model there"):
        find_final("t99999", runs)


def test_folder_of_images_becomes_a_table_and_unreadable_ones_are_told(final: Storage, images: torch.Tensor, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    plain = images[0].squeeze(2).numpy()
    Image.fromarray(plain).save(folder / "a.png")
    Image.fromarray(np.stack([plain] * 3, 2)).save(folder / "below" / "colour.png")
    Image.fromarray(plain.astype(np.uint16) << 8).save(folder / "deep.png")
    Image.fromarray(plain).resize((64, 48)).save(folder / "large.jpg")
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("left out")
    told = call("predict", str(final.root), "photos", "-o", "answers.csv", cwd=tmp_path)
    assert told.returncode == 1
    assert "4 of 5 images classified: answers.csv" in told.stderr
    assert "photos/broken.png cannot be read: cannot identify image file" in told.stderr
    with (tmp_path / "answers.csv").open(newline="") as opened:
        rows = {row["file"]: row for row in csv.DictReader(opened)}
    assert list(rows) == ["a.png", "below/colour.png", "broken.png", "deep.png", "large.jpg"]
    expected = load(final.root, CPU).probabilities(images[:1])[0]
    assert rows["a.png"]["class"] == str(int(expected.argmax()))
    assert float(rows["a.png"]["probability"]) == pytest.approx(float(expected.max()), abs=1e-5)
    assert rows["a.png"]["class_2"] == str(int(expected.topk(2).indices[1]))
    for same in ("below/colour.png", "deep.png"):
        assert {**rows[same], "file": ""} == {**rows["a.png"], "file": ""}
    assert rows["broken.png"]["class"] == rows["broken.png"]["probability_3"] == ""
    assert rows["broken.png"]["error"]
    (folder / "broken.png").unlink()
    printed = call("predict", str(final.root), "photos", cwd=tmp_path)
    assert printed.returncode == 0
    assert printed.stdout.splitlines()[1].startswith("a.png,")


def test_predicting_nothing_or_into_nowhere_is_refused(final: Storage, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, said in (
        (("empty",), "holds no image"),
        (("nowhere",), "is no folder"),
        (("empty", "-o", "no/such/folder.csv"), "whose folder does not exist"),
    ):
        told = call("predict", str(final.root), *arguments, cwd=tmp_path)
        assert (told.returncode, said in told.stderr) == (2, True), told.stderr


def test_images_that_were_learned_from_choose_nothing_and_are_still_verified(tmp_path: Path) -> None:
    final = delivered(finished_sweep(tmp_path), train_on="all")
    metrics = read(final, "metrics.json")
    assert (metrics["validation"], metrics["val_accuracy"], metrics["test"]["calibrated"]["temperature"]) == ({}, None, 1.0)
    assert metrics["check"]["learned_from"]
    assert verify(final).compared[0].same
