"""Real sweeps through Ray, as a user starts them: the command line in a process of its own, so that it can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from results import journal
from results.events import DriverStopped, Ended, Launched, Reported, Tested
from results.history import History
from results.storage import Storage

pytestmark = pytest.mark.ray

# What nobody can foresee before the first trial.
FAILS_IN_TRAINING = """
import torch

class Net(torch.nn.Module):
    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.head = torch.nn.Linear(in_channels * 64, num_classes)

    def forward(self, images):
        if self.training and images.device.type != "meta":
            raise RuntimeError("no gradient today")
        return self.head(images.flatten(1))

def make(in_channels, num_classes):
    return Net(in_channels, num_classes)
"""

SWEEP = """
version: 1
name: tiny
seed: 3
data: {name: digits, validation: 200, train_examples: 600}
trial:
  model: {family: resnet, blocks: [1], channels: {choice: [4, 8]}}
  optimizer: {choice: [sgd, adam]}
  lr: {loguniform: [1e-3, 1e-1]}
  batch_size: {choice: [32, 64]}
search: {sampler: random, trials: 9}
scheduler: {asha: {variant: promotion, min_epochs: 1, max_epochs: 9, eta: 3}}
"""

# What a leaderboard says apart from times, places and which attempt wrote a checkpoint.
STABLE = ("rank", "trial", "config_hash", "status", "rung_epochs", "score", "best_score", "best_epoch", "last_score", "val_accuracy")
STABLE += ("val_loss", "train_accuracy", "train_loss", "epochs", "parameters", "flops_per_image", "seed")
STABLE += ("checkpoint", "config.model.channels", "config.optimizer", "config.lr", "config.batch_size")


# The command line with workers that leave their process ids behind when Ray creates them, and that hold still after so many epochs each
# for as long as there is a file `hold`: whatever is to happen in the middle of the sweep does.
WATCHED = """
import os, sys, time
from tuner import ray_cluster
from tuner.cli.main import main

connect = ray_cluster.connect
ACTORS, HOLD, EPOCHS = os.path.abspath("actors"), os.path.abspath("hold"), int(sys.argv.pop(1))

def watched(*arguments, **options):
    connect(*arguments, **options)
    import tuner.ray_driver as driver
    if driver.RayTrial.__name__ == "WatchedTrial":
        return

    class WatchedTrial(driver.RayTrial):
        def setup(self, config):
            with open(ACTORS, "a") as file:
                file.write(f"{os.getpid()}\\n")
            super().setup(config)
            self.epochs = 0

        def step(self):
            while self.epochs >= EPOCHS and os.path.exists(HOLD):
                time.sleep(0.05)
            self.epochs += 1
            return super().step()

    driver.RayTrial = WatchedTrial

ray_cluster.connect = watched
main()
"""


# The command line, and a person who asks for one trial more at the very moment at which the last one has come home.
LATE = """
import time
from results.events import Extended, stamp
from tuner import progress, requests
from tuner.cli.main import main

display = progress.display

def shown(sessions, slots):
    drawn, (session,) = display(sessions, slots), sessions
    update, asked = drawn.update, []

    def late(now):
        update(now)
        if session.search.done and not asked:
            asked.append(Extended(at=stamp(now), request="late", author="ada", trials=session.search.num_trials + 1))
            requests.send(session.storage, asked[0])
            session.obey_waiting(now)

    drawn.update = late
    return drawn

progress.display = shown
main()
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from tuner.cli.main import main; main()", *arguments]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"HOME": str(folder), "SHORTLIST_CACHE": str(folder / "cache"), "NO_COLOR": "1"}


def call(folder: Path, *arguments: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command(*arguments), cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300)
    assert done.returncode == expected, done.stdout + done.stderr
    return done


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments), cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def start_and_hold(folder: Path, epochs: int, *arguments: str, workers: int = 1) -> subprocess.Popen[str]:
    """Return a sweep of which each worker has reported so many epochs and trains no more before the file `hold` is gone."""
    (folder / "hold").touch()
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED, str(epochs), "run", "tiny.yaml", "-s", f"resources.workers={workers}", *arguments],
        cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    wait_for_reports(Storage(folder / "runs" / "tiny"), epochs * workers, process)
    return process


def wait_for_reports(storage: Storage, number: int, process: subprocess.Popen[str]) -> None:
    """Return once so many epochs are journaled; a sweep that ends before is a failure of the test."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        if sum(isinstance(event, Reported) for event in journal.read(storage)) >= number:
            return
        time.sleep(0.05)
    raise AssertionError(f"no {number} reports within two minutes")


def stable(storage: Storage) -> list[dict[str, Any]]:
    return pq.read_table(storage.path("leaderboard.parquet"), columns=list(STABLE)).to_pylist()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(SWEEP)
    return tmp_path


def test_extension_that_comes_after_the_last_trial_came_home_is_trained_by_the_same_driver(folder: Path) -> None:
    arguments = ("run", "tiny.yaml", "-s", "search.trials=2", "-s", "scheduler={none: {max_epochs: 1}}")
    done = subprocess.run(
        [sys.executable, "-c", LATE, *arguments], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    history = History.of(journal.read(Storage(folder / "runs/tiny")))
    assert [record.status for record in history.trials.values()] == ["completed"] * 3
    assert history.finished


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the sweep was searched by two workers that left their process ids behind."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "tiny.yaml").write_text(SWEEP)
    arguments = [sys.executable, "-c", WATCHED, "0", "run", "tiny.yaml", "-s", "resources.workers=2"]
    done = subprocess.run(arguments, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "shortlist promote tiny" in done.stdout
    return folder


def test_as_many_actors_are_created_as_there_are_slots(searched: Path) -> None:
    segments = sum(isinstance(event, Launched) for event in journal.read(Storage(searched / "runs" / "tiny")))
    assert segments > 9
    assert len((searched / "actors").read_text().splitlines()) == 2


def test_sweep_is_searched_and_its_winner_promoted_once(searched: Path) -> None:
    folder = searched
    storage = Storage(folder / "runs" / "tiny")
    events = list(journal.read(storage))
    assert isinstance(events[-1], DriverStopped)
    assert events[-1].reason == "finished"
    assert not list(storage.path("trials").glob("*/export")), "a search must never read the test split"

    again = call(folder, "run", "tiny.yaml", "-s", "resources.workers=2")
    assert "had ended already" in again.stdout
    assert list(journal.read(storage)) == events

    promoted = json.loads(call(folder, "promote", "tiny", "--epochs", "6", "--seed", "1", "--seed", "2", "-o", "json").stdout)
    final = Storage(Path(folder, promoted[0]["folder"]))
    for name in ("model.safetensors", "model.py", "metrics.json", "lineage.json", "README.md", "curves.parquet", "leaderboard.parquet"):
        assert final.exists(name), name
    final_events = list(journal.read(final))
    assert sorted(event.trial for event in final_events if isinstance(event, Tested)) == ["t00001", "t00002"]
    assert {run["seed"] for run in promoted[0]["runs"]} == {1, 2}
    used = "import torch; from model import *; classify = probabilities(torch.zeros(3, *IMAGE, dtype=torch.uint8), load())"
    used += "; print(classify.shape == (3, len(CLASSES)))"
    assert subprocess.run([sys.executable, "-c", used], cwd=final.root, capture_output=True, text=True, check=True).stdout == "True\n"
    best = max(promoted[0]["runs"], key=lambda run: run["val_accuracy"])
    assert promoted[0]["seed"] == best["seed"], "validation picks the weights"

    twice = json.loads(call(folder, "promote", "tiny", "--epochs", "6", "--seed", "1", "--seed", "2", "-o", "json").stdout)
    assert twice == promoted
    assert list(journal.read(final)) == final_events


def test_finals_that_the_sweep_file_asks_for_are_trained_at_the_end_of_the_run(folder: Path) -> None:
    final = "final={top: 2, epochs: 3, seeds: [0, 1], overrides: {dropout: 0.2, schedule: cosine}}"
    done = call(folder, "run", "tiny.yaml", "-s", "search.trials=3", "-s", "scheduler.asha.max_epochs=2", "-s", final)
    finals = sorted((folder / "runs" / "tiny" / "finals").iterdir())
    assert len(finals) == 2
    for place in finals:
        runs = json.loads((place / "metrics.json").read_text())["runs"]
        assert sorted(run["seed"] for run in runs) == [0, 1]
        assert json.loads((place / "lineage.json").read_text())["config"]["dropout"] == 0.2
        assert f"{place.name}: test accuracy" in done.stdout


def test_driver_killed_and_checkpoints_damaged_and_resumed_gives_the_undisturbed_leaderboard(folder: Path) -> None:
    """Under the other variant of ASHA than in the tests of kills, where no checkpoint is damaged and no epoch is trained twice."""
    options = ("-s", "resources.workers=1", "-s", "scheduler.asha.variant=stopping")
    call(folder, "run", "tiny.yaml", *options)
    storage = Storage(folder / "runs" / "tiny")
    undisturbed = stable(storage)
    storage.root.rename(folder / "undisturbed")

    process = start_and_hold(folder, 6, *options)
    process.kill()
    process.communicate()
    assert not any(isinstance(event, DriverStopped) for event in journal.read(storage))
    checkpoints = list(storage.path("trials").glob("*/checkpoints/*/state.pt"))
    assert checkpoints
    for checkpoint in checkpoints:
        checkpoint.write_bytes(b"damaged")
    call(folder, "resume", "tiny")
    assert stable(storage) == undisturbed


UNINTERRUPTED = """
import json, sys
import torch
from dataclasses import asdict
from trainable.config.train import TrainConfig
from trainable.data.resident import resident
from trainable.training import Training

torch.set_num_threads(1)
config = TrainConfig.model_validate_json(sys.argv[1])
training = Training(config, resident(config.data, torch.device("cpu")), torch.device("cpu"))
print(json.dumps([asdict(training.train_epoch()) for _ in range(config.max_epochs)]))
"""


def test_trial_of_several_segments_equals_an_uninterrupted_one_to_the_bit(folder: Path) -> None:
    recipe = {"optimizer": "nadam", "schedule": "onecycle", "ema_decay": 0.9, "lookahead_k": 4, "mixup": 0.2, "cutmix": 1.0}
    recipe |= {"accumulation": 2, "dropout": 0.2, "label_smoothing": 0.1, "clip_norm": 1.0, "keep_best": True, "patience": 50}
    options = [option for name, value in recipe.items() for option in ("-s", f"trial.{name}={value}".replace("True", "true"))]
    call(folder, "run", "tiny.yaml", "-s", "resources.workers=2", "-s", "trial.augment={crop: 1}", *options)
    history = History.of(journal.read(Storage(folder / "runs" / "tiny")))
    record = next(record for record in history.trials.values() if record.status == "completed")
    assert len(record.attempts) == 3
    done = subprocess.run(
        [sys.executable, "-c", UNINTERRUPTED, json.dumps(record.config)],
        env=environment(folder), capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    figures = ("epoch", "val_accuracy", "val_loss", "train_accuracy", "train_loss", "lr")
    expected = [tuple(epoch[name] for name in figures) for epoch in json.loads(done.stdout)]
    assert [tuple(getattr(report, name) for name in figures) for report in record.curve.values()] == expected


def test_final_that_is_out_of_patience_is_tested_with_its_best_weights(searched: Path) -> None:
    options = ("-s", "patience=2", "-s", "keep_best=true", "-s", "optimizer=adam", "-s", "lr=0.03", "-s", "schedule=constant")
    options += ("--epochs", "60", "--seed", "1", "--seed", "2")
    (final,) = json.loads(call(searched, "promote", "tiny", *options, "-o", "json").stdout)
    storage = Storage(searched / final["folder"])
    history = History.of(journal.read(storage))
    for run, record in zip(sorted(final["runs"], key=lambda run: run["trial"]), history.trials.values(), strict=True):
        assert record.status == "completed"
        assert record.epochs < 60
        assert record.reason == f"no better val_accuracy in 2 epochs; the best was at epoch {record.epochs - 2}"
        assert run["epochs"] == record.epochs
        assert run["epoch"] == record.epochs - 2
        assert run["val_accuracy"] == max(report.val_accuracy for report in record.curve.values())
    assert final["val_accuracy"] == max(run["val_accuracy"] for run in final["runs"])
    assert "after epoch" in storage.read("README.md").decode()


def test_interrupt_closes_the_journal_and_says_how_to_go_on(folder: Path) -> None:
    process = start_and_hold(folder, 3, "-s", "scheduler.asha.max_epochs=81", workers=2)
    storage = Storage(folder / "runs" / "tiny")
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert output.splitlines()[-1] == "interrupted; everything so far is kept, go on with: shortlist resume tiny"
    assert "Traceback" not in output
    last = list(journal.read(storage))[-1]
    assert isinstance(last, DriverStopped)
    assert last.reason == "interrupted"


def test_worker_killed_in_the_middle_costs_no_trial_and_no_epoch_twice(folder: Path) -> None:
    process = start_and_hold(folder, 3, "-s", "scheduler.asha.max_epochs=27", workers=2)
    storage = Storage(folder / "runs" / "tiny")
    worker = [event.worker for event in journal.read(storage) if isinstance(event, Reported)][-1]
    os.kill(int(worker.rpartition(":")[2]), signal.SIGKILL)
    (folder / "hold").unlink()
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    events = list(journal.read(storage))
    assert any(isinstance(event, Launched) and event.why == "retry" for event in events)
    reports = [(event.trial, event.epoch) for event in events if isinstance(event, Reported)]
    assert len(reports) == len(set(reports))
    assert {event.status for event in events if isinstance(event, Ended)} == {"completed"}
    assert pq.read_table(storage.path("leaderboard.parquet")).num_rows == 9


def test_diverging_trial_is_journaled_with_its_reason_and_the_others_go_on(folder: Path) -> None:
    options = ("-s", "resources.workers=1", "-s", "search.trials=4", "-s", "trial.lr={choice: [0.01, 1000.0]}", "-s", "trial.optimizer=sgd")
    done = call(folder, "run", "tiny.yaml", *options)
    rows = pq.read_table(Storage(folder / "runs" / "tiny").path("leaderboard.parquet")).to_pylist()
    lost = [row for row in rows if row["status"] == "diverged"]
    assert lost
    assert all(row["config.lr"] == 1000.0 and row["rank"] is None and "lower lr" in row["reason"] for row in lost)
    assert {row["status"] for row in rows if row["config.lr"] == 0.01} <= {"paused", "completed"}
    assert "Traceback" not in done.stdout + done.stderr


def test_sweep_in_which_every_trial_fails_ends_with_code_one_and_the_reason(folder: Path) -> None:
    (folder / "nets.py").write_text(FAILS_IN_TRAINING)
    done = call(folder, "run", "tiny.yaml", "-s", "trial.model={builder: 'nets:make'}", "-s", "search.trials=2", expected=1)
    assert "all 2 trials failed, 2 of them with: " in done.stderr
    assert "no gradient today" in done.stderr


def test_unreachable_cluster_ends_with_code_four_and_a_remedy(folder: Path) -> None:
    done = call(folder, "run", "tiny.yaml", "--address", "127.0.0.1:1", expected=4)
    assert "no Ray cluster answers at 127.0.0.1:1: Connection refused; start one with" in done.stderr
    assert "Traceback" not in done.stderr
