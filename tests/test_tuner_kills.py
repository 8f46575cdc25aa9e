"""Real sweeps through Ray whose driver is killed, stopped or told things from outside. `make soak` kills more often."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from soak import finished, soak
from test_tuner_ray_driver import SWEEP, call, environment, start

from results import journal
from results.events import DriverStopped, Event, Launched, Reported, seconds
from results.history import History
from results.storage import Storage

pytestmark = pytest.mark.ray

# An epoch shows each image so often that it takes many minutes: nobody can have waited for its end.
ENDLESS = ("-s", "trial.augment={repeats: 1000}", "-s", "trial.batch_size=16", "-s", "resources.workers=2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(SWEEP)
    return tmp_path


def wait_for(storage: Storage, seen: Callable[[list[Event]], bool], process: "subprocess.Popen[str]") -> None:
    """Return once the journal is as it should be; a sweep that ends before is a failure of the test."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        if seen(list(journal.read(storage))):
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that within two minutes")


def launched(number: int) -> Callable[[list[Event]], bool]:
    return lambda events: sum(isinstance(event, Launched) for event in events) >= number


def test_sweep_of_one_worker_that_was_killed_again_and_again_has_the_undisturbed_leaderboard(tmp_path: Path) -> None:
    seen = soak(tmp_path, kills=2, workers=1, seed=1)
    assert seen["in_a_write"] == 1
    assert seen["epochs_reported_twice"] == 0
    assert seen["killed"] == seen["undisturbed"]


def test_sweep_of_several_workers_that_was_killed_again_and_again_finishes_the_same_work(tmp_path: Path) -> None:
    seen = soak(tmp_path, kills=2, workers=2, seed=2)
    assert seen["in_a_write"] == 1
    assert seen["epochs_reported_twice"] == 0
    assert finished(seen["killed"]) == finished(seen["undisturbed"])


def test_sigterm_closes_the_journal_and_no_worker_is_awaited(folder: Path) -> None:
    process = start(folder, "run", "tiny.yaml", *ENDLESS)
    storage = Storage(folder / "runs" / "tiny")
    wait_for(storage, launched(2), process)
    sent = time.time()
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    left_s = time.time() - sent
    assert process.returncode == 130, output
    events = list(journal.read(storage))
    assert not any(isinstance(event, Reported) for event in events)
    last = events[-1]
    assert isinstance(last, DriverStopped)
    assert last.reason == "interrupted"
    print(f"journal closed after {seconds(last.at) - sent:.2f} s, process gone after {left_s:.2f} s")
    assert seconds(last.at) - sent < 10
    assert left_s < 30


def test_stop_from_another_process_ends_the_driver_and_resume_goes_on(folder: Path) -> None:
    process = start(folder, "run", "tiny.yaml", *ENDLESS)
    storage = Storage(folder / "runs" / "tiny")
    wait_for(storage, launched(2), process)
    assert call(folder, "stop", "tiny").stdout == "stopped tiny\n"
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "stopped by " in output.splitlines()[-1]
    assert "go on with: shortlist resume tiny" in output.splitlines()[-1]
    last = list(journal.read(storage))[-1]
    assert isinstance(last, DriverStopped)
    assert last.reason == "stopped"
    assert json.loads(call(folder, "status", "tiny", "-o", "json").stdout)["state"] == "stopped"


def test_stopped_trial_frees_its_worker_and_an_extension_is_trained_in_the_same_run(folder: Path) -> None:
    impatient = "import tuner.ray_driver as driver; driver.PATIENCE_S = 1.0"
    program = f"from tuner import ray_cluster\nconnect = ray_cluster.connect\ndef soon(*a, **k):\n    connect(*a, **k)\n    {impatient}\n"
    program += "ray_cluster.connect = soon\nfrom tuner.cli.main import main\nmain()"
    options = ("-s", "search.trials=2", "-s", "resources.workers=1", "-s", "scheduler={none: {max_epochs: 2}}")
    options += ("-s", "search.sampler=grid", "-s", "trial.optimizer=adam", "-s", "trial.lr=0.01", "-s", "trial.batch_size=64")
    options += ("-s", "trial.model.channels=4", "-s", "trial.augment={repeats: {choice: [1000, 1, 2]}}")
    process = subprocess.Popen(
        [sys.executable, "-c", program, "run", "tiny.yaml", *options],
        cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    storage = Storage(folder / "runs" / "tiny")
    wait_for(storage, launched(1), process)
    assert "extended tiny by 1 trials" in call(folder, "extend", "tiny", "--trials", "+1").stdout
    call(folder, "note", "tiny", "1", "far too slow")
    assert call(folder, "stop", "tiny", "1").stdout == "stopped t00001\n"
    output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    history = History.of(journal.read(storage))
    assert {trial: record.status for trial, record in history.trials.items()} == {
        "t00001": "stopped", "t00002": "completed", "t00003": "completed",
    }  # fmt: skip
    first = history.trials["t00001"]
    assert first.epochs == 0
    assert first.reason.startswith("stopped by ")
    assert [note.text for note in first.notes] == ["far too slow"]
    assert not first.losses
