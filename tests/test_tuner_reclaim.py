"""`gc` and `resources.keep`: what nothing needs goes, and nothing else."""

import os
import time
from pathlib import Path

import object_stores
import pytest
from sweeps import START, flat_cost, make_sweep, report
from typer.testing import CliRunner

from results import journal
from results.errors import Locked
from results.events import Event, stamp
from results.history import History
from results.lock import SweepLock
from results.storage import Storage
from tuner import checkpoints, reclaim
from tuner.checkpoints import Keep
from tuner.cli.main import app
from tuner.session import hold

# Trial -> how it ends, None for one that waits; each wrote checkpoints after its first and second epoch.
ENDS = {"t00001": "completed", "t00002": "failed", "t00003": None, "t00004": "diverged"}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return sweep_with_leftovers(tmp_path / "runs" / "test")


def sweep_with_leftovers(root: Path, keep: Keep = "survivors") -> Storage:
    """A sweep that has ended, its driver killed before it tidied anything."""
    storage = Storage(root)
    drive(storage, keep)
    return storage


def drive(storage: Storage, keep: Keep) -> None:
    sweep = make_sweep(trials=4, scheduler={"none": {"max_epochs": 9}}, resources={"keep": keep})
    with hold(sweep, storage, source=None, cost=flat_cost) as session:
        session.start(1)
        for trial, end in ENDS.items():
            job = session.search.next_job(START)
            assert job is not None
            assert job.trial == trial
            for epoch in (1, 2):
                place = storage.path(f"trials/{trial}/checkpoints/{epoch:06d}")
                place.mkdir(parents=True)
                (place / "model.safetensors").write_bytes(bytes(1000 * epoch))
                session.search.report(report(job, epoch, checkpoint=f"trials/{trial}/checkpoints/{epoch:06d}", at=stamp(START)), START)
            if end is not None:
                session.search.end(trial, job.attempt, end, "", START)  # type: ignore[arg-type]  # a word, not a literal
    final = storage.path("finals/best/trials/t00001/checkpoints/000009")
    final.mkdir(parents=True)
    (final / "model.safetensors").write_bytes(bytes(10))
    if storage.mirror is not None:
        for name in ("trials", "finals"):
            storage.mirror.publish(name)


def kept(storage: Storage) -> set[str]:
    return {str(path.parent.relative_to(storage.root)) for path in storage.root.rglob("model.safetensors")}


def events(storage: Storage) -> list[Event]:
    return list(journal.read(storage))


FINAL = "finals/best/trials/t00001/checkpoints/000009"
WAITS = "trials/t00003/checkpoints/000002"
COMPLETED = "trials/t00001/checkpoints/000002"


def test_gc_says_what_it_would_free_and_then_frees_exactly_that(storage: Storage) -> None:
    before, written = kept(storage), events(storage)
    would = reclaim.look(storage)
    assert kept(storage) == before
    assert reclaim.free(storage) == would
    assert sum(leftover.size for leftover in would) == 2 * 1000 + 2 * 3000
    assert kept(storage) == {FINAL, WAITS, COMPLETED}
    assert events(storage) == written
    assert reclaim.look(storage) == []


@pytest.mark.parametrize(("keep", "expected"), [("none", {FINAL, WAITS}), ("survivors", {FINAL, WAITS, COMPLETED})])
def test_gc_keeps_what_the_sweep_file_says(keep: Keep, expected: set[str], tmp_path: Path) -> None:
    storage = sweep_with_leftovers(tmp_path / "test", keep)
    reclaim.free(storage)
    assert kept(storage) == expected


def test_gc_deletes_nothing_of_a_sweep_that_keeps_all(tmp_path: Path) -> None:
    storage = sweep_with_leftovers(tmp_path / "test", "all")
    assert reclaim.free(storage) == []
    assert len(kept(storage)) == 9


@pytest.mark.parametrize(
    ("keep", "trial", "expected"),
    [
        ("all", "t00002", {"000001", "000002"}),
        ("survivors", "t00001", {"000002"}),
        ("survivors", "t00002", set()),
        ("none", "t00001", set()),
        ("none", "t00003", {"000002"}),
    ],
)
def test_a_running_sweep_keeps_what_its_file_says(keep: Keep, trial: str, expected: set[str], storage: Storage) -> None:
    record = History.of(journal.read(storage)).trials[trial]
    checkpoints.tidy(storage, record, keep)
    assert {path.name for path in storage.path(f"trials/{trial}/checkpoints").iterdir()} == expected


def test_gc_leaves_a_sweep_alone_that_runs(storage: Storage) -> None:
    before = kept(storage)
    with SweepLock(storage):
        for act in (reclaim.look, reclaim.free):
            with pytest.raises(Locked):
                act(storage)
        refused = CliRunner().invoke(app, ["gc", "test", "--storage", str(storage.root.parent)])
        assert isinstance(refused.exception, Locked)
        passed = CliRunner().invoke(app, ["gc", "--storage", str(storage.root.parent)])
        assert passed.exit_code == 0
        assert "left alone" in passed.output
    assert kept(storage) == before


def test_gc_frees_what_dead_processes_left_and_not_what_is_being_written(storage: Storage) -> None:
    names = (".sweep.json.abcd1234", ".curves.parquet.abcd1234", "requests/20260101.refused")
    for name in names:
        storage.path(name).parent.mkdir(exist_ok=True)
        storage.path(name).write_bytes(b"half")
    long_ago = time.time() - 2 * reclaim.FOREVER_S
    for name in (names[0], names[2]):
        os.utime(storage.path(name), (long_ago, long_ago))
    freed = {Path(leftover.name).name for leftover in reclaim.free(storage)}
    assert {".sweep.json.abcd1234", "20260101.refused"} <= freed
    assert storage.path(".curves.parquet.abcd1234").exists()


def test_gc_frees_decoded_images_that_nobody_opened_for_long(tmp_path: Path) -> None:
    now = time.time()
    for name, days in (("digits-train-1", 40), ("digits-train-2", 1), ("somebody-elses", 40)):
        folder = tmp_path / name
        folder.mkdir()
        for file in ("images.npy", "meta.json") if name != "somebody-elses" else ("thesis.tex",):
            (folder / file).write_bytes(bytes(100))
            os.utime(folder / file, (now - days * 86_400, now - days * 86_400))
    found = reclaim.caches(tmp_path, now, 30)
    assert [(leftover.name, leftover.size) for leftover in found] == [("digits-train-1", 200)]
    assert reclaim.free_caches(tmp_path, now, 30) == found
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits-train-2", "somebody-elses"]


def test_gc_never_follows_a_link_out_of_the_sweep(storage: Storage, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_bytes(bytes(5))
    storage.path("trials/t00002/checkpoints/000003").symlink_to(precious)
    reclaim.free(storage)
    assert not storage.path("trials/t00002/checkpoints/000003").is_symlink()
    assert (precious / "thesis.tex").exists()


@pytest.mark.slow
def test_gc_frees_the_same_on_an_object_store(tmp_path: Path) -> None:
    with object_stores.server():
        storage = Storage.at("s3://sweeps/runs/test")
        drive(storage, "survivors")
        assert storage.mirror is not None
        would = reclaim.look(storage)
        assert reclaim.free(storage) == would
        assert sum(leftover.size for leftover in would) == 2 * 1000 + 2 * 3000
        assert {name.rpartition("/")[0] for name in storage.mirror.files("trials")} == {WAITS, COMPLETED}
        assert storage.mirror.files("finals") == [f"{FINAL}/model.safetensors"]
