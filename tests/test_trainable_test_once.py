"""The test split is opened by the last stage of a final alone, once."""

import ast
import json
from pathlib import Path

import pytest
from pictures import CPU, recipe, write_parquet

import trainable.data.cache as cache
from trainable.config.train import TrainConfig
from trainable.data.images import Images, Split
from trainable.data.resident import resident
from trainable.errors import DataError, TestedAlready
from trainable.final import test_once as stage
from trainable.final.finish import finish
from trainable.final.runs import Run
from trainable.training import Training

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Run]]:
    """Two seeds of a final, trained and exported, not tested."""
    folder = tmp_path_factory.mktemp("final")
    write_parquet(folder / "data")
    write_parquet(folder / "data", name="test-00000", num_images=30, seed=1)
    found = {}
    for seed in (0, 1):
        config = recipe(data={"name": "parquet", "path": str(folder / "data"), "validation": 12}, max_epochs=6, seed=seed)
        training = Training(config, resident(config.data, CPU), CPU)
        for _ in range(6):
            training.train_epoch()
        export = folder / "trials" / str(seed) / "export"
        found[str(seed)] = Run(config, export, finish(training, export).weights)
    return folder, found


class Door:
    """Counts how often each split is opened, and whether it may be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, broken: bool = False) -> None:
        self.opened: list[Split] = []
        original = cache.decoded

        def decoded(config: object, split: Split) -> tuple[Images, str]:
            self.opened.append(split)
            if broken and split == "test":
                raise DataError("the test images cannot be read")
            return original(config, split)  # type: ignore[arg-type]  # as it was called

        monkeypatch.setattr("trainable.data.test_split.decoded", decoded)
        monkeypatch.setattr("trainable.data.resident.decoded", decoded)


def test_all_runs_are_tested_by_one_opening_and_a_second_call_opens_nothing(
    runs: tuple[Path, dict[str, Run]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = runs
    door = Door(monkeypatch)
    record = stage.read_test_split(found, chosen="1", place=tmp_path, device=CPU, choices={})
    assert door.opened.count("test") == 1
    assert record["chosen"] == "1"
    assert len(record["opened_at"]) == 1
    assert set(record["figures"]) == {"0", "1"}
    assert all(figures["test_examples"] == 30 for figures in record["figures"].values())
    assert record["figures"]["0"] != record["figures"]["1"]
    assert record["figures"]["1"]["test_accuracy"] > 0.8
    assert (
        stage.read_test_split(found, chosen="1", place=tmp_path, device=CPU, choices={})
        == record
        == json.loads((tmp_path / "test.json").read_bytes())
    )
    assert door.opened.count("test") == 1


def test_other_weights_or_another_choice_are_refused_after_the_split_was_read(
    runs: tuple[Path, dict[str, Run]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = runs
    stage.read_test_split(found, chosen="1", place=tmp_path, device=CPU, choices={})
    door = Door(monkeypatch)
    retrained = {**found, "0": Run(found["0"].config, found["0"].folder, "other weights")}
    for asked, chosen in ((found, "0"), (retrained, "1"), ({"1": found["1"]}, "1")):
        with pytest.raises(TestedAlready, match=r"the test split was read at 20.* for other weights of this final, and is read once"):
            stage.read_test_split(asked, chosen=chosen, place=tmp_path, device=CPU, choices={})
    assert door.opened == []


def test_reading_is_written_down_before_it_happens_and_a_killed_one_counts(
    runs: tuple[Path, dict[str, Run]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = runs
    with monkeypatch.context() as patch:
        Door(patch, broken=True)
        with pytest.raises(DataError, match="cannot be read"):
            stage.read_test_split(found, chosen="1", place=tmp_path, device=CPU, choices={})
    before = json.loads((tmp_path / "test.json").read_bytes())
    assert (before["chosen"], before["figures"], len(before["opened_at"])) == ("1", None, 1)
    after = stage.read_test_split(found, chosen="1", place=tmp_path, device=CPU, choices={})
    assert len(after["opened_at"]) == 2
    assert after["figures"]


def test_training_evaluating_and_exporting_open_the_training_split_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's test split is no Parquet file at all: whoever opens it fails."""
    write_parquet(tmp_path / "data")
    (tmp_path / "data" / "test-00000.parquet").write_bytes(b"nobody may open this")
    config = recipe(data={"name": "parquet", "path": str(tmp_path / "data"), "validation": 12}, max_epochs=1)
    door = Door(monkeypatch)
    training = Training(config, resident(config.data, CPU), CPU)
    training.train_epoch()
    training.save(tmp_path / "checkpoint")
    finish(training, tmp_path / "export")
    assert "test" not in door.opened
    with pytest.raises(DataError):
        stage.read_test_split({"a": Run(config, tmp_path / "export", "w")}, chosen="a", place=tmp_path, device=CPU, choices={})


def test_no_other_module_names_the_door_or_asks_for_the_test_images() -> None:
    """import-linter forbids the import; this forbids the way around it, `decoded(config, "test")`."""
    askers, importers = set(), set()
    for path in ROOT.glob("*/**/*.py"):
        name = str(path.relative_to(ROOT))
        if name.split("/")[0] not in ("search_spaces", "trainable", "tuner", "results", "benchmarks"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and any(isinstance(one, ast.Constant) and one.value == "test" for one in node.args):
                askers.add(name)
            if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("test_split"):
                importers.add(name)
    assert askers == {"trainable/data/test_split.py"}
    assert importers == {"trainable/final/test_once.py", "trainable/final/scores.py"}


def test_training_on_all_adds_the_validation_images_and_stays_the_same_otherwise() -> None:
    content = recipe().model_dump(mode="json")
    all_of_it = TrainConfig.model_validate({**content, "data": {"name": "digits", "validation": 100, "train_on": "all"}})
    part = TrainConfig.model_validate({**content, "data": {"name": "digits", "validation": 100}})
    whole, usual = resident(all_of_it.data, CPU), resident(part.data, CPU)
    assert len(whole.train_labels_N) == len(usual.train_labels_N) + 100
    assert len(whole.val_labels_N) == 100
    assert whole.fingerprint == usual.fingerprint
    assert part.hash() != all_of_it.hash()
