"""What a journal says of some trials must be what the whole journal says of them."""

from pathlib import Path

import pytest
import recorded

from results import journal
from results.errors import NotASweep, Unreadable
from results.events import DriverStopped, Event, Extended, Hidden, Noted, StopRequested, Tagged
from results.excerpt import excerpt
from results.history import History
from results.journal import Journal
from results.storage import Storage

ASKED = {"at": recorded.AT, "author": "ada"}


def written(root: Path, events: list[Event]) -> Storage:
    """Store a journal of many small segments."""
    storage = Storage(root)
    writer = Journal(storage, segment_bytes=4000)
    for event in events:
        writer.append([event], sync=False)
    writer.close()
    return storage


@pytest.fixture
def events() -> list[Event]:
    """A sweep in which people have asked for things, and whose driver was restarted in mid-segment."""
    return [
        *recorded.sweep(reason=None),
        Noted(**ASKED, request="r1", trial="t00007", text='says "t00001" and "event":"Driver'),
        Noted(**ASKED, request="r2", trial=None, text="about the sweep"),
        Tagged(**ASKED, request="r3", trial="t00001", added=("base",), removed=()),
        Hidden(**ASKED, request="r4", trials=("t00001", "t00002"), hidden=True),
        StopRequested(**ASKED, request="r5", trials=("t00003",)),
        recorded.launched("t00014", attempt=3, from_epoch=6, until_epoch=18),
        recorded.reported("t00014", 7, 0.9, attempt=3),
        recorded.driver(),
        Extended(**ASKED, request="r6", epochs=9000),
        recorded.stopped("interrupted"),
    ]


def test_every_trial_is_what_the_whole_journal_says_of_it(tmp_path: Path, events: list[Event]) -> None:
    storage = written(tmp_path, events)
    assert len(journal.segment_files(storage.path(journal.FOLDER))) > 3
    whole = History.of(events)
    for trial, record in whole.trials.items():
        found = excerpt(storage, [trial])
        assert found.trials == {trial: record}
        assert found.started == whole.started
    assert excerpt(storage, ["t00007", "t00014"]).trials == {name: whole.trials[name] for name in ("t00007", "t00014")}


def test_trial_that_is_not_there_is_not_in_it(tmp_path: Path) -> None:
    assert excerpt(recorded.store(tmp_path, recorded.sweep()), ["t99999"]).trials == {}
    with pytest.raises(NotASweep, match="no journal there"):
        excerpt(Storage(tmp_path / "nowhere"), ["t00001"])


def test_driver_that_is_gone_without_a_word_has_interrupted_its_trials(tmp_path: Path) -> None:
    events = [*recorded.sweep(reason=None), recorded.launched("t00014", attempt=3, from_epoch=6, until_epoch=18)]
    found = excerpt(written(tmp_path, events), ["t00014"])
    assert found.trials == {"t00014": History.of([*events, DriverStopped(at=recorded.AT, reason="interrupted")]).trials["t00014"]}
    assert found.trials["t00014"].status == "pending"


def test_torn_line_is_left_out_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path, recorded.sweep(), tables=False)
    [segment] = journal.segment_files(storage.path(journal.FOLDER))
    content = segment.read_bytes()
    lines = content.splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines, 1) if b'"t00007"' in line and b"Reported" in line)
    segment.write_bytes(content + b'{"n":999,"event":"Reported","trial":"t00007"')
    assert excerpt(storage, ["t00007"]).trials["t00007"].status == "completed"
    lines[place - 1] = lines[place - 1][:-2] + b"\n"
    segment.write_bytes(b"".join(lines))
    with pytest.raises(Unreadable, match=f"jsonl:{place}: not an event"):
        excerpt(storage, ["t00007"])
    assert excerpt(storage, ["t00001"]).trials["t00001"].epochs == 6
