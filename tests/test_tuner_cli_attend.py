"""The commands for a sweep that runs, or has ended: typed as a user types them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sweeps import START, by_quality, flat_cost, make_sweep
from typer.testing import CliRunner

from results import journal
from results.events import DriverStopped, Extended, Hidden, Noted, StopRequested, Tagged
from results.history import History
from results.storage import Storage
from tuner.interrupts import StopAsked
from tuner.session import hold
from tuner.simulate import simulate

ROOT = Path(__file__).parents[1]

# A driver in a process of its own: simulated workers, a real session that looks into its inbox.
DRIVER = """
import sys, time
sys.path.insert(0, "tests")
from pathlib import Path
from sweeps import by_quality, flat_cost, make_sweep
from results.storage import Storage
from tuner.session import hold
from tuner.simulate import simulate

with hold(make_sweep(trials=3), Storage(Path(sys.argv[1])), source=None, cost=flat_cost) as session:
    session.start(1)
    simulate(session.search, by_quality(0), num_workers=1, start_s=time.time())
    print("driving", flush=True)
    while True:
        session.look_up(time.time(), (10.0, 20.0))
        session.refresher.maybe()
        time.sleep(0.05)
"""


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """A sweep that has ended, under the name `test` in the storage folder."""
    monkeypatch.chdir(tmp_path)
    storage = Storage(tmp_path / "runs" / "test")
    with hold(make_sweep(trials=6), storage, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(0), num_workers=1, start_s=START)
    return storage


def call(*arguments: str, expected: int = 0) -> str:
    from tuner.cli.main import app

    result = CliRunner().invoke(app, arguments)
    if expected:
        assert result.exception is not None
        return str(result.exception)
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.output


def history(storage: Storage) -> History:
    return History.of(journal.read(storage))


def rows(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(call("leaderboard", "test", "-o", "json", *arguments))
    return found


def test_notes_tags_and_hiding_without_a_driver_are_journaled_at_once(storage: Storage) -> None:
    assert call("note", "test", "3", "loss spikes") == "noted on t00003\n"
    call("note", "test", "node 7 is slow")
    call("tag", "test", "t00003", "baseline", "candidate")
    call("untag", "test", "t00003", "candidate")
    call("hide", "test", "1", "2")
    call("unhide", "test", "2")
    record = history(storage).trials["t00003"]
    assert ([note.text for note in record.notes], record.tags) == (["loss spikes"], ("baseline",))
    assert history(storage).finished
    shown = {row["trial"]: row for row in rows("--all")}
    assert shown["t00003"]["tags"] == "baseline"
    assert shown["t00003"]["notes"].endswith(": loss spikes")
    assert (shown["t00001"]["hidden"], shown["t00002"]["hidden"]) == (True, False)
    assert shown["t00001"]["rank"] is not None
    assert "t00001" not in {row["trial"] for row in rows()}
    assert "1 hidden: shortlist leaderboard test --all" in call("leaderboard", "test")
    assert "node 7 is slow" in call("status", "test")


def test_hidden_trials_are_not_promoted_unless_they_are_named(storage: Storage) -> None:
    from tuner.finals import choose

    first, second = (row["trial"] for row in rows()[:2])
    call("hide", "test", first)
    sweep = make_sweep(trials=6)
    assert [record.trial for record in choose(history(storage), sweep, trials=(), top=1)] == [second]
    assert [record.trial for record in choose(history(storage), sweep, trials=(first,), top=1)] == [first]
    assert call("leaderboard", "test").splitlines()[-1] == f"next: shortlist promote test --trial {second}"


def test_extending_a_sweep_that_has_ended_makes_resume_go_on(storage: Storage) -> None:
    assert call("extend", "test", "--trials", "+4").splitlines() == ["extended test by 4 trials", "next: shortlist resume test"]
    assert "next: shortlist resume test" in call("status", "test")
    assert json.loads(call("status", "test", "-o", "json"))["state"] == "extended"
    with hold(make_sweep(trials=6), storage, source=None, cost=flat_cost) as session:
        assert not session.finished
        session.start(1)
        simulate(session.search, by_quality(0), num_workers=1, start_s=START)
    assert len(history(storage).trials) == 10
    assert history(storage).finished


def test_what_cannot_be_done_is_refused_and_nothing_is_journaled(storage: Storage) -> None:
    before = list(journal.read(storage))
    completed = next(record.trial for record in history(storage).trials.values() if record.status == "completed")
    for arguments, message in [
        (("stop", "test"), "no driver is at work, there is nothing to stop"),
        (("stop", "test", "99"), "has no trial t00099"),
        (("stop", "test", completed), "is completed already"),
        (("extend", "test"), "name at least one of --trials"),
        (("extend", "test", "--trials", "5"), "must be more than the 6 trials"),
        (("extend", "test", "--wall-clock", "2h"), "no limit of seconds of wall clock"),
        (("tag", "test", "1", "two words"), "'two words' is no tag"),
        (("note", "test", "1", "a", "b"), "must be one text, in quotes"),
    ]:
        assert message in call(*arguments, expected=2)
    assert list(journal.read(storage)) == before
    assert not storage.exists("requests") or not list(storage.path("requests").iterdir())


@pytest.mark.slow
def test_driver_at_work_obeys_what_other_processes_ask_and_stops_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = Storage(tmp_path / "runs" / "live")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(storage.root)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "driving\n", process.communicate()[1]
    call("note", "live", "1", "asked from elsewhere")
    call("hide", "live", "2")
    call("extend", "live", "--trials", "+2")
    assert "t00099" in call("stop", "live", "99", expected=2)
    stopped = next(record.trial for record in history(storage).trials.values() if record.ended is None)
    assert call("stop", "live", stopped) == f"stopped {stopped}\n"
    events = list(journal.read(storage))
    assert {Noted, Hidden, Extended, StopRequested} <= {type(event) for event in events}
    assert History.of(events).trials[stopped].status == "stopped"
    assert json.loads(call("status", "live", "-o", "json"))["driver"]["pid"] == process.pid
    call("stop", "live")
    error = process.communicate(timeout=30)[1]
    assert "StopAsked: stopped by" in error
    last = list(journal.read(storage))[-1]
    assert isinstance(last, DriverStopped)
    assert last.reason == "stopped"
    assert not list(storage.path("requests").iterdir())
    assert "next: shortlist resume live" in call("leaderboard", "live")


def test_stop_that_nobody_heard_does_not_end_the_next_driver(storage: Storage) -> None:
    from tuner import requests

    call("extend", "test", "--trials", "7")
    requests.send(storage, StopRequested(at="x", request="late", author="ada", trials=()))
    requests.send(storage, Tagged(at="x", request="tag", author="ada", trial="t00001", added=("kept",), removed=()))
    with hold(make_sweep(trials=6), storage, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(0), num_workers=1, start_s=START)
    assert len(history(storage).trials) == 7
    assert history(storage).trials["t00001"].tags == ("kept",)


def test_a_driver_that_is_told_to_stop_closes_its_journal(storage: Storage) -> None:
    from tuner import requests

    call("extend", "test", "--trials", "7")

    def stopped_from_elsewhere() -> None:
        with hold(make_sweep(trials=6), storage, source=None, cost=flat_cost) as session:
            session.start(1)
            requests.send(storage, StopRequested(at="x", request="now", author="ada", trials=()))
            session.look_up(0.0)

    with pytest.raises(StopAsked, match="stopped by ada"):
        stopped_from_elsewhere()
    last = list(journal.read(storage))[-1]
    assert isinstance(last, DriverStopped)
    assert last.reason == "stopped"


def test_status_imports_neither_torch_nor_ray_nor_pandas(storage: Storage) -> None:
    script = (
        "import sys; from tuner.cli.main import app; app(['status', 'test'], standalone_mode=False); "
        "print(sorted({'torch', 'ray', 'pandas', 'optuna'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.stderr == "[]\n"
    assert done.stdout.startswith("sweep     test, finished since ")
