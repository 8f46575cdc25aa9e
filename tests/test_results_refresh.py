from pathlib import Path

import pyarrow.parquet as pq
import pytest
import recorded

from results import curves, leaderboard
from results.history import History
from results.refresh import Refresher
from results.storage import Storage


class Clock:
    """Time that passes when it is told to, and by `cost_s` during a refresh."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    write = curves.write

    def slow(storage: Storage, history: History) -> None:
        write(storage, history)
        clock.now_s += 0.1

    monkeypatch.setattr(curves, "write", slow)
    return clock


def test_both_files_follow_the_history(tmp_path: Path, clock: Clock) -> None:
    events = recorded.sweep()
    history = History.of(events[:10])
    refresher = Refresher(Storage(tmp_path), history, clock)
    assert refresher.maybe()
    before = pq.read_table(tmp_path / leaderboard.NAME, use_threads=False).num_rows
    for event in events[10:]:
        history.apply(event)
    refresher.now()
    assert pq.read_table(tmp_path / leaderboard.NAME, use_threads=False).num_rows == 16 > before
    assert pq.read_table(tmp_path / curves.NAME, use_threads=False).num_rows == sum(len(record.curve) for record in history.trials.values())


def test_refreshing_takes_a_fiftieth_of_the_time_at_most(tmp_path: Path, clock: Clock) -> None:
    refresher = Refresher(Storage(tmp_path), History.of(recorded.sweep()), clock)
    started, refreshes = clock.now_s, 0
    while clock.now_s < started + 100:
        refreshes += refresher.maybe()
        clock.now_s += 0.05
    assert 15 <= refreshes <= 21  # each costs 0.1 s: 20 in 100 s are 2 %


def test_cheap_refreshes_are_a_second_apart(tmp_path: Path) -> None:
    clock = Clock()
    refresher = Refresher(Storage(tmp_path), History.of(recorded.sweep()), clock)
    assert refresher.maybe()
    assert not refresher.maybe()
    clock.now_s += 1.01
    assert refresher.maybe()


def test_a_full_disk_is_logged_and_does_not_stop_the_sweep(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(storage: Storage, history: History) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(leaderboard, "write", full)
    refresher = Refresher(Storage(tmp_path), History.of(recorded.sweep()), clock)
    assert refresher.maybe()
    assert "the tables were not refreshed" in caplog.text
    assert not refresher.maybe()
