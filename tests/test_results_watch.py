"""Following a sweep: what is new in its journal, what can be seen, how it is drawn."""

import io
import re
import time
from pathlib import Path

import pytest
import recorded
from rich.console import Console

from results import journal, watch_text
from results.errors import Unreadable
from results.event_text import words
from results.events import Event, Extended, Hidden, Noted, Reported, StopRequested, Tagged, Tested
from results.history import History
from results.journal import Journal
from results.lock import SweepLock
from results.storage import Storage
from results.tail import Tail
from results.watch import Watch
from results.watch_terminal import Follower

NOW = 1_780_000_100.0
BY = {"at": recorded.AT, "request": "r1", "author": "ada"}


def running() -> list[Event]:
    """A sweep in which t00001 goes on from epoch 6, and whose driver has last said something just before `NOW`."""
    at = recorded.stamp(NOW - 1)
    return [*recorded.sweep(reason=None), recorded.launched("t00001", attempt=3, from_epoch=6, until_epoch=18, at=at)]


def test_tail_gives_every_event_once_over_segments_and_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    tail = Tail(storage)
    assert tail.news() == []
    events = recorded.sweep()
    writer = Journal(storage, segment_bytes=3000)
    seen: list[Event] = []
    for event in events:
        writer.append([event], sync=False)
        seen += tail.news()
    writer.close()
    assert seen == events
    last = journal.segment_files(storage.path(journal.FOLDER))[-1]
    line = last.read_bytes().splitlines(keepends=True)[-1]
    with last.open("ab") as file:
        file.write(line[:20])
    assert tail.news() == []
    with last.open("ab") as file:
        file.write(line[20:])
    assert tail.news() == [events[-1]]


def test_tail_begins_with_the_latest_lines_of_a_long_journal(tmp_path: Path) -> None:
    events = recorded.sweep()
    storage = recorded.store(tmp_path, events, tables=False)
    first = Tail(storage, recent_bytes=2000).news()
    assert 2 <= len(first) < 12
    assert first == events[-len(first) :]


def test_tail_names_a_damaged_line(tmp_path: Path) -> None:
    events = recorded.sweep()
    storage = recorded.store(tmp_path, events, tables=False)
    tail = Tail(storage, recent_bytes=2000)
    tail.news()
    [segment] = journal.segment_files(storage.path(journal.FOLDER))
    with segment.open("ab") as file:
        file.write(b"{damaged\n")
    with pytest.raises(Unreadable, match=rf"00000001.jsonl:{len(events) + 1}: not an event"):
        tail.news()


def test_what_the_journal_has_said_since_the_table_was_written_is_in_the_view(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path, running())
    writer = Journal(storage)
    later = [
        recorded.reported("t00001", 7, 0.91, attempt=3, at=recorded.stamp(NOW + 1)),
        recorded.launched("t00014", attempt=3, from_epoch=6, until_epoch=18, at=recorded.stamp(NOW + 1)),
    ]
    with SweepLock(storage):
        watch = Watch(storage)
        before = watch.look(NOW)
        assert [(worker.trial, worker.epochs) for worker in before.workers] == [("t00001", 6)]
        assert before.rungs == {2: 13, 6: 3, 18: 1}
        writer.append(later, sync=False)
        after = watch.look(NOW + 2)
    first, second = after.workers
    assert (first.trial, first.epochs, first.until_epoch, first.score, first.where) == ("t00001", 7, 18, 0.91, "laptop cpu")
    assert (second.trial, second.epochs, second.until_epoch) == ("t00014", 6, 18)
    assert second.score is not None, "its score before it was promoted"
    assert after.seen.counts["running"] == 2
    assert after.seen.counts["paused"] == before.seen.counts["paused"] - 1
    assert after.epochs == before.epochs + 1
    assert after.board is before.board, "an unchanged file is not read again"
    assert list(after.news) == later
    writer.append([recorded.decided("t00001", 7, 0.91), recorded.stopped("interrupted")], sync=False)
    writer.close()
    gone = watch.look(NOW + 3)
    assert gone.workers == []
    assert gone.seen.state == "interrupted"
    assert gone.rungs == {2: 13, 6: 3, 18: 1}
    assert gone.epochs == after.epochs, "without a driver the table is derived anew"


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("height", [8, 24, 45])
@pytest.mark.parametrize("unicode", [True, False])
def test_block_fits_every_terminal(tmp_path: Path, width: int, height: int, unicode: bool) -> None:
    storage = recorded.store(tmp_path, running())
    with SweepLock(storage):
        view = Watch(storage).look(NOW)
    told = watch_text.event_lines(view.news, "val_accuracy", epochs=True)
    lines = watch_text.block(view, told, now=NOW, width=width, height=height, unicode=unicode, rate="3.1 epochs/s")
    shown = [line.plain for line in lines]
    assert len(shown) <= height
    assert max(map(len, shown)) <= width
    assert shown[0].startswith("sweep     digits, running for 1m 40s")
    if not unicode:
        assert "\n".join(shown).isascii()
    if height == 45:
        assert len(shown) == height, "the events take what the rest leaves"
        assert any(line.startswith("   1  t00007") for line in shown)
        assert any("t00001  epoch 6 of 18" in line for line in shown)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (recorded.reported("t00001", 3, 0.5), "t00001 epoch 3: val_accuracy 50.0%"),
        (recorded.reported("t00001", 3, None), "t00001 epoch 3: val_accuracy -"),
        (recorded.launched("t00001"), "t00001 starts, until epoch 2"),
        (recorded.launched("t00001", from_epoch=2, until_epoch=6, why="promotion"), "t00001 goes on from epoch 2, until epoch 6"),
        (recorded.launched("t00001", from_epoch=2, why="retry"), "t00001 goes on after a lost worker from epoch 2, until epoch 2"),
        (recorded.decided("t00001", 2, 0.5), "t00001 waits at rung 2: val_accuracy 50.0%, cut-off 40.0%"),
        (recorded.ended("t00001", "out_of_memory", "needs 3 GiB"), "t00001 out of memory: needs 3 GiB"),
        (recorded.ended("t00001", "completed"), "t00001 completed"),
        (recorded.lost("t00001"), "t00001 lost its worker: the worker's process was killed (signal 9)"),
        (recorded.driver(), "driver: process 4711 on laptop takes the sweep, 2 workers"),
        (recorded.stopped("budget"), "driver: lets the sweep go, budget"),
        (recorded.suggested("t00001"), ""),
        (Tested(at=recorded.AT, trial="t1", metrics={}, fingerprint="", train_fingerprint=""), "t1 was tested"),
        (Extended(**BY, trials=200, gpu_hours=1.5), "ada extends the sweep: trials 200, gpu_hours 1.5"),
        (Noted(**BY, trial=None, text="two\nlines"), "ada notes on the sweep: two lines"),
        (Noted(**BY, trial="t00001", text="\x1b[31mred\x07"), "ada notes on t00001: [31mred"),
        (Tagged(**BY, trial="t00001", added=("a",), removed=("b",)), "ada tags t00001: +a -b"),
        (Hidden(**BY, trials=("t00001", "t00002"), hidden=True), "ada hides t00001, t00002"),
        (Hidden(**BY, trials=("t00001",), hidden=False), "ada brings back t00001"),
        (StopRequested(**BY, trials=()), "ada stops the sweep"),
    ],
)
def test_event_in_words(event: Event, text: str) -> None:
    assert words(event, "val_accuracy") == text


def test_without_a_terminal_it_prints_news_and_a_status_and_ends_with_the_driver(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path, running())
    writer = Journal(storage)
    out = io.StringIO()
    clock = iter(NOW + step for step in range(1000))
    left: list[float] = []

    def wait(seconds: float) -> bool:
        """Let something happen, as a driver would."""
        left.append(seconds)
        if len(left) == 1:
            writer.append([recorded.ended("t00001", "diverged", "not finite"), recorded.reported("t00014", 7, 0.9)], sync=False)
        if len(left) == 2:
            writer.append([recorded.stopped("stopped")], sync=False)
            writer.close()
            lock.release()
        return False

    lock = SweepLock(storage)
    lock.acquire()
    follower = Follower(storage, console=Console(file=out, width=80), live=False, clock=lambda: next(clock))
    view = follower.follow(wait)
    lines = [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in out.getvalue().splitlines()]
    assert lines[0] == "leader t00007: val_accuracy 77.7% at rung 18"
    assert lines[1].startswith("16 of 16 trials · 1 running, 11 paused, 1 completed")
    assert lines[2:] == ["t00001 diverged: not finite", "driver: lets the sweep go, stopped"]
    assert len(left) == 2
    assert view.seen.state == "stopped"


def test_a_driver_that_vanished_is_given_time_to_come_back(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path, recorded.sweep(reason=None))
    now = NOW
    waited = 0.0

    def wait(seconds: float) -> bool:
        nonlocal now, waited
        now += seconds
        waited += seconds
        return False

    Follower(storage, console=Console(file=io.StringIO()), live=False, clock=lambda: now).follow(wait)
    assert waited >= 10
    waited = 0.0
    finished = recorded.store(tmp_path / "finished", recorded.sweep())
    Follower(finished, console=Console(file=io.StringIO()), live=False, clock=lambda: now).follow(wait)
    assert waited == 0.0, "a sweep that has ended is not waited for"


def test_looking_again_costs_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = recorded.store(tmp_path, recorded.sweep())
    watch = Watch(storage)
    watch.look(NOW)
    read: list[str] = []
    monkeypatch.setattr(Storage, "read", lambda self, name: read.append(name) or self.path(name).read_bytes())
    parsed: list[bytes] = []
    parse = journal.parse
    monkeypatch.setattr(journal, "parse", lambda line, segment, place: parsed.append(line) or parse(line, segment, place))
    for _ in range(5):
        watch.look(time.time())
    assert set(read) <= {"driver.json", "sweep.json"}
    assert parsed == []


def test_reports_of_the_recorded_sweep_are_all_counted(tmp_path: Path) -> None:
    events = recorded.sweep()
    view = Watch(recorded.store(tmp_path, events)).look(NOW)
    assert view.epochs == History.of(events).epochs == sum(isinstance(event, Reported) for event in events)
