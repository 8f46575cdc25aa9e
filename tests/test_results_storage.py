import os
from pathlib import Path

import pytest
import recorded

from results.errors import NotASweep
from results.storage import Storage, find_sweep, stored_sweeps


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("digits", "cifar"):
        recorded.store(tmp_path / "runs" / name, [recorded.started(sweep=name)], tables=False)
    (tmp_path / "runs" / "notes").mkdir()
    return tmp_path / "runs"


def test_a_file_is_replaced_as_a_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "new")
    storage.write_atomic("finals/a/metrics.json", b"one")
    storage.write_atomic("finals/a/metrics.json", b"two")
    assert storage.read("finals/a/metrics.json") == b"two"
    assert storage.exists("finals/a/metrics.json")
    assert [path.name for path in storage.path("finals/a").iterdir()] == ["metrics.json"]


def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    storage = Storage(tmp_path)
    storage.write_atomic("a", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        storage.write_atomic("a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_colleagues_may_read_what_was_written(tmp_path: Path) -> None:
    Storage(tmp_path).write_atomic("a", b"")
    assert (tmp_path / "a").stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "trials/../../outside"])
def test_a_name_that_leads_out_of_the_sweep_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="leads out of the sweep's folder"):
        Storage(tmp_path).path(name)


def test_a_sweep_is_found_by_name_by_folder_and_by_its_file(runs: Path) -> None:
    file = runs.parent / "my.yaml"
    file.write_text("name: digits\ntrial: {lr: 0.1}\n")
    for argument in ("digits", str(runs / "digits"), str(file)):
        assert find_sweep(argument, runs).root == runs / "digits"


def test_only_folders_that_hold_a_sweep_are_listed(runs: Path) -> None:
    assert stored_sweeps(runs) == ["cifar", "digits"]
    assert stored_sweeps(runs / "nowhere") == []


def test_a_misspelt_name_gets_a_suggestion(runs: Path) -> None:
    with pytest.raises(NotASweep, match=r"digit: no sweep there nor under .*runs/; did you mean digits\?"):
        find_sweep("digit", runs)
    with pytest.raises(NotASweep, match="which holds cifar, digits"):
        find_sweep("zzz", runs)
    with pytest.raises(NotASweep, match="start one with: shortlist run"):
        find_sweep("digits", runs / "empty")


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), ("a: [", "not a sweep file"), ("trial: {}", "has a name"), ("7", "has a name")]
)
def test_a_sweep_file_that_names_nothing_is_told_what_to_do(runs: Path, content: str | None, message: str) -> None:
    file = runs.parent / "my.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(NotASweep, match=message):
        find_sweep(str(file), runs)
