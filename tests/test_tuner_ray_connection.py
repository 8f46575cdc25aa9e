"""Where Ray cannot be reached or does not start: one line that says so, and the exit code of its class."""

from pathlib import Path

import pytest

from tuner import ray_cluster
from tuner.errors import ClusterUnreachable, SweepFailed, UsageError

TIMED_OUT = "The current node timed out during startup. This could happen because some of the raylet failed to startup."


def connect(address: str, folder: Path) -> None:
    ray_cluster.connect(address, num_cpus=1, token=folder / "token")


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let Ray time out as it does on a machine that is too busy: with an Exception of no class. Returns the addresses that were tried."""
    import ray

    tried = []

    def timed_out(address: str, **options: object) -> None:
        tried.append(address)
        raise Exception(TIMED_OUT)

    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", *ray_cluster.TUNE_SETTINGS):
        monkeypatch.setenv(name, "")  # what `connect` sets is taken back after the test
    monkeypatch.setattr(ray, "init", timed_out)
    monkeypatch.setattr(ray_cluster, "knock", lambda address: None)
    monkeypatch.setattr(ray_cluster, "is_dashboard", lambda address: False)
    monkeypatch.setattr(ray_cluster, "_show_token", lambda address: None)
    return tried


def test_private_instance_that_takes_too_long_is_tried_twice_and_is_a_failure_of_the_run(tries: list[str], tmp_path: Path) -> None:
    with pytest.raises(SweepFailed, match=r"could not be started on this machine: The current node timed out.*; try again") as caught:
        connect("local", tmp_path)
    assert caught.value.exit_code == 1
    assert tries == ["local", "local"]
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_cluster_that_takes_too_long_is_unreachable(tries: list[str], tmp_path: Path) -> None:
    with pytest.raises(ClusterUnreachable, match=r"no Ray cluster answers at head:6379: The current node timed out") as caught:
        connect("head:6379", tmp_path)
    assert caught.value.exit_code == 4
    assert tries == ["head:6379"]


def test_address_that_is_none_is_a_mistake_of_the_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--address is nowhere, must be local, auto or host:port"):
        connect("nowhere", tmp_path)
