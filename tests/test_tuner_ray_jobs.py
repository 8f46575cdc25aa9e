"""Sweeps sent to a real Ray head with token authentication on loopback, typed as a user types them."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from results import journal
from results.events import DriverStarted, Reported
from results.history import History
from results.storage import Storage
from tuner import token

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[1]
SMALL = ["-s", "search.trials=2", "-s", "scheduler.asha.max_epochs=2", "-s", "resources.workers=1"]
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Head:
    """A head node of this machine: its ports, its token, a storage folder."""

    dashboard: str
    gcs: str
    token: Path
    runs: Path

    def call(self, *arguments: str, token: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `shortlist` as somebody who has the cluster's token, another, or none of a name."""
        asked = {"RAY_AUTH_TOKEN_PATH": str(token or self.token), "SHORTLIST_STORAGE": str(self.runs), **environment}
        return subprocess.run(
            [sys.executable, "-m", "tuner.cli", *arguments],
            cwd=ROOT,
            env={name: value for name, value in {**os.environ, "PYTHONPATH": str(ROOT), **asked}.items() if value},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    def said(self, *arguments: str, code: int = 0) -> str:
        """Return what `shortlist` prints; it must end with this code."""
        done = self.call(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A short path: Ray's sockets lie below it, and their names are limited to 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sl-", dir="/tmp") as folder:
        home = Path(folder)
        secret = token.ensure(home / "token")
        ports = [_free_port() for _ in range(4)]
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(secret),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        environment.pop("PYTHONPATH", None)  # the job brings its own copy of this software
        options = [f"--port={ports[0]}", f"--dashboard-port={ports[1]}", f"--dashboard-agent-listen-port={ports[2]}"]
        options += [f"--ray-client-server-port={ports[3]}", "--dashboard-host=127.0.0.1", "--num-cpus=1", f"--temp-dir={folder}/ray"]
        with (home / "log").open("w") as log:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", *options],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait(lambda: _listens(ports[1]) or process.poll() is not None)
            assert process.poll() is None, (home / "log").read_text()
            yield Head(f"http://127.0.0.1:{ports[1]}", f"{_own_address()}:{ports[0]}", secret, home / "runs")
        finally:
            process.send_signal(signal.SIGTERM)  # `ray start --block` ends what it has started, and nothing else
            process.wait(60)


def test_a_sweep_that_is_sent_twice_at_toy_size_is_one_job_and_its_log_comes_back(head: Head) -> None:
    send = ("submit", "search_spaces/digits.yaml", "--smoke", "--address", head.dashboard, *SMALL, "-o", "json")
    first, second = json.loads(head.said(*send)), json.loads(head.said(*send))
    assert (first["new"], second["new"]) == (True, False)
    assert first["job"] == second["job"]
    assert first["state"] in ("pending", "running")
    log = head.said("logs", "digits-smoke", "--follow")
    assert "digits-smoke: finished, 2 trials" in log
    assert log.splitlines()[-1] == head.said("logs", "digits-smoke", "-n", "1").rstrip("\n")
    history = History.of(journal.read(Storage(head.runs / "digits-smoke")))
    assert history.finished
    assert {record.config["max_epochs"] for record in history.trials.values()} == {2}
    assert not (head.runs / "digits").exists()
    assert history.started is not None
    assert history.started.commit is not None  # the job knows where its software comes from
    assert "digits-smoke has ended" in head.said("submit", "digits-smoke", "--address", head.gcs)
    assert json.loads(head.said(*send))["new"] is False


def test_a_sweep_that_was_stopped_goes_on_as_the_next_job(head: Head) -> None:
    storage = Storage(head.runs / "long")
    sweep = ("search_spaces/digits.yaml", "-s", "name=long", "-s", "search.trials=200", "-s", "resources.workers=1")
    sent = json.loads(head.said("submit", *sweep, "--address", head.dashboard, "-o", "json"))
    _wait(lambda: _reports(storage) > 0)
    assert "running" in head.said("status", "long")
    assert head.said("stop", "long") == "stopped long\n"
    head.said("logs", "long", "--follow", code=130)
    reports = _reports(storage)
    said = head.said("resume", "long")  # knows where it was sent to
    assert f"{sent['job']}-2" in said
    _wait(lambda: _reports(storage) > reports)
    assert len([event for event in journal.read(storage) if isinstance(event, DriverStarted)]) == 2
    assert head.said("stop", "long") == "stopped long\n"


def test_a_cluster_that_cannot_be_reached_is_told_with_the_remedy(head: Head, tmp_path: Path) -> None:
    other = tmp_path / "token"
    other.touch(0o600)
    other.write_text(secrets.token_hex(32))
    closed = f"127.0.0.1:{_free_port()}"
    send = ("submit", "search_spaces/digits.yaml", "-s", "name=refused", *SMALL)
    wrong = head.call(*send, "--address", head.dashboard, token=other)
    assert wrong.returncode == 4, wrong.stderr
    assert f"does not accept the token of {other}; set RAY_AUTH_TOKEN_PATH" in wrong.stderr
    none = head.call(*send, "--address", head.gcs, RAY_AUTH_TOKEN_PATH="", HOME=str(tmp_path))
    assert none.returncode == 4, none.stderr
    assert "asks for a token, and there is none here" in none.stderr
    for address in (closed, f"http://{closed}"):
        unreachable = head.call(*send, "--address", address)
        assert unreachable.returncode == 4, unreachable.stderr
        assert f"no Ray cluster answers at {closed}: Connection refused; " in unreachable.stderr
    assert not (head.runs / "refused").exists()


def test_doctor_asks_every_node(head: Head) -> None:
    said = json.loads(head.said("doctor", "search_spaces/digits.yaml", "--address", head.gcs, "-o", "json"))
    checks = {check["name"]: check["state"] for check in said["checks"]}
    node = f"node {head.gcs.rpartition(':')[0]}"
    assert {checks[f"{node} {what}"] for what in ("versions", "clock", "storage", "data")} == {"ok"}
    assert checks["authentication"] == "ok"
    assert "storage of all nodes" not in checks
    assert list(head.runs.glob(".probe*")) == []


def test_a_driver_on_this_machine_needs_the_token_too(head: Head, tmp_path: Path) -> None:
    other = tmp_path / "token"
    other.touch(0o600)
    other.write_text(secrets.token_hex(32))
    done = head.call("run", "search_spaces/digits.yaml", "--address", head.gcs, *SMALL, "-s", "name=refused", token=other)
    assert done.returncode == 4, done.stderr
    assert "does not accept the token" in done.stderr


def test_a_private_ray_asks_for_its_owners_token_and_shuts_others_out_of_its_folder(tmp_path: Path) -> None:
    program = """
import os
from pathlib import Path
from tuner import ray_cluster
ray_cluster.connect("local", num_cpus=1)
import ray
session = Path(ray._private.worker._global_node.get_session_dir_path())
print(os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN_PATH"], session, ray._private.worker._global_node.gcs_address, flush=True)
os.environ["RAY_AUTH_TOKEN_PATH"] = os.environ["OTHER"]
import subprocess, sys
stranger = "from tuner import ray_cluster; import sys; ray_cluster.connect(sys.argv[1], num_cpus=1)"
done = subprocess.run([sys.executable, "-c", stranger, ray._private.worker._global_node.gcs_address], capture_output=True, text=True)
print(done.stderr.splitlines()[-1])
print(*sorted(ray._private.worker._global_node.all_processes))
"""
    other = token.ensure(tmp_path / "other")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path / "config"), "OTHER": str(other)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    first, second, services = done.stdout.splitlines()
    mode, file, session, _ = first.split()
    assert (mode, file) == ("token", str(tmp_path / "config" / "shortlist" / "ray_token"))
    assert Path(session).parents[1].stat().st_mode & 0o777 == 0o700
    assert "does not accept the token" in second
    assert services == "dashboard gcs_server raylet", "neither an autoscaler nor a forwarder of logs"


def _reports(storage: Storage) -> int:
    return sum(isinstance(event, Reported) for event in journal.read(storage))


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _own_address() -> str:
    import ray.util

    return str(ray.util.get_node_ip_address())
