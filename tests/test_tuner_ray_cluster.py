"""Sweeps on a cluster of two nodes with two pretended GPUs each: nodes leave and join, workers and drivers die, a worker hangs."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from ray_clusters import Nodes, cluster, epochs_reported_twice, finish, of_kind, start, wait_for, workers

from results import journal
from results.events import DriverStarted, DriverStopped, Ended, Event, Launched, Lost, Repeated, Reported, Resized
from results.history import History
from results.storage import Storage

pytestmark = pytest.mark.ray

# Two cores a trial: one trial fits a node, so that two workers are on two nodes. Until there is a file `go` an epoch takes most of a second
# and the sweep some minutes, so that whatever is to happen in the middle of it does; then it is over in seconds.
SWEEP = """
version: 1
name: spread
seed: 3
data: {name: digits, validation: 200, train_examples: 600}
trial:
  model: {builder: "nets:make", kwargs: {kind: paced, folder: FOLDER}}
  lr: {loguniform: [1e-3, 1e-1]}
  batch_size: 256
search: {sampler: random, trials: 3}
scheduler: {none: {max_epochs: 150}}
resources: {gpus: 0.5, cpus: 2, checkpoint_epochs: 4}
"""

# A network that misbehaves in training, and only there: one takes its time, one kills its process each time, another hangs the first time.
NETS = """
import os, pathlib, signal, sys, time
import torch

class Net(torch.nn.Module):
    def __init__(self, kind, folder, in_channels, num_classes):
        super().__init__()
        self.kind, self.mark, self.go = kind, pathlib.Path(folder, "hung"), pathlib.Path(folder, "go")
        self.head = torch.nn.Linear(in_channels * 64, num_classes)

    def forward(self, images):
        if self.training and images.device.type != "meta":
            if self.kind == "paced" and not self.go.exists():
                time.sleep(0.3)
            if self.kind == "dies":
                print("the heap is corrupt", file=sys.stderr, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind == "hangs" and not self.mark.exists():
                self.mark.touch()
                time.sleep(10_000)
            if self.kind == "fails" and not self.mark.exists():
                raise RuntimeError("no licence for this machine")
        return self.head(images.flatten(1))

def make(kind, folder, in_channels, num_classes):
    return Net(kind, folder, in_channels, num_classes)
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with cluster(tmp_path_factory.mktemp("cluster")) as started:
        started.join()
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spread.yaml").write_text(SWEEP.replace("FOLDER", str(tmp_path)))
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path


def resized(*slots: int) -> Callable[[Sequence[Event]], bool]:
    return lambda events: [event.slots for event in of_kind(events, Resized)] == [*slots]


def test_nodes_that_leave_cost_no_trial_and_get_none_and_one_that_joins_is_used(nodes: Nodes, folder: Path) -> None:
    leaving = nodes.join()
    storage = Storage(folder / "runs" / "spread")
    process = start(folder, nodes.address, "run", "spread.yaml", "-s", "resources.checkpoint_epochs=1000")
    events = wait_for(storage, process, lambda events: len(workers(events)) == 2, what="a worker on either node")
    assert of_kind(events, DriverStarted)[0].slots == 2

    nodes.announce_the_end(leaving, seconds=300.0)
    wait_for(storage, process, resized(1), what="one slot less after the notice")
    # Nobody is near the end of a trial: only who must leave writes checkpoints.
    events = wait_for(storage, process, lambda events: any(e.checkpoint for e in of_kind(events, Reported)), what="a checkpoint")
    saved = next(event for event in of_kind(events, Reported) if event.checkpoint)
    nodes.kill(leaving)
    lost = of_kind(wait_for(storage, process, lambda events: of_kind(events, Lost) != [], what="the loss"), Lost)[0]
    assert (lost.node_lost, lost.trial) == (True, saved.trial)
    joined = nodes.join()
    events = wait_for(storage, process, lambda events: len(workers(events)) == 3, what="a worker on the node that joined")
    retried = next(event for event in of_kind(events, Launched) if event.why == "retry")
    assert retried.trial == lost.trial
    assert retried.from_epoch >= saved.epoch
    stays, third = (worker for worker in workers(events) if worker != saved.worker)

    nodes.announce_the_end(joined, seconds=300.0)
    events = wait_for(storage, process, resized(1, 2, 1), what="one slot less after the second notice")
    (folder / "go").touch()
    finish(process)
    nodes.kill(joined)
    nodes.join()

    after = list(journal.read(storage))
    assert [event.status for event in of_kind(after, Ended)] == ["completed"] * 3
    assert epochs_reported_twice(after) == 0
    assert len(of_kind(after, Lost)) == 1, "who is turned away at a node that leaves is not lost"
    assert len(of_kind(after, Repeated)) <= 5 + 2, "after the notice is noticed, within seconds, each epoch has a checkpoint"
    (last,) = {event.trial for event in of_kind(after, Launched)} - {event.trial for event in of_kind(events, Launched)}
    assert {event.worker for event in of_kind(after, Reported) if event.trial == last} == {stays}, f"nothing begins at {third}"


def test_worker_and_driver_killed_and_the_same_command_again_lose_nothing(nodes: Nodes, folder: Path) -> None:
    storage = Storage(folder / "runs" / "spread")
    process = start(folder, nodes.address, "run", "spread.yaml")
    events = wait_for(storage, process, lambda events: len(of_kind(events, Reported)) >= 8, what="reports")
    os.kill(int(workers(events)[0].rpartition(":")[2]), signal.SIGKILL)
    lost = of_kind(wait_for(storage, process, lambda events: of_kind(events, Lost) != [], what="the loss"), Lost)[0]
    assert (lost.node_lost, lost.reason) == (False, "the worker process went away")
    process.kill()
    process.communicate()

    (folder / "go").touch()
    finish(start(folder, nodes.address, "run", "spread.yaml"))
    events = list(journal.read(storage))
    assert len(of_kind(events, DriverStarted)) == 2
    assert epochs_reported_twice(events) == 0
    assert [event.status for event in of_kind(events, Ended)] == ["completed"] * 3
    assert all(list(record.curve) == list(range(1, 151)) for record in History.of(events).trials.values())
    # Two drivers, three losses of a segment at most, each of them less than a checkpoint's period and one epoch that was not reported.
    assert len(of_kind(events, Repeated)) <= 3 * 4


def test_trial_that_kills_its_worker_fails_with_its_log_and_one_that_hangs_is_tried_again(nodes: Nodes, folder: Path) -> None:
    model = f"trial.model={{builder: 'nets:make', kwargs: {{kind: {{choice: [dies, hangs, good]}}, folder: '{folder}'}}}}"
    options: tuple[str, ...] = ("-s", model, "-s", "trial.lr=0.01", "-s", "search={sampler: grid}")
    options += ("-s", "scheduler={none: {max_epochs: 2}}", "-s", "resources.trial_timeout=25s")
    finish(start(folder, nodes.address, "run", "spread.yaml", *options))

    events = list(journal.read(Storage(folder / "runs" / "spread")))
    records = {record.values["model.kwargs.kind"]: record for record in History.of(events).trials.values()}
    assert {kind: record.status for kind, record in records.items()} == {"dies": "failed", "hangs": "completed", "good": "completed"}
    assert len(records["dies"].losses) == 3
    assert records["dies"].ended is not None
    assert records["dies"].ended.reason == "its worker was lost 3 times: the worker process went away"
    assert "the heap is corrupt" in records["dies"].ended.log_tail
    (hung,) = records["hangs"].losses
    assert hung.reason == "no epoch reported for 25 s, its worker was ended (resources.trial_timeout)"
    assert of_kind(events, DriverStopped)[-1].reason == "finished"


def test_sweep_most_of_whose_trials_fail_stops_and_goes_on_when_it_was_mended(nodes: Nodes, folder: Path) -> None:
    model = f"trial.model={{builder: 'nets:make', kwargs: {{kind: fails, folder: '{folder}'}}}}"
    options = ("-s", model, "-s", "scheduler={none: {max_epochs: 1}}", "-s", "search.trials=12")
    said = finish(start(folder, nodes.address, "run", "spread.yaml", *options), expected=1)
    assert "trials launched failed, 6 of them with: no licence for this machine" in said
    assert "go on with: shortlist resume spread" in said
    storage = Storage(folder / "runs" / "spread")
    assert of_kind(list(journal.read(storage)), DriverStopped)[-1].reason == "failing"

    (folder / "hung").touch()
    finish(start(folder, nodes.address, "resume", "spread"))
    counts = History.of(journal.read(storage)).counts()
    assert counts == {"completed": 12, "failed": 6}
