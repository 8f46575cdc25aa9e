"""Checkpoints: the newest is kept as long as somebody may start from it."""

from pathlib import Path

import pytest
from sweeps import START, make_search, make_sweep
from test_tuner_search import report

from results.events import EndStatus, stamp
from results.storage import Storage
from tuner import checkpoints


def folders(storage: Storage) -> list[str]:
    return sorted(path.name for path in storage.path("trials/t00001/checkpoints").iterdir())


def written(storage: Storage, *names: str) -> None:
    for name in names:
        folder = storage.path(f"trials/t00001/checkpoints/{name}")
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"weights")


def test_only_the_newest_journaled_checkpoint_is_kept_and_what_is_newer_is_left_alone(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    search, _ = make_search(make_sweep(scheduler={"none": {"max_epochs": 9}}))
    job = search.next_job(START)
    assert job is not None
    written(storage, "000001.1", "000002.1", "000003.1")
    for epoch in (1, 2):
        accepted = checkpoints.accept(storage, f"trials/t00001/checkpoints/{epoch:06d}.1")
        search.report(report(job, epoch, checkpoint=accepted), START)
    checkpoints.tidy(storage, search.history.trials["t00001"])
    assert folders(storage) == ["000002", "000003.1"]


def test_what_a_driver_took_over_before_it_was_killed_gives_way_to_the_next_attempt(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    written(storage, "000002.1", "000002.2")
    for attempt in (1, 2):
        storage.path(f"trials/t00001/checkpoints/000002.{attempt}/attempt").write_text(str(attempt))
        assert checkpoints.accept(storage, f"trials/t00001/checkpoints/000002.{attempt}") == "trials/t00001/checkpoints/000002"
    assert folders(storage) == ["000002"]
    assert storage.path("trials/t00001/checkpoints/000002/attempt").read_text() == "2"
    assert checkpoints.accept(storage, None) is None


@pytest.mark.parametrize("status", ["stopped", "diverged", "failed", "out_of_memory"])
def test_trial_that_is_over_keeps_no_checkpoint(tmp_path: Path, status: EndStatus) -> None:
    storage = Storage(tmp_path)
    search, _ = make_search(make_sweep(scheduler={"none": {"max_epochs": 9}}))
    job = search.next_job(START)
    assert job is not None
    written(storage, "000001.1")
    search.report(report(job, 1, checkpoint="trials/t00001/checkpoints/000001.1", at=stamp(START)), START)
    search.end(job.trial, job.attempt, status, "", START)
    checkpoints.tidy(storage, search.history.trials["t00001"])
    assert folders(storage) == []
