"""Connection to Ray: a private instance on this machine, or a cluster's address. Sets what Ray must find set before it is imported."""

import functools
import logging
import os
import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner import token as tokens
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
    "RAY_prestart_worker_first_driver": "0",  # a process for each core, at once: Ray gives them to tasks, and trials are actors
}


START_TIMED_OUT = "timed out during startup"  # Ray's words
KNOCK_S = 5.0  # a head node on the same continent answers a thousand times faster

# What to do where a cluster asks for a token that we do not have.
TOKEN_REMEDY = f"set {tokens.FILE} to a file that holds the cluster's token, mode 0600, and {tokens.MODE}=token"


def connect(address: str, *, num_cpus: int, token: Path | None = None) -> None:
    """Connect to Ray unless this process is connected already; `released` lets go of it.

    Args:
        address: `local` for a private instance that ends with this process, `auto` or `host:port` for a running cluster.
        num_cpus: Cores of a private instance.
        token: File that holds a private instance's token, see `tuner.token`; the user's own by default. For a cluster
            RAY_AUTH_TOKEN_PATH and RAY_AUTH_MODE decide, as everywhere in Ray.

    Raises:
        UsageError: The address is none, or a token file must not be used.
        ClusterUnreachable: Nothing answers there, or it does not accept the token.
        SweepFailed: A private instance does not start.
    """
    os.environ.update(TUNE_SETTINGS)
    if address == "local":
        tokens.for_private(tokens.own() if token is None else tokens.ensure(token))
    else:
        tokens.for_cluster()
    import ray

    if ray.is_initialized():
        return
    if address not in ("local", "auto"):
        knock(address)
        if is_dashboard(address):
            remedy = f"for a job: shortlist submit --address http://{address}"
            raise UsageError(
                f"--address is {address}, a dashboard's port, must be that of the cluster itself, such as 10.0.0.1:6379; {remedy}"
            )
        _show_token(address)
    options: dict[str, Any] = {}
    if address == "local":
        options = {"num_cpus": num_cpus, "include_dashboard": False, "_temp_dir": str(tokens.private_folder() / "ray")}
    try:
        _init(ray, address, options)
    except ray.exceptions.AuthenticationError as error:
        raise ClusterUnreachable(refused(address)) from error
    except Exception as error:  # what takes Ray too long to start is a plain Exception
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        if address == "local":
            logs = tokens.private_folder() / "ray" / "session_latest" / "logs"
            raise SweepFailed(
                f"Ray could not be started on this machine: {reason}; try again when the machine is less busy; its logs lie in {logs}"
            ) from error
        remedy = f"start one with `ray start --head`, or leave out --address; if it asks for a token, {TOKEN_REMEDY}"
        raise ClusterUnreachable(f"no Ray cluster answers at {address}: {reason}; {remedy}") from error


def _init(ray: Any, address: str, options: dict[str, Any]) -> None:
    """Start or join Ray; a private instance that did not come up in Ray's own 30 s, on a busy machine, is tried for once more."""
    for last_try in (address != "local", True):
        try:
            with _fewer_services():
                ray.init(address=address, log_to_driver=False, configure_logging=True, logging_level=logging.ERROR, **options)
        except Exception as error:
            if last_try or START_TIMED_OUT not in str(error):
                raise
            logger.warning("Ray took too long to start; trying once more")
            ray.shutdown()
        else:
            return


@contextmanager
def _fewer_services() -> Iterator[None]:
    """Start a private instance without its autoscaler and without what forwards workers' output, which nobody would read.

    Each costs half a second of a core at the start and 45 MB. `ray.init` has no word for it; pinned by a test.
    """
    from ray._private import parameter

    everything = parameter.RayParams
    parameter.RayParams = functools.partial(everything, no_monitor=True, include_log_monitor=False)
    try:
        yield
    finally:
        parameter.RayParams = everything


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
    return list(nodes_by_id().values())


def nodes_by_id() -> dict[str, dict[str, float]]:
    """Return the same with the nodes' ids."""
    import ray

    leaving = _leaving()
    return {
        node["NodeID"]: {name: float(amount) for name, amount in node["Resources"].items()}
        for node in ray.nodes()
        if node["Alive"] and node["NodeID"] not in leaving
    }


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


def knock(address: str) -> None:
    """Raise unless something listens at `host:port`: Ray itself would go on trying for many minutes.

    Raises:
        UsageError: The address is none.
        ClusterUnreachable: Nothing listens there.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or "/" in host or int(port) > 65535:
        raise UsageError(f"--address is {address}, must be local, auto or host:port, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S).close()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ClusterUnreachable(
            f"no Ray cluster answers at {address}: {reason}; start one with `ray start --head`, or leave out --address"
        ) from error


def is_dashboard(address: str) -> bool:
    """Return whether what listens at `host:port` speaks HTTP/1, as Ray's dashboard does and the cluster's own port does not."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S) as connection:
            connection.sendall(f"GET /api/version HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(7) == b"HTTP/1."
    except OSError:
        return False


def refused(address: str) -> str:
    """Return what to say where a cluster does not accept the token, or the lack of one."""
    if os.environ.get(tokens.MODE) != "token":
        return f"the Ray cluster at {address} asks for a token, and there is none here; {TOKEN_REMEDY}"
    source = tokens.VALUE if os.environ.get(tokens.VALUE) else os.environ.get(tokens.FILE) or "~/.ray/auth_token"
    return f"the Ray cluster at {address} does not accept the token of {source}; {TOKEN_REMEDY}"


def _show_token(address: str) -> None:
    """Raise ClusterUnreachable unless the cluster accepts our token: `ray.init` would try for 20 s and then name no reason."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled; it has no public name
    from ray.exceptions import AuthenticationError, RayError

    try:
        GcsClient(address=address)
    except AuthenticationError as error:
        raise ClusterUnreachable(refused(address)) from error
    except (RayError, RuntimeError) as error:
        raise ClusterUnreachable(f"no Ray cluster answers at {address}, though something listens there: {error}") from error
