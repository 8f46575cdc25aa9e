import json
import os
import time
from pathlib import Path

import pytest
import recorded

from results import overview_text
from results.errors import NotASweep, Unreadable
from results.events import Event, Extended, Hidden, Noted, stamp
from results.lock import SweepLock
from results.overview import Leader, overview
from results.storage import Storage
from results.terminal import Terminal

NOW = 1_780_000_600.0
BUDGET = {"budget": {"epochs": 100, "gpu_hours": None, "wall_clock": None}}


def store(root: Path, *more: Event, reason: str | None = "finished") -> Storage:
    storage = recorded.store(root, [*recorded.sweep(reason=reason), *more])
    storage.write_atomic("sweep.json", json.dumps({"sweep": BUDGET}).encode())
    return storage


def shown(storage: Storage) -> list[str]:
    return overview_text.lines(overview(storage, NOW), terminal=Terminal(), now=NOW, argument="digits")


def test_a_sweep_that_has_ended_says_how_and_what_it_came_to(tmp_path: Path) -> None:
    seen = overview(store(tmp_path), NOW)
    assert (seen.state, seen.driver, seen.busy, seen.num_trials) == ("finished", None, 0, 16)
    assert seen.counts == {"paused": 12, "completed": 1, "diverged": 1, "out_of_memory": 1, "failed": 1}
    assert (seen.epochs.spent, seen.epochs.limit) == (13 * 2 + 3 * 4 + 12 + 1, 100)
    assert seen.device_hours.limit is None
    assert seen.leader is not None
    assert (seen.leader.trial, seen.leader.rung_epochs, seen.leader.status) == ("t00007", 18, "completed")
    assert seen.num_failures == len(seen.failures) == 3
    assert shown(store(tmp_path))[-1] == "next: shortlist leaderboard digits"


def test_a_driver_at_work_is_named_with_its_workers_and_the_time_left(tmp_path: Path) -> None:
    storage = store(tmp_path, recorded.driver(), recorded.launched("t00001", attempt=3))
    with SweepLock(storage) as held:
        held.foresee((60.0, 150.0))
        held.beat()
        seen = overview(storage, NOW)
        lines = shown(storage)
    assert seen.driver is not None
    assert (seen.driver.pid, seen.busy, seen.slots, seen.left_s) == (os.getpid(), 1, 2, (60.0, 150.0))
    assert any(line.startswith("left      1m 00s to 2m 30s") for line in lines)
    assert any(line.startswith("workers   1 of 2 busy") for line in lines)
    assert not lines[-1].startswith("next:")
    assert seen.wall_s.spent == pytest.approx(600.0, abs=20)


def test_a_driver_that_was_killed_is_no_driver_and_the_sweep_can_be_gone_on_with(tmp_path: Path) -> None:
    storage = store(tmp_path, recorded.driver(), recorded.launched("t00001", attempt=3))
    seen = overview(storage, NOW)
    assert (seen.state, seen.driver, seen.busy) == ("interrupted", None, 0)
    assert shown(storage)[-1] == "next: shortlist resume digits"


def test_limits_notes_and_hidden_trials_are_what_people_have_made_of_them(tmp_path: Path) -> None:
    asked = {"at": stamp(NOW), "author": "ada"}
    storage = store(
        tmp_path,
        Extended(**asked, request="1", epochs=500, trials=20),
        Noted(**asked, request="2", trial=None, text="node 3 is slow"),
        Hidden(**asked, request="3", trials=("t00007",), hidden=True),
    )
    storage.write_atomic("requests/x.json", b"{}")
    seen = overview(storage, NOW)
    assert (seen.state, seen.epochs.limit, seen.num_trials, seen.pending) == ("extended", 500, 20, 1)
    assert seen.notes == [{"at": stamp(NOW), "author": "ada", "text": "node 3 is slow"}]
    assert isinstance(seen.leader, Leader)
    assert seen.leader.trial != "t00007"
    assert {"requests  1 wait to be obeyed", "notes     2026-05-28 ada: node 3 is slow"} <= set(shown(storage))


def test_of_many_failures_the_last_ones_are_shown(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path, recorded.sweep(48))
    seen = overview(storage, NOW)
    assert (len(seen.failures), seen.num_failures) == (3, 9)
    assert "          and 6 before" in shown(storage)


def test_lines_fit_the_terminal(tmp_path: Path) -> None:
    lines = overview_text.lines(overview(store(tmp_path), NOW), terminal=Terminal(width=60), now=NOW, argument="digits")
    assert max(map(len, lines)) <= 60


def test_a_folder_without_a_sweep_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotASweep):
        overview(Storage(tmp_path / "nowhere"), NOW)
    storage = store(tmp_path)
    storage.write_atomic("sweep.json", b"{")
    with pytest.raises(Unreadable, match=r"sweep\.json is damaged"):
        overview(storage, NOW)


def test_a_table_of_an_older_release_is_read(tmp_path: Path) -> None:
    old = Path(__file__).parent / "old_formats" / "1" / "sweep"
    (tmp_path / "leaderboard.parquet").write_bytes((old / "leaderboard.parquet").read_bytes())
    seen = overview(Storage(tmp_path), time.time())
    assert (seen.sweep, seen.state, seen.epochs.spent) == ("test", "finished", 21)
    assert seen.leader is not None
