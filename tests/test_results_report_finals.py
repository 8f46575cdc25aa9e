"""What the page is told of finals: from their files alone, bounded, and whole even where files are damaged or missing."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from results import finals, live, report, report_finals
from results.analysis.frames import Frames
from results.storage import Storage
from tests import demo_finals, recorded
from trainable.final.figures import wilson_interval

NOW = 1_780_100_000.0
FIRST, SECOND = "t00007", "t00001"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    """A sweep with a final in two stages, one that learned from all images, and one at work."""
    storage = recorded.store(tmp_path_factory.mktemp("runs") / "digits", recorded.sweep(10))
    demo_finals.store(storage, FIRST, 0.92, 77_850, num_stages=2)
    demo_finals.store(storage, SECOND, 0.90, 77_850, train_on="all")
    demo_finals.at_work(storage, "t00003", 0.9)
    return storage


@pytest.fixture
def place(stored: Storage, tmp_path: Path) -> Storage:
    """A sweep with one final, whose files a test may spoil."""
    shutil.copytree(stored.root, tmp_path / "digits", ignore=shutil.ignore_patterns(f"{SECOND}-*", "t00003-*"))
    (folder,) = (tmp_path / "digits" / "finals").iterdir()
    return Storage(folder)


def told(storage: Storage) -> list[dict[str, Any]]:
    return report_finals.told(storage, Frames.read(storage))


def of(place: Storage) -> dict[str, Any]:
    """Return what is told of the only final of a sweep; it can always be written as JSON."""
    storage = Storage(place.root.parent.parent)
    (final,) = report.page_data(storage, now=NOW)["finals"]
    json.dumps(final, allow_nan=False)
    return dict(final)


def test_finished_finals_come_first_the_best_on_validation_before_all(stored: Storage) -> None:
    found = told(stored)
    assert [(final["id"].partition("-")[0], final["state"]) for final in found] == [
        (FIRST, "finished"), (SECOND, "finished"), ("t00003", "at work"),
    ]  # fmt: skip
    assert [final["remark"] for final in found] == ["", "", ""]


def test_search_validation_and_test_have_their_intervals(stored: Storage) -> None:
    first, second, _ = told(stored)
    score = recorded_score(stored, FIRST)
    assert (first["search"]["score"], first["search"]["epochs"]) == (score, recorded.MAX_EPOCHS)
    expected = wilson_interval(round(first["val_accuracy"] * 5000), 5000)
    assert (first["val_accuracy_low"], first["val_accuracy_high"]) == pytest.approx(expected, abs=2e-6)
    assert first["test_accuracy_low"] < first["test_accuracy"] < first["test_accuracy_high"]
    assert "val_accuracy_low" not in second, "it has learned from those images"
    assert second["val_accuracy"] is None


def recorded_score(storage: Storage, trial: str) -> float:
    board = Frames.read(storage).board
    return float(board.loc[board["trial"] == trial, "score"].iloc[0])


def test_curves_of_every_seed_and_stage_are_told_and_the_kept_run_is_first(stored: Storage) -> None:
    first, _, working = told(stored)
    assert [(stage["epochs"], stage["runs"]) for stage in first["stages"]] == [(100, 3), (100, 3)]
    assert [(line["seed"], line["kept"]) for line in first["stages"][1]["lines"]] == [(0, True), (1, False), (2, False)]
    assert len(first["stages"][0]["lines"][2]["train_loss"]) == 100
    assert [len(line["val_accuracy"]) for line in working["stages"][0]["lines"]] == [74, 74, 74]


def test_class_stands_out_only_beyond_what_chance_leaves_among_as_many() -> None:
    def rows(hardest: int) -> list[dict[str, Any]]:
        rights = [hardest, *([940] * 9)]
        return [
            {"class": str(i), "examples": 1000, "accuracy": right / 1000, "accuracy_low": 0.0, "accuracy_high": 1.0, "precision": 1.0}
            for i, right in enumerate(rights)
        ]

    assert report_finals._classes(rows(923))["stands_out"] == [False] * 10  # two standard errors: one of ten is often that far off
    assert report_finals._classes(rows(900))["stands_out"] == [True, *[False] * 9]


def test_lineage_goes_from_the_data_to_the_files_with_their_hashes(stored: Storage) -> None:
    first = told(stored)[0]
    assert [step["step"] for step in first["lineage"]] == ["data", "sweep", "trial", "final", "test split", "files"]
    weights = next(fact for fact in first["lineage"][-1]["facts"] if fact[0] == "model.safetensors")
    assert weights[1:] == [demo_finals._hash(f"{first['id']}model.safetensors"), True]


def test_ensemble_is_told_with_its_members_instead_of_a_trial(place: Storage) -> None:
    members = [
        {"final": f"{FIRST}-9ep-{n}", "seed": n, "share": 1 / 6, "parameters": 10, "val_accuracy": 0.9, "weights": f"{n}" * 64}
        for n in range(6)
    ]
    for name, gone in (("metrics.json", ()), ("lineage.json", ("trial", "stages", "config_hash"))):
        content = {key: value for key, value in json.loads(place.read(name)).items() if key not in gone} | {"members": members}
        place.write_atomic(name, json.dumps(content).encode())
    final = of(place)
    assert (final["state"], final["remark"]) == ("finished", "")
    assert [(member["seed"], member["share"]) for member in final["members"]] == [(n, 0.166667) for n in range(6)]
    boxes = [(box["step"], box["name"]) for box in final["lineage"]]
    assert boxes[2:] == [
        *(("member", f"{FIRST}-9ep-{n} seed {n}") for n in range(4)), ("members", "2 more"), ("ensemble", final["id"]),
        ("test split", "read once"), ("files", f"finals/{final['id']}"),
    ]  # fmt: skip


def test_confusions_of_many_classes_are_told_by_the_commonest_pairs() -> None:
    n = report_finals.MOST_CLASSES + 1
    matrix = [[5 if i == j else 0 for j in range(n)] for i in range(n)]
    matrix[3][7], matrix[7][3] = 9, 4
    found = report_finals._confusion(matrix, [str(i) for i in range(n)])
    assert found == {"matrix": None, "pairs": [[3, 7, 9], [7, 3, 4]], "wrong": 13}


def test_images_beyond_what_a_page_bears_are_left_out_and_counted(stored: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = told(stored)[0]["mistakes"]
    assert len(whole["images"]) == 24
    assert sum(len(image["image"]) for image in whole["images"]) < 100_000
    monkeypatch.setattr(report_finals, "MOST_IMAGE_BYTES", 1000)
    short = told(stored)[0]["mistakes"]
    assert short["images"] == []
    assert short["mistakes"] == whole["mistakes"] > 100


@pytest.mark.parametrize(
    "address", ["https://example.org/x.png", "data:image/svg+xml;base64,PHN2Zz4=", 'data:image/png;base64,A" onerror=', 7]
)
def test_only_small_pictures_of_a_known_kind_reach_the_page(place: Storage, address: object) -> None:
    content = json.loads(place.read("mistakes.json"))
    content["images"][0]["image"] = address
    place.write_atomic("mistakes.json", json.dumps(content).encode())
    final = of(place)
    assert len(final["mistakes"]["images"]) == 23
    assert final["mistakes"]["mistakes"] == content["mistakes"]


@pytest.mark.parametrize("name", ["lineage.json", "mistakes.json", "checksums.sha256", "curves.parquet"])
def test_damaged_file_is_named_and_the_rest_is_told(place: Storage, name: str) -> None:
    place.write_atomic(name, b"\xff{")
    if name == "curves.parquet":
        place.path("journal/00000001.jsonl").unlink()
        place.path("journal").rmdir()
    final = of(place)
    assert (final["state"], final["test_accuracy"] is None) == ("finished", False)
    assert name.partition(".")[0] in final["remark"]


@pytest.mark.parametrize("name", ["lineage.json", "mistakes.json", "checksums.sha256"])
def test_final_of_an_earlier_release_does_without_what_it_has_not(place: Storage, name: str) -> None:
    place.remove(name)
    final = of(place)
    assert (final["state"], final["remark"]) == ("finished", "")
    assert final["classes"]["class"] == list(demo_finals.CLASSES)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"runs": 3, "test": {"per_class": 4}}'])
def test_final_without_readable_metrics_is_damaged_and_keeps_nobody_else_from_the_page(place: Storage, content: bytes) -> None:
    place.write_atomic("metrics.json", content)
    final = of(place)
    assert final["state"] == "damaged"
    assert "damaged" in final["remark"]


def test_figures_that_are_not_finite_do_not_spoil_the_page(place: Storage) -> None:
    metrics = json.loads(place.read("metrics.json"))
    metrics["val_loss"] = metrics["test"]["calibrated"]["calibration_error"] = math.nan
    place.write_atomic("metrics.json", json.dumps(metrics).encode())
    final = of(place)
    assert final["val_loss"] is None
    assert final["calibration"]["after"]["error"] is None
    assert report.render(Storage(place.root.parent.parent), now=NOW)


def test_section_is_shown_only_where_there_is_a_final(place: Storage, tmp_path: Path) -> None:
    def shown(storage: Storage) -> bool:
        return next(section["shown"] for section in report.page_data(storage, now=NOW)["sections"] if section["id"] == "finals")

    assert shown(Storage(place.root.parent.parent))
    assert not shown(recorded.store(tmp_path / "other", recorded.sweep(10)))


def test_live_page_is_made_anew_when_a_final_moves(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path / "digits", recorded.sweep(10))
    versions = [live.table_version(storage)]
    demo_finals.at_work(storage, FIRST, 0.9)
    versions.append(live.table_version(storage))
    demo_finals.store(storage, FIRST, 0.92, 77_850)
    versions += [live.table_version(storage), live.table_version(storage)]
    assert len(set(versions)) == 3
    assert versions[2] == versions[3]


def test_documented_fields_are_those_that_are_written(place: Storage) -> None:
    metrics = json.loads(place.read("metrics.json"))
    documented = {name.partition(".")[0] for name in finals.METRICS_FIELDS}
    assert documented - set(metrics) == {"validation", "programs", "speed"}, "made where images and programs are"
    assert {name.removeprefix("test.") for name in finals.METRICS_FIELDS if name.startswith("test.")} <= set(metrics["test"])
