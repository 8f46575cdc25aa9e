"""A sweep's folder on an object store: readers see what the driver uploaded, on any machine, and download only what has changed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import object_stores
import pytest
import recorded
from object_stores import machine
from typer.testing import CliRunner

from results import curves, journal, leaderboard, lock, mirror, places, report, winners
from results.errors import Locked, NotASweep
from results.history import History
from results.journal import Journal
from results.lock import SweepLock, holder
from results.storage import Storage, find_sweep, stored_sweeps
from tests import demo_finals
from tuner.cli import main

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with object_stores.server() as url:
        yield url


@pytest.fixture(autouse=True)
def _eager(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the store at every turn."""
    object_stores.forget()
    monkeypatch.setattr(mirror, "FRESH_S", 0.0)
    monkeypatch.setattr(lock, "PATIENCE_S", 0.1)


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """A prefix of its own for each test."""
    return f"s3://sweeps/{tmp_path.name}"


def store(address: str) -> Storage:
    """Store a finished sweep as its driver does."""
    storage = Storage.at(address)
    events = recorded.sweep()
    with SweepLock(storage):
        writer = Journal(storage)
        for start in range(0, len(events), 10):
            writer.append(events[start : start + 10], sync=True)
        writer.close()
        history = History.of(events)
        leaderboard.write(storage, history)
        curves.write(storage, history)
    return storage


def downloads(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that names whatever is downloaded from now on."""
    assert storage.mirror is not None
    seen: list[str] = []
    get = storage.mirror.store.get

    def counted(key: str) -> object:
        seen.append(key.rpartition("/")[2])
        return get(key)

    monkeypatch.setattr(storage.mirror.store, "get", counted)
    return seen


def test_another_machine_reads_the_journal_and_the_tables_of_a_sweep(runs: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a"):
        store(f"{runs}/digits")
    with machine(tmp_path / "b"):
        seen = find_sweep("digits", places.local(runs))
        assert str(seen) == f"{runs}/digits"
        assert list(journal.read(seen)) == recorded.sweep()
        assert leaderboard.read_table(seen).equals(leaderboard.derive(History.of(recorded.sweep())))
        assert stored_sweeps(places.local(runs)) == ["digits"]
        assert [winner.sweep for winner in winners.winners(places.local(runs))] == ["digits"]
        assert find_sweep(f"{runs}/digits", Path("runs")).root == seen.root


def test_report_on_an_object_store_is_that_of_a_folder_with_its_finals(runs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "FRESH_S", 60.0)  # one listing for the whole page
    address = f"{runs}/digits"
    storage = store(address)
    demo_finals.store(storage, "t00007", 0.92, 77_850)
    with machine(tmp_path / "elsewhere"):
        object_stores.forget()
        answer = CliRunner().invoke(main.app, ["report", address])
        assert answer.exit_code == 0, answer.output
        assert answer.output.startswith(f"{address}/report.html: ")
    page = object_stores.client().get_object(Bucket="sweeps", Key=f"{address.removeprefix('s3://sweeps/')}/report.html")["Body"].read()
    local = recorded.store(tmp_path / "digits", recorded.sweep())
    demo_finals.store(local, "t00007", 0.92, 77_850)
    told, expected = (
        json.loads(html.partition('id="data">')[2].partition("</script>")[0]) for html in (page.decode(), report.render(local, now=1.0))
    )
    for part in ("trials", "curves", "finals", "pictures", "details"):
        assert told[part] == expected[part], part
    assert [final["state"] for final in told["finals"]] == ["finished"]


def test_only_what_has_changed_is_downloaded(runs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage.at(f"{runs}/digits")
    with machine(tmp_path / "a"):
        store(f"{runs}/digits")
    seen = downloads(storage, monkeypatch)
    list(journal.read(storage))
    assert sorted(seen) == ["00000001.jsonl", "curves.parquet", "leaderboard.parquet"]
    seen.clear()
    list(journal.read(storage))
    assert seen == []
    with machine(tmp_path / "a"):
        Storage.at(f"{runs}/digits").write_atomic("curves.parquet", b"new")
    assert storage.read("curves.parquet") == b"new"
    assert seen == ["curves.parquet"]
    object_stores.forget()  # another process on this machine finds the same copy
    again = Storage.at(f"{runs}/digits")
    seen = downloads(again, monkeypatch)
    assert again.exists("leaderboard.parquet")
    assert seen == []


def test_file_deleted_on_the_store_is_deleted_here_and_files_of_ones_own_are_left(runs: str, tmp_path: Path) -> None:
    storage = Storage.at(f"{runs}/digits")
    storage.write_atomic("report.html", b"x")
    assert storage.exists("report.html")
    storage.path("my-notes.txt").write_text("mine")
    with machine(tmp_path / "a"):
        Storage.at(f"{runs}/digits").remove("report.html")
    assert not storage.exists("report.html")
    assert storage.exists("my-notes.txt")
    storage.root.joinpath("journal").mkdir()
    storage.root.joinpath("journal/00000001.jsonl").write_text("what a killed driver could not upload is no part of the journal\n")
    assert list(journal.read(storage)) == []


def test_table_written_before_the_last_event_is_known_to_lag_on_every_machine(runs: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a"):
        storage = store(f"{runs}/digits")
        with SweepLock(storage):
            writer = Journal(storage)
            writer.append([recorded.driver(), recorded.stopped("stopped")], sync=True)
            writer.close()
    with machine(tmp_path / "b"):
        table = leaderboard.read_table(Storage.at(f"{runs}/digits"))
        assert table.schema.metadata[b"state"] == b"stopped"


@pytest.mark.parametrize("key", ["../../escaped", "a//b", "journal/../../x", "a\\b", "a b", "x:y", "/etc/passwd", "code/./x"])
def test_key_that_could_lead_out_of_the_copy_is_left_alone(runs: str, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with machine(tmp_path / "cache"):
        storage = Storage.at(f"{runs}/digits")
        assert storage.mirror is not None
        storage.mirror.store.put(storage.mirror.key(key), b"evil")
        storage.mirror.store.put(storage.mirror.key("sweep.yaml"), b"good")
        assert storage.read("sweep.yaml") == b"good"
        written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
        assert written == {"sweep.yaml", ".mirror.json", ".sync.lock"}
        assert "which is no name of ours" in caplog.text


def test_driver_elsewhere_is_refused_named_and_taken_over_when_it_falls_silent(
    runs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with machine(tmp_path / "a"):
        first = SweepLock(Storage.at(f"{runs}/digits"))
        monkeypatch.setattr("platform.node", lambda: "node-a")
        first.acquire()
        first.beat()
        first.check()
    monkeypatch.setattr("platform.node", lambda: "node-b")
    with machine(tmp_path / "b"):
        storage = Storage.at(f"{runs}/digits")
        with pytest.raises(
            Locked, match=rf"{runs}/digits: process {os.getpid()} on node-a has run this sweep .* shortlist stop {runs}/digits"
        ):
            SweepLock(storage).acquire()
        seen = holder(storage)
        assert seen is not None
        assert seen.host == "node-a"
        monkeypatch.setattr(lock, "STALE_S", 0.0)
        assert holder(storage) is None
        with SweepLock(storage):
            assert "taken over from process" in caplog.text
            monkeypatch.setattr("platform.node", lambda: "node-a")
            first.beat()
            with pytest.raises(Locked, match=f"process {os.getpid()} on node-b has taken the sweep over"):
                first.check()
            with pytest.raises(Locked, match="taken the sweep over"):
                first._storage.write_atomic("leaderboard.parquet", b"by the one that was given up")
            first.release()
            assert "driver.json" in object_stores.keys(f"{runs}/digits"[len("s3://sweeps/") :])[0]
        assert holder(storage) is None


def test_of_two_drivers_that_find_the_sweep_free_only_one_gets_it(runs: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a"):
        first = SweepLock(Storage.at(f"{runs}/digits"))
    with machine(tmp_path / "b"):
        second = SweepLock(Storage.at(f"{runs}/digits"))
    assert first._note.read() is second._note.read() is None
    with machine(tmp_path / "a"):
        first.acquire()
    assert second._note.write(second._me()) is False
    first.release()


def test_driver_of_this_host_that_was_killed_is_taken_over_at_once(runs: str) -> None:
    program = (
        "import os, signal\nfrom results.lock import SweepLock\nfrom results.storage import Storage\n"
        f"SweepLock(Storage.at('{runs}/digits')).acquire()\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT)
    assert done.returncode == -9
    storage = Storage.at(f"{runs}/digits")
    assert storage.exists("driver.json")
    assert holder(storage) is None
    with SweepLock(storage):
        pass


def test_readers_on_the_drivers_machine_leave_its_copy_alone(runs: str) -> None:
    """A reader's update would put back what the driver has not uploaded yet."""
    storage = Storage.at(f"{runs}/digits")
    with SweepLock(storage):
        writer = Journal(storage)
        writer.append([recorded.started()], sync=True)
        writer.append([recorded.driver()], sync=False)
        program = (
            "from results import journal, lock\nfrom results.storage import Storage\n"
            f"storage = Storage.at('{runs}/digits')\nprint(len(list(journal.read(storage))), lock.holder(storage).pid)"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
        assert done.stdout == f"2 {os.getpid()}\n", done.stderr
        writer.append([recorded.stopped()], sync=True)
        writer.close()
    assert len(list(journal.read(storage))) == 3


def test_final_that_is_being_made_here_is_left_alone_by_readers_of_its_sweep(runs: str) -> None:
    sweep = Storage.at(f"{runs}/digits")
    final = Storage(sweep.path("finals/t00001-9ep-abcdef"))
    with SweepLock(final):
        writer = Journal(final)
        writer.append([recorded.started()], sync=True)
        writer.append([recorded.driver()], sync=False)
        assert sweep.exists("finals/t00001-9ep-abcdef/journal")
        assert len(list(journal.read(final))) == 2
        writer.close()
    final.publish("journal/00000001.jsonl")
    aside = final.root.with_name("t00001-9ep-abcdef.failed-1")
    final.move(aside)
    assert len(list(journal.read(Storage(aside)))) == 2
    assert not final.exists("journal")


def test_folders_of_trials_move_only_when_they_are_asked_for(runs: str, tmp_path: Path) -> None:
    name = "trials/t00001/export"
    with machine(tmp_path / "a"):
        worker = Storage.at(f"{runs}/digits", follow=False)
        worker.path(name).mkdir(parents=True)
        (worker.path(name) / "model.py").write_text("import torch")
        (worker.path(name) / "model.safetensors").write_bytes(bytes(1000))
        worker.publish(name, last="model.py")
    with machine(tmp_path / "b"):
        driver = Storage.at(f"{runs}/digits")
        assert not driver.exists(name)
        assert sorted(path.name for path in driver.fetch(name).iterdir()) == ["model.py", "model.safetensors"]


def test_what_a_slow_machine_uploads_for_the_driver_is_pulled_while_the_driver_holds_the_sweep(runs: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a"):
        driver = Storage.at(f"{runs}/digits")
        held = SweepLock(driver)
        held.acquire()
    with machine(tmp_path / "b"):
        Storage.at(f"{runs}/digits").write_atomic("requests/one.json", b"{}")
    assert not driver.root.joinpath("requests/one.json").exists()
    assert [path.name for path in driver.pull("requests").iterdir()] == ["one.json"]
    driver.remove("requests/one.json")
    assert object_stores.keys(f"{runs}/digits/requests".removeprefix("s3://sweeps/")) == []
    held.release()


def test_work_put_off_is_done_before_the_sweep_is_let_go(runs: str) -> None:
    storage = Storage.at(f"{runs}/digits")
    done = []
    with SweepLock(storage):
        assert storage.mirror is not None
        storage.mirror.later(lambda: (time.sleep(0.1), done.append(1))[1])
    assert done == [1]


def test_sweep_that_is_not_there_is_named_by_its_address(runs: str) -> None:
    with pytest.raises(NotASweep, match=rf"{runs}/digits: no sweep there; see: shortlist winners --storage {runs}$"):
        find_sweep(f"{runs}/digits", Path("runs"))
    with pytest.raises(NotASweep, match=f"none under {runs}/; start one"):
        find_sweep("digits", places.local(runs))
    with pytest.raises(NotASweep, match="ftp:// is no storage"):
        find_sweep("ftp://host/digits", Path("runs"))
