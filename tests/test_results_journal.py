import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import recorded

from results import journal
from results.errors import NewerFormat, Unreadable
from results.events import Event
from results.history import History
from results.journal import Journal, read
from results.storage import Storage


def write(storage: Storage, *batches: list[Event], segment_bytes: int = journal.SEGMENT_BYTES) -> None:
    writer = Journal(storage, segment_bytes=segment_bytes)
    for batch in batches:
        writer.append(batch, sync=True)
    writer.close()


def segments(storage: Storage) -> list[Path]:
    return sorted(storage.path("journal").iterdir())


def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    events = recorded.sweep()
    write(Storage(tmp_path), events[:1], [], events[1:7], events[7:])
    assert list(read(Storage(tmp_path))) == events


def test_a_history_from_the_journal_equals_the_one_that_was_fed_live(tmp_path: Path) -> None:
    storage, live = Storage(tmp_path), History()
    writer = Journal(storage)
    for event in recorded.sweep():
        live.apply(event)
        writer.append([event], sync=False)
        assert History.of(read(storage)) == live
    writer.close()


def test_every_opening_starts_a_segment_of_its_own_and_looking_starts_none(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    write(storage, [recorded.started()])
    write(storage)
    write(storage, [recorded.driver()])
    assert [path.name for path in segments(storage)] == ["00000001.jsonl", "00000002.jsonl"]
    assert list(read(storage)) == [recorded.started(), recorded.driver()]


def test_a_long_journal_is_split_into_segments(tmp_path: Path) -> None:
    storage, events = Storage(tmp_path), recorded.sweep()
    write(storage, *([event] for event in events), segment_bytes=2_000)
    assert len(segments(storage)) > 5
    assert all(path.stat().st_size < 3_000 for path in segments(storage))
    assert list(read(storage)) == events


def test_a_last_line_torn_at_any_byte_is_dropped_and_never_appended_to(tmp_path: Path) -> None:
    events: list[Event] = [recorded.started(sweep="überall"), recorded.driver(), recorded.suggested("t00001")]
    whole = Storage(tmp_path / "whole")
    write(whole, events)
    content = segments(whole)[0].read_bytes()
    last_line = content[:-1].rindex(b"\n") + 1
    for cut in range(last_line, len(content)):
        torn = Storage(tmp_path / str(cut))
        torn.write_atomic("journal/00000001.jsonl", content[:cut])
        assert list(read(torn)) == events[:2]
        write(torn, [recorded.stopped()])
        assert list(read(torn)) == [*events[:2], recorded.stopped()]


def test_zeros_that_a_power_cut_left_behind_are_a_torn_line_too(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    write(storage, [recorded.started()])
    with segments(storage)[0].open("ab") as file:
        file.write(bytes(4096))
    assert list(read(storage)) == [recorded.started()]


@pytest.mark.parametrize("damage", [b'{"event":"Lau\n', b"\xff\xfe\n", b"7\n", b"[]\n", b'{"event":"DriverStopped"}\n'])
def test_a_damaged_line_elsewhere_is_named_with_file_and_line(tmp_path: Path, damage: bytes) -> None:
    storage = Storage(tmp_path)
    write(storage, [recorded.started()], [recorded.driver()])
    path = segments(storage)[0]
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + damage + second)
    with pytest.raises(Unreadable, match=r"00000001\.jsonl:2: .*restore"):
        list(read(storage))


def test_a_missing_segment_is_named(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    for event in recorded.sweep()[:3]:
        write(storage, [event])
    segments(storage)[1].unlink()
    with pytest.raises(Unreadable, match=r"segment 00000002\.jsonl is missing"):
        list(read(storage))


def rewrite(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:3] + lines[4:], r"00000001\.jsonl:4: event 4 is missing before event 5; restore"),
        (lambda lines: lines[:3] + lines[7:], r"00000001\.jsonl:4: events 4 to 7 are missing before event 8; restore"),
        (lambda lines: [*lines[:4], *lines[3:]], r"00000001\.jsonl:5: event 4 where event 5 must be: .*two drivers"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], r"00000001\.jsonl:3: event 3 is missing before event 4"),
        (lambda lines: [*lines[:4], lines[4].replace(b'"n":5,', b""), *lines[5:]], r"00000001\.jsonl:5: the line has no number"),
        (lambda lines: [*lines[:4], lines[4].replace(b'"n":5,', b'"n":"5",'), *lines[5:]], r"00000001\.jsonl:5: the line has no number"),
        (lambda lines: lines[:-1], r"00000002\.jsonl:1: event 12 is missing before event 13"),
    ],
    ids=["a line lost", "lines lost", "a line twice", "lines moved", "no number", "no whole number", "last line of a segment lost"],
)
def test_lines_that_are_lost_doubled_or_moved_are_noticed_where_they_are(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], message: str
) -> None:
    storage, events = Storage(tmp_path), recorded.sweep()
    write(storage, events[:12])
    write(storage, events[12:])
    rewrite(segments(storage)[0], change)
    with pytest.raises(Unreadable, match=message):
        list(read(storage))


def test_segments_that_changed_places_are_noticed(tmp_path: Path) -> None:
    storage, events = Storage(tmp_path), recorded.sweep()
    write(storage, events[:12])
    write(storage, events[12:])
    first, second = segments(storage)
    first.rename(tmp_path / "aside")
    second.rename(first)
    (tmp_path / "aside").rename(second)
    with pytest.raises(Unreadable, match=r"00000001\.jsonl:1: events 1 to 12 are missing before event 13"):
        list(read(storage))


def test_two_writers_at_once_are_noticed(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    one, other = Journal(storage), Journal(storage)
    one.append([recorded.started(), recorded.driver()], sync=False)
    other.append([recorded.driver()], sync=False)
    one.append([recorded.suggested("t00001")], sync=False)
    one.close()
    other.close()
    with pytest.raises(Unreadable, match=r"00000002\.jsonl:1: event 3 where event 4 must be: .*two drivers"):
        list(read(storage))


def test_numbers_go_on_behind_a_torn_line_a_long_line_and_an_empty_segment(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    long = recorded.suggested("t00001", config={"text": "x" * 300_000})
    write(storage, [recorded.started(), long])
    with segments(storage)[0].open("ab") as file:
        file.write(b'{"n":3,"event":"Driv' + b"x" * 70_000)
    storage.path("journal/00000002.jsonl").touch()
    write(storage, [recorded.driver()])
    assert list(read(storage)) == [recorded.started(), long, recorded.driver()]
    assert segments(storage)[2].read_bytes().startswith(b'{"n":3,"event":"DriverStarted",')


OLD = Path(__file__).parent / "old_formats"


def test_a_journal_of_version_1_is_read_for_ever_and_gone_on_with(tmp_path: Path) -> None:
    """Its lines have no numbers, its first segment ends in a torn one; nine trials, one of them trained in full."""
    shutil.copytree(OLD / "1" / "sweep", tmp_path / "sweep")
    storage = Storage(tmp_path / "sweep")
    events = list(read(storage))
    history = History.of(events)
    assert (len(events), history.counts(), history.epochs) == (61, {"paused": 8, "completed": 1}, 21)
    write(storage, [recorded.driver()])
    assert segments(storage)[-1].read_bytes().startswith(b'{"n":%d,"event":"DriverStarted",' % (len(events) + 1))
    assert list(read(storage)) == [*events, recorded.driver()]


def test_a_journal_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    write(Storage(tmp_path), [recorded.started(version=journal.JOURNAL_VERSION + 1)])
    with pytest.raises(NewerFormat, match=r"00000001\.jsonl:1: .*version 4, this release reads up to 3"):
        list(read(Storage(tmp_path)))


def test_a_sweep_without_a_journal_has_no_events(tmp_path: Path) -> None:
    assert list(read(Storage(tmp_path))) == []


def test_closing_twice_is_allowed_and_appending_afterwards_is_not(tmp_path: Path) -> None:
    writer = Journal(Storage(tmp_path))
    writer.append([recorded.started()], sync=False)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.append([recorded.driver()], sync=False)


def test_a_choice_is_on_disk_before_append_returns_and_a_report_need_not_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    writer = Journal(Storage(tmp_path))
    writer.append([recorded.started()], sync=False)
    monkeypatch.setattr(os, "fsync", synced.append)
    writer.append([recorded.driver()], sync=False)
    assert not synced
    writer.append([recorded.driver()], sync=True)
    assert len(synced) == 1
    writer.close()


def test_a_full_disk_closes_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    writer = Journal(Storage(tmp_path))
    writer.append([recorded.started()], sync=True)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        writer.append([recorded.driver()], sync=True)
    with pytest.raises(ValueError, match="closed"):
        writer.append([recorded.driver()], sync=True)


def test_after_ctrl_c_in_the_middle_of_an_append_the_next_one_is_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        monkeypatch.undo()
        segments(storage)[0].write_bytes(segments(storage)[0].read_bytes()[:-3])  # as far as the write had come
        raise KeyboardInterrupt

    storage = Storage(tmp_path)
    writer = Journal(storage)
    writer.append([recorded.started()], sync=True)
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        writer.append([recorded.driver()], sync=True)
    writer.append([recorded.stopped("interrupted")], sync=True)
    writer.close()
    assert list(read(storage)) == [recorded.started(), recorded.stopped("interrupted")]
