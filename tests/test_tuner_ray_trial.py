"""A worker without a cluster: `RayTrial` is given its orders by hand, in a process of its own, whose memory can be limited."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import dataclasses, json, resource, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from tuner.decisions import Job
from tuner.ray_trial import EpochTrained, RayTrial, TrialEnded, WorkOrder
from pictures import recipe

root, jobs = Path(sys.argv[1]), json.loads(sys.argv[2])

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

def address_space_bytes():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()

worker = None
for number, (fields, epochs, limited) in enumerate(jobs):
    config = recipe(data={"name": "digits", "validation": 200, "train_examples": 200}, **fields)
    job = Job(trial=f"t{number:05d}", config=config, from_epoch=0, until_epoch=epochs, attempt=1, checkpoint=None, checkpoint_epochs=epochs)
    order = {"order": dataclasses.asdict(WorkOrder.of(job, root=root, threads=1, export=False))}
    if worker is None:
        worker = RayTrial(config=order)
    else:
        worker.config = order
        assert worker.reset_config(order)
    if limited:  # all that is there, and 256 MiB
        resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes() + 2**28, resource.RLIM_INFINITY))
    outcomes = []
    for _ in range(epochs + 1):
        outcome = worker.step()["outcome"]
        if isinstance(outcome, TrialEnded):
            outcomes.append({"status": outcome.status, "reason": outcome.reason})
            break
        metrics = outcome.metrics
        outcomes.append({"epoch": metrics.epoch, "train_loss": metrics.train_loss, "val_loss": metrics.val_loss,
                         "checkpoint": outcome.checkpoint})
        if metrics.epoch == epochs:
            break
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(json.dumps({"outcomes": outcomes, "resident": resident_bytes()}))
"""

SMALL: dict[str, Any] = {"model": {"blocks": [1, 1], "channels": 8}, "lr": 0.05}
# Two hundred images in one batch, 1024 channels: the first activation alone is 50 MiB, a gradient 36 MiB.
LARGE: dict[str, Any] = {"model": {"blocks": [2], "channels": 1024}, "batch_size": 200}
MIB = 2**20


def in_a_worker(root: Path, *jobs: tuple[dict[str, Any], int, bool]) -> list[dict[str, Any]]:
    """Give one worker orders (fields of the recipe, epochs, whether memory is limited); return what each came to."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(root), json.dumps(jobs)],
        cwd=Path(__file__).parent, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit that the system keeps")
def test_trial_that_runs_out_of_memory_leaves_the_worker_unharmed(tmp_path: Path) -> None:
    before, large, after = in_a_worker(tmp_path, (SMALL, 2, False), (LARGE, 2, True), (SMALL, 2, False))
    (ended,) = large["outcomes"]
    assert ended["status"] == "out_of_memory"
    assert ended["reason"]
    assert large["resident"] < before["resident"] + 48 * MIB, "the failed trial's memory was not given back"
    figures = [[(seen["epoch"], seen["train_loss"], seen["val_loss"]) for seen in trial["outcomes"]] for trial in (before, after)]
    assert figures[0] == figures[1]
    assert len(figures[0]) == 2


def test_trial_out_of_patience_is_completed_at_the_next_step(tmp_path: Path) -> None:
    """At a learning rate of next to nothing the first epoch stays the best."""
    (trial,) = in_a_worker(tmp_path, ({**SMALL, "lr": 1e-12, "augment": {}, "patience": 3, "max_epochs": 9}, 9, False))
    *epochs, ended = trial["outcomes"]
    last = epochs[-1]
    assert 4 <= last["epoch"] < 9
    assert last["checkpoint"], "without one a driver that is killed now would train the last epochs again"
    assert [seen["checkpoint"] for seen in epochs[:-1]] == [None] * (len(epochs) - 1)
    assert ended["status"] == "completed"
    assert ended["reason"].startswith("no better val_accuracy in 3 epochs; the best was at epoch")
