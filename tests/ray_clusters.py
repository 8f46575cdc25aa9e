"""A real cluster of several nodes on this machine, each with a raylet of its own, and sweeps driven on it by the command line.

The head has neither processors nor GPUs, so that every trial runs on a node that may go away; GPUs are pretended.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from results import journal
from results.events import Event, Reported
from results.storage import Storage

# In a process of its own: Ray reads its settings, the authentication among them, when it is first imported. It obeys lines of its input.
PROGRAM = """
import sys, time
from ray._raylet import GcsClient
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0, "include_dashboard": False})
print(cluster.address, flush=True)
nodes = {}
for line in sys.stdin:
    verb, *words = line.split()
    said = "done"
    if verb == "join":
        node = cluster.add_node(num_cpus=2, num_gpus=2)
        nodes[node.node_id] = node
        said = node.node_id
    elif verb == "kill":
        cluster.remove_node(nodes.pop(words[0]), allow_graceful=False)
    elif verb == "announce":  # 2: DRAIN_NODE_REASON_PREEMPTION
        deadline_ms = int((time.time() + float(words[1])) * 1000)
        accepted, why = GcsClient(address=cluster.address).drain_node(words[0], 2, "preemption", deadline_ms)
        assert accepted, why
    print(said, flush=True)
cluster.shutdown()
"""


class Nodes:
    """A cluster: its address, and nodes, called by their ids, that come and go."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.address = self._answer()

    def join(self) -> str:
        return self._obey("join")

    def kill(self, node: str) -> None:
        self._obey(f"kill {node}")

    def announce_the_end(self, node: str, *, seconds: float) -> None:
        """Tell the cluster that a node will be taken away, as a cloud's notice does."""
        self._obey(f"announce {node} {seconds}")

    def _obey(self, command: str) -> str:
        assert self._process.stdin is not None
        print(command, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the cluster ended with {self._process.wait()}"
        return line.strip()


@contextmanager
def cluster(folder: Path) -> Iterator[Nodes]:
    """Start a head without resources; the environment is that of the cluster's users as long as it runs."""
    from tuner.ray_cluster import TUNE_SETTINGS

    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    settings = TUNE_SETTINGS | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "NO_COLOR": "1"}
    settings |= {"SHORTLIST_PRETEND_GPUS": "1", "SHORTLIST_CACHE": str(folder / "cache")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield Nodes(process)
        finally:
            process.communicate(timeout=60)


def start(folder: Path, address: str, *arguments: str) -> "subprocess.Popen[str]":
    """Run the command line in a process of its own, so that it can be killed."""
    return subprocess.Popen(
        [sys.executable, "-c", "from tuner.cli.main import main; main()", *arguments, "--address", address],
        cwd=folder, env=os.environ | {"HOME": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]", *, expected: int = 0) -> str:
    said = process.communicate(timeout=240)[0]
    assert process.returncode == expected, said
    return said


def wait_for(storage: Storage, process: "subprocess.Popen[str]", seen: Callable[[Sequence[Event]], bool], *, what: str) -> list[Event]:
    """Return the journal once it is as it should be; a sweep that ends before is a failure of the test."""
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        events = list(journal.read(storage))
        if seen(events):
            return events
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"not within 150 s: {what}; {process.communicate()[0]}")


def of_kind(events: Sequence[Event], kind: type[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def workers(events: Sequence[Event]) -> list[str]:
    """Return who has reported, in the order in which they first did."""
    return list(dict.fromkeys(event.worker for event in of_kind(events, Reported)))


def epochs_reported_twice(events: Sequence[Event]) -> int:
    reports = [(event.trial, event.epoch) for event in of_kind(events, Reported)]
    return len(reports) - len(set(reports))
