"""Finals and confirmations through Ray, as a user starts them: killed, moved, several at once, and the same to the last bit."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sweeps import START, by_quality, flat_cost, make_sweep
from test_tuner_ray_driver import call, environment, start

from results import journal
from results.events import Reported, Tested, seconds
from results.history import History
from results.storage import Storage
from tuner.session import hold
from tuner.simulate import simulate
from tuner.verify import verify

pytestmark = pytest.mark.ray

SEARCH = {"trials": 2, "parameters": {"lr": {"loguniform": [1e-5, 1e-2]}, "weight_decay": {"loguniform": [1e-6, 1e-4]}}}
STAGES = [{"epochs": 3}, {"epochs": 4, "overrides": {"ema_decay": 0.9}, "search": SEARCH}]

# The command line on a cluster that pretends to have three GPUs: slots are counted by them, torch finds none and trains on the CPU.
PRETEND = """
import ray, sys
from tuner import ray_cluster
connect = ray_cluster.connect
def pretended(address, **options):
    import os
    os.environ.update(ray_cluster.TUNE_SETTINGS)
    if not ray.is_initialized():
        ray.init(address="local", num_cpus=4, num_gpus=3, include_dashboard=False, log_to_driver=False)
ray_cluster.connect = pretended
from tuner.cli.main import main
main()
"""


def searched(folder: Path) -> Storage:
    """Store a finished sweep over the digits, searched by simulated workers: only its recipes matter here."""
    storage = Storage(folder / "runs" / "tiny")
    sweep = make_sweep(
        name="tiny",
        data={"name": "digits", "validation": 200, "train_examples": 600},
        trial={
            "model": {"family": "resnet", "blocks": [1], "channels": 8},
            "lr": {"loguniform": [3e-2, 1e-1]},
            "schedule": "cosine",
            "dropout": 0.1,
            "augment": {"crop": 1},
            "batch_size": 32,
        },
        scheduler={"none": {"max_epochs": 2}},
        trials=3,
        final={"seeds": [0, 1], "stages": STAGES, "ensemble": {"max_members": 3}},
    )
    with hold(sweep, storage, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(1), num_workers=1, start_s=START)
    return storage


def reports(root: Path) -> int:
    return sum(isinstance(event, Reported) for folder in root.rglob("journal") for event in journal.read(Storage(folder.parent)))


def results(final: Path) -> dict[str, Any]:
    """Return what must not depend on kills, on where it lies, or on what else was trained: weights, choices, figures."""
    metrics, told = json.loads((final / "metrics.json").read_bytes()), json.loads((final / "lineage.json").read_bytes())
    tested = json.loads((final / "test.json").read_bytes())
    return {
        "weights": tested["weights"], "figures": tested["figures"], "chosen": tested["chosen"],
        "model": (final / "model.safetensors").read_bytes(),
        "stages": told["stages"], "values": [run["values"] for run in metrics["runs"]], "accuracy": metrics["val_accuracy"],
    }  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two trials promoted together, on three GPUs that are none."""
    folder = tmp_path_factory.mktemp("undisturbed")
    searched(folder)
    done = subprocess.run(
        [sys.executable, "-c", PRETEND, "promote", "tiny", "--top", "2"],
        cwd=folder, env=environment(folder) | {"SHORTLIST_PRETEND_GPUS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "runs" / "tiny"


def test_several_finals_are_trained_at_once_on_several_gpus_and_each_is_tested_once(undisturbed: Path) -> None:
    finals = sorted((undisturbed / "finals").glob("t*"))
    assert len(finals) == 2
    spans = []
    for final in finals:
        history = History.of(journal.read(Storage(final / "stages" / "01")))
        spans.append(
            (
                min(seconds(run.attempts[0].at) for run in history.trials.values()),
                max(seconds(run.ended_at or "") for run in history.trials.values()),
            )
        )
        tested = [event for event in journal.read(Storage(final)) if isinstance(event, Tested)]
        record = json.loads((final / "test.json").read_bytes())
        assert len(record["opened_at"]) == 1
        assert {event.trial for event in tested} == set(record["figures"])
        last = max(event.at for event in journal.read(Storage(final)) if isinstance(event, Reported))
        assert record["opened_at"][0] > last, "after every choice: no run was still in training"
    assert max(begin for begin, _ in spans) < min(end for _, end in spans), "one after the other"


def test_promoted_finals_are_put_together_where_validation_says_so_and_the_ensemble_is_tested_once(undisturbed: Path) -> None:
    (record,) = (undisturbed / "ensembles").glob("*.json")
    selected = json.loads(record.read_bytes())
    assert len(selected["candidates"]) == 4, "two trials, two seeds each"
    made = list((undisturbed / "finals").glob("ensemble-*"))
    assert len(made) == (len(selected["shares"]) > 1)
    for place in map(Storage, made):
        members = json.loads(place.read("metrics.json"))["members"]
        assert [member["share"] for member in members] == [share for _, share in selected["shares"]]
        assert 2 <= len(members) <= 3
        assert len(json.loads(place.read("test.json"))["opened_at"]) == 1
        assert verify(place).good


def test_final_that_was_killed_moved_and_gone_on_with_equals_the_undisturbed_one(undisturbed: Path, tmp_path: Path) -> None:
    storage = searched(tmp_path)
    process = start(tmp_path, "promote", "tiny")
    deadline = time.monotonic() + 120
    while reports(storage.root / "finals") < 8:  # six of the first stage: the second one has begun
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(storage.root.glob("finals/*/test.json"))
    moved = tmp_path / "elsewhere" / "tiny"
    moved.parent.mkdir()
    storage.root.rename(moved)
    call(tmp_path, "promote", "tiny", "--storage", "elsewhere")
    (final,) = (moved / "finals").glob("t*")
    assert results(final) == results(undisturbed / "finals" / final.name)
    assert len(json.loads((final / "test.json").read_bytes())["opened_at"]) == 1
    again = call(tmp_path, "promote", "tiny", "--storage", "elsewhere")
    assert "nothing was trained" in again.stdout


def test_leaders_are_confirmed_and_the_sweep_remembers_it(tmp_path: Path) -> None:
    storage = searched(tmp_path)
    told = json.loads(call(tmp_path, "confirm", "tiny", "--top", "2", "--seeds", "2", "-o", "json").stdout)
    assert told["runs"] == 4
    history = History.of(journal.read(storage))
    for row in told["trials"]:
        known = history.trials[row["trial"]].confirmed
        assert known is not None
        assert (known.mean, known.n, known.confirmation) == (row["figures"]["mean"], 2, told["confirmation"])
    assert "confirmed %" in call(tmp_path, "leaderboard", "tiny").stdout
