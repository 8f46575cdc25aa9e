"""A journal cut after any event, or at any byte, and gone on with ends in the leaderboard of the sweep that nobody disturbed."""

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sweeps import START, Recorder, by_quality, flat_cost, make_search, make_sweep

from results import journal, leaderboard
from results.events import DriverStarted, DriverStopped, Event, Reported, stamp
from results.history import History
from results.journal import Journal
from results.storage import Storage
from search_spaces.sweep import Sweep
from tuner.session import hold
from tuner.simulate import simulate

ASHA = {"min_epochs": 1, "max_epochs": 9, "eta": 3}
VARIANTS: dict[str, dict[str, Any]] = {
    "promotion": {"asha": ASHA},
    "delayed": {"asha": ASHA | {"delayed": True}},
    "stopping": {"asha": ASHA | {"variant": "stopping"}},
    "hyperband with patience": {"hyperband": ASHA, "patience": {"epochs": 3, "min_delta": 0.01}},
    "median": {"median": {"max_epochs": 9, "min_trials": 2}},
}
NOBODY_STOPS = {"none": {"max_epochs": 4}}

# Epochs trained again cost device time; the rest is clocks.
TIMES = frozenset({"wall_s", "device_s", "images_per_s", "started_at", "ended_at"})
CUTS = 200


def run_to_end(sweep: Sweep, events: Sequence[Event] = (), workers: int = 1) -> list[Event]:
    """Return the whole journal of a sweep that goes on after `events`; its first event says what is searched."""
    recorder = Recorder()
    recorder.events = list(events)
    search, _ = make_search(sweep, events, recorder)
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=workers))
    simulate(search, by_quality(3), num_workers=workers, start_s=START)
    search.record(DriverStopped(at=stamp(START), reason="finished"))
    return recorder.events


def begun(sweep: Sweep, folder: Path) -> list[Event]:
    """Return the first events of a sweep as a driver writes them."""
    with hold(sweep, Storage(folder), source=None, cost=flat_cost):
        pass
    return [event for event in journal.read(Storage(folder)) if not isinstance(event, DriverStopped)]


def rows(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return the leaderboard without times, and without the attempt that wrote a checkpoint (the real driver leaves that out)."""
    table = leaderboard.derive(History.of(events))
    kept = table.drop_columns([name for name in table.column_names if name in TIMES]).to_pylist()
    return [{name: _comparable(name, value) for name, value in row.items()} for row in kept]


def _comparable(name: str, value: Any) -> Any:
    if name == "checkpoint":
        return (value or "").rpartition(".")[0]
    return "not a number" if isinstance(value, float) and math.isnan(value) else value


def finished(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    return sorted((row["config_hash"], row["status"], row["epochs"], row["score"]) for row in rows(events))


def written(folder: Path, events: Sequence[Event]) -> bytes:
    """Return the journal's one segment."""
    writer = Journal(Storage(folder))
    writer.append(events, sync=False)
    writer.close()
    return Storage(folder).path("journal/00000001.jsonl").read_bytes()


def torn(folder: Path, content: bytes, at: int) -> list[Event]:
    """Return what is read of a journal whose last write was cut off at a byte."""
    Storage(folder).write_atomic("journal/00000001.jsonl", content[:at])
    return list(journal.read(Storage(folder)))


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_leaderboard_after_a_cut_behind_any_event_is_the_undisturbed_one(variant: str, tmp_path: Path) -> None:
    sweep = make_sweep(scheduler=VARIANTS[variant])
    undisturbed = run_to_end(sweep, begun(sweep, tmp_path))
    expected = rows(undisturbed)
    assert {row["status"] for row in expected} > {"completed"}
    for cut in range(1, len(undisturbed)):
        assert rows(run_to_end(sweep, undisturbed[:cut])) == expected, f"cut behind {undisturbed[cut - 1]}"


@pytest.mark.slow
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_leaderboard_after_a_cut_at_random_bytes_is_the_undisturbed_one(variant: str, tmp_path: Path) -> None:
    sweep = make_sweep(scheduler=VARIANTS[variant])
    first = begun(sweep, tmp_path / "begun")
    undisturbed = run_to_end(sweep, first)
    expected = rows(undisturbed)
    content = written(tmp_path / "whole", undisturbed)
    rng = random.Random(variant)
    for cut in sorted(rng.sample(range(content.index(b"\n") + 1, len(content)), CUTS)):
        assert rows(run_to_end(sweep, torn(tmp_path / "torn", content, cut))) == expected, f"cut at byte {cut}"


@pytest.mark.slow
def test_several_workers_finish_the_same_work_after_a_cut_at_random_bytes(tmp_path: Path) -> None:
    sweep = make_sweep(scheduler=NOBODY_STOPS)
    undisturbed = run_to_end(sweep, begun(sweep, tmp_path / "begun"), workers=3)
    expected = finished(undisturbed)
    content = written(tmp_path / "whole", undisturbed)
    rng = random.Random(0)
    for cut in sorted(rng.sample(range(content.index(b"\n") + 1, len(content)), CUTS)):
        events = run_to_end(sweep, torn(tmp_path / "torn", content, cut), workers=rng.choice([2, 3, 5]))
        assert finished(events) == expected, f"cut at byte {cut}"
        seen = [(event.trial, event.epoch) for event in events if isinstance(event, Reported)]
        assert len(seen) == len(set(seen))


def test_sweep_on_disk_torn_again_and_again_goes_on_in_segments_of_its_own(tmp_path: Path) -> None:
    """The whole way, session and files included: each life is cut off in the middle of its last line."""
    sweep = make_sweep(scheduler=VARIANTS["promotion"])

    def live(storage: Storage, epochs: int | None) -> bool:
        with hold(sweep, storage, source=None, cost=flat_cost) as session:
            session.start(1)
            simulate(session.search, by_quality(3), num_workers=1, start_s=START, max_epochs=epochs)
            return session.search.done

    undisturbed = Storage(tmp_path / "undisturbed")
    live(undisturbed, None)
    killed = Storage(tmp_path / "killed")
    rng = random.Random(1)
    lives = 0
    while not live(killed, rng.randint(2, 5)):
        lives += 1
        last = max(killed.path("journal").iterdir())
        content = last.read_bytes()
        last.write_bytes(content[: rng.randrange(content.rindex(b'{"n":', 0, content.rindex(b'{"n":')), len(content))])
    assert lives >= 4
    assert len(list(killed.path("journal").iterdir())) == lives + 1
    assert rows(list(journal.read(killed))) == rows(list(journal.read(undisturbed)))
