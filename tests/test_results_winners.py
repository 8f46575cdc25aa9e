"""All sweeps and finals under a storage folder."""

import json
from pathlib import Path

from results import leaderboard
from results.terminal import Terminal
from results.winners import lines, winners
from tests import recorded


def a_final(folder: Path, test_accuracy: float) -> None:
    folder.mkdir(parents=True)
    metrics = {"chosen_by": "val_accuracy", "val_accuracy": 0.91, "epochs": 100, "parameters": 77_850, "test_accuracy": test_accuracy}
    (folder / "metrics.json").write_text(json.dumps(metrics))


def test_each_sweep_is_followed_by_its_finals_the_best_tested_first(tmp_path: Path) -> None:
    for name in ("alpha", "beta"):
        storage = recorded.store(tmp_path / name, recorded.sweep())
    a_final(storage.root / "finals" / "t00007-100ep-aaaaaa", 0.88)
    a_final(storage.root / "finals" / "t00001-100ep-bbbbbb", 0.90)
    found = winners(tmp_path)
    assert [(winner.sweep, winner.final) for winner in found] == [
        ("alpha", None),
        ("beta", None),
        ("beta", "t00001-100ep-bbbbbb"),
        ("beta", "t00007-100ep-aaaaaa"),
    ]
    leader = leaderboard.read_table(storage).slice(0, 1).to_pylist()[0]
    assert (found[1].trial, found[1].score, found[1].epochs) == (leader["trial"], leader["score"], leader["rung_epochs"])
    assert (found[2].trial, found[2].test_accuracy) == ("t00001", 0.90)
    text = "\n".join(lines(found, runs=tmp_path, terminal=Terminal(width=100)))
    assert "90.0" in text
    assert "91.0 %" in text


def test_damaged_files_hide_nobody_else(tmp_path: Path) -> None:
    for name in ("alpha", "beta"):
        storage = recorded.store(tmp_path / name, recorded.sweep())
    segment = next((tmp_path / "alpha" / "journal").iterdir())
    segment.write_text("no event\n" + segment.read_text())
    for table in (tmp_path / "alpha").glob("*.parquet"):
        table.unlink()
    (storage.root / "finals" / "t00001-1ep-cccccc").mkdir(parents=True)
    (storage.root / "finals" / "t00001-1ep-cccccc" / "metrics.json").write_text("{}")
    found = winners(tmp_path)
    assert "not an event" in found[0].remark
    assert found[1].score is not None
    assert "damaged" in found[2].remark


def test_empty_folder_says_how_to_begin(tmp_path: Path) -> None:
    assert lines(winners(tmp_path), runs=tmp_path, terminal=Terminal()) == [
        f"no sweep under {tmp_path}/; start one with: shortlist run SWEEP.yaml"
    ]
