import os
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


def test_a_journal_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    write(Storage(tmp_path), [recorded.started(version=journal.JOURNAL_VERSION + 1)])
    with pytest.raises(NewerFormat, match=r"00000001\.jsonl:1: .*version 2, this release reads up to 1"):
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
