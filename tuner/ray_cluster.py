"""Connection to Ray: a private instance on this machine, or a cluster's address. Sets what Ray must find set before it is imported."""

import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner.errors import ClusterUnreachable, UsageError

# Ray Tune writes no logs, tables or experiment state of its own, leaves Ctrl-C to us, and plans ahead far enough that a
# finished segment's worker is reused rather than replaced (twice the slots; set in `ray_driver`).
TUNE_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


KNOCK_S = 5.0  # a head node on the same continent answers a thousand times faster


def connect(address: str, *, num_cpus: int, token: Path) -> None:
    """Connect to Ray unless this process is connected already; `released` lets go of it.

    Args:
        address: `local` for a private instance that ends with this process, `auto` or `host:port` for a running cluster.
        num_cpus: Cores of a private instance.
        token: File that holds a private instance's token; made, readable by its owner alone, where it is missing. For a
            cluster RAY_AUTH_TOKEN_PATH and RAY_AUTH_MODE decide, as everywhere in Ray.

    Raises:
        UsageError: The address is none.
        ClusterUnreachable: Nothing answers there.
    """
    os.environ.update(TUNE_SETTINGS)
    if address == "local":
        _write_token(token)
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(token)
    import ray

    if ray.is_initialized():
        return
    if address not in ("local", "auto"):
        _knock(address)
    options: dict[str, Any] = {"num_cpus": num_cpus, "include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=True, logging_level=logging.ERROR, **options)
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if address == "local":
            raise ClusterUnreachable(f"Ray could not be started on this machine: {reason}; see /tmp/ray/session_latest/logs") from error
        remedy = "start one with `ray start --head` or leave out --address"
        raise ClusterUnreachable(f"no Ray cluster answers at {address}: {reason}; {remedy}") from error


@contextmanager
def released() -> Iterator[None]:
    """Let go of Ray at the end, if anything in between has connected: a private instance and its workers are gone then."""
    try:
        yield
    finally:
        if (ray := sys.modules.get("ray")) is not None:
            ray.shutdown()


def resources() -> dict[str, float]:
    """Return what the connected cluster has: `CPU`, `GPU`, ..."""
    import ray

    return {name: float(amount) for name, amount in ray.cluster_resources().items()}


def _knock(address: str) -> None:
    """Raise unless something listens at the address: Ray itself would go on trying for many minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise UsageError(f"--address is {address}, must be local, auto or host:port, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S).close()
    except OSError as error:
        raise ClusterUnreachable(
            f"no Ray cluster answers at {address}: {error.strerror or error}; start one with `ray start --head`, or leave out --address"
        ) from error


def _write_token(path: Path) -> None:
    """Make the token file unless it is there; whoever holds a token may run code, so only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
