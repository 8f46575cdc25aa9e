"""Connection to Ray: a private instance on this machine, or a cluster's address. Sets what Ray must find set before it is imported."""

import logging
import os
import secrets
import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner.errors import ClusterUnreachable, SweepFailed, UsageError

logger = logging.getLogger(__name__)

# Ray Tune writes no logs, tables or experiment state of its own, leaves Ctrl-C to us, and plans ahead far enough that a
# finished segment's worker is reused rather than replaced (twice the slots; set in `ray_driver`).
TUNE_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE": "1",  # else Tune itself would try a segment again whose node was taken away
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


START_TIMED_OUT = "timed out during startup"  # Ray's words
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
        SweepFailed: A private instance does not start.
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
        _init(ray, address, options)
    except Exception as error:  # what takes Ray too long to start is a plain Exception
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        if address == "local":
            remedy = "try again when the machine is less busy; its logs lie in /tmp/ray/session_latest/logs"
            raise SweepFailed(f"Ray could not be started on this machine: {reason}; {remedy}") from error
        remedy = "start one with `ray start --head` or leave out --address"
        raise ClusterUnreachable(f"no Ray cluster answers at {address}: {reason}; {remedy}") from error


def _init(ray: Any, address: str, options: dict[str, Any]) -> None:
    """Start or join Ray; a private instance that did not come up in Ray's own 30 s, on a busy machine, is tried for once more."""
    for last_try in (address != "local", True):
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=True, logging_level=logging.ERROR, **options)
        except Exception as error:
            if last_try or START_TIMED_OUT not in str(error):
                raise
            logger.warning("Ray took too long to start; trying once more")
            ray.shutdown()
        else:
            return


@contextmanager
def released() -> Iterator[None]:
    """Let go of Ray at the end, if anything in between has connected: a private instance and its workers are gone then."""
    try:
        yield
    finally:
        if (ray := sys.modules.get("ray")) is not None:
            ray.shutdown()


def nodes() -> list[dict[str, float]]:
    """Return what each node of the connected cluster has, `CPU`, `GPU`, ...; nodes that are about to be taken away are left out."""
    import ray

    leaving = _leaving()
    return [
        {name: float(amount) for name, amount in node["Resources"].items()}
        for node in ray.nodes()
        if node["Alive"] and node["NodeID"] not in leaving
    ]


def this_node_leaves() -> bool:
    """Return whether the node of this worker is about to be taken away: it was announced, by a cloud's notice or `ray drain-node`."""
    import ray

    try:
        return ray.get_runtime_context().get_node_id() in _leaving()
    except (ray.exceptions.RayError, RuntimeError, OSError) as error:  # a head node that is busy: the next look will tell
        logger.info("whether this node is to leave cannot be said: %s", error)
        return False


def _leaving() -> Collection[str]:
    """Return the ids of the nodes that are being drained."""
    from ray._private.state import state  # nothing public tells; pinned by a test

    return frozenset(state.get_draining_nodes())


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
