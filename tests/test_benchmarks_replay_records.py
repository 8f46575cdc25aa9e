"""Records of the replay: only what was measured alike comes together, and what came from where is said."""

import json
from pathlib import Path
from typing import Any

import pytest
from made_up_curves import recorded, small_table

from benchmarks import replay, replay_records
from benchmarks.replay_records import RecordError

QUICK = ["ray-asha", "shortlist-default"]


def written(record: dict[str, Any], path: Path) -> Path:
    path.write_text(json.dumps(record))
    return path


def test_a_merged_record_has_the_methods_of_both_and_says_what_each_was_measured_with(tmp_path: Path) -> None:
    ours = recorded(QUICK, repeats=6, commit="new")
    slow = replay_records.read(written(recorded(["ray-asha", "syne-tune-cqr"], repeats=3, commit="old"), tmp_path / "slow.json"))
    before = json.dumps(ours["tables"]["one"]["ray-asha"])
    replay_records.check_alike(ours["about"], slow, tmp_path / "slow.json")
    replay_records.merge(ours, slow)
    assert list(ours["tables"]["one"]) == list(ours["ratios"]) == list(ours["about"]["methods"]) == [*QUICK, "syne-tune-cqr"]
    assert json.dumps(ours["tables"]["one"]["ray-asha"]) == before, "what both have is not replaced"
    assert ours["tables"]["two"]["syne-tune-cqr"] == slow["tables"]["two"]["syne-tune-cqr"]
    assert ours["ratios"]["syne-tune-cqr"] == slow["ratios"]["syne-tune-cqr"]
    assert {name: (one["repeats"], one["commit"]) for name, one in ours["about"]["methods"].items()} == {
        "ray-asha": (6, "new"),
        "shortlist-default": (6, "new"),
        "syne-tune-cqr": (3, "old"),
    }
    assert "syne-tune-cqr" in ours["about"]["proposals"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_workers": 16}, "has num_workers 16, here it is 4; both must have been replayed alike"),
        ({"seed": 1}, "has seed 1, here it is 0"),
        ({"budget": 80}, "has budget 80, here it is 40"),
        ({"rows": {"one": [60, 27]}}, "has rows"),
    ],
)
def test_a_record_that_was_measured_otherwise_is_refused(changes: dict[str, Any], message: str) -> None:
    other = recorded(["ray-asha", "syne-tune-bohb"], repeats=3)
    other["about"] |= changes
    with pytest.raises(RecordError, match=message):
        replay_records.check_alike(recorded(QUICK, repeats=3)["about"], other, Path("slow.json"))


def test_a_record_without_the_reference_is_refused_because_it_has_no_ratios() -> None:
    other = recorded(["syne-tune-bohb"], repeats=3)
    with pytest.raises(RecordError, match="has no ratios; replay it with ray-asha among its methods"):
        replay_records.check_alike(recorded(QUICK, repeats=3)["about"], other, Path("slow.json"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        ("{", "is no JSON"),
        ("[]", "is no record of benchmarks.replay"),
        ('{"tables": {}, "ratios": {}, "about": {"seed": 0}}', "does not say reference, rows, num_workers, budget, methods"),
    ],
)
def test_what_is_no_record_is_refused_before_anything_is_replayed(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_table(tmp_path)
    if content is not None:
        (tmp_path / "slow.json").write_text(content)
    assert replay.main([str(tmp_path / "table.parquet"), "--methods", "random", "--merge", str(tmp_path / "slow.json")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_call_takes_in_what_another_call_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_table(tmp_path)
    common = [str(tmp_path / "table.parquet"), "--jobs", "1", "-o", "json"]
    assert replay.main([*common, "--repeats", "2", "--methods", "ray-asha,optuna-sha"]) == 0
    (tmp_path / "slow.json").write_text(capsys.readouterr().out)
    assert replay.main([*common, "--repeats", "3", "--methods", "ray-asha,random", "--merge", str(tmp_path / "slow.json")]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {name: one["repeats"] for name, one in record["about"]["methods"].items()} == {"ray-asha": 3, "random": 3, "optuna-sha": 2}
    assert record["tables"]["table"]["optuna-sha"]["n"] == 2
    assert replay.main([*common, "--workers", "5", "--methods", "random", "--merge", str(tmp_path / "slow.json")]) == 2
    assert "has num_workers 4, here it is 5" in capsys.readouterr().err
