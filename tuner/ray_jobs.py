"""Ray's job server: send a driver to a cluster, ask after it, read its log, stop it."""

import asyncio
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tuner import ray_cluster
from tuner import token as tokens
from tuner.errors import ClusterUnreachable, TunerError, UsageError

DASHBOARD_PORT = 8265  # Ray's default

State = Literal["pending", "running", "succeeded", "failed", "stopped"]

# Ray lets these decide over the address that it is given.
_OVERRIDES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")

_CHATTY = ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk", "ray._private.runtime_env.packaging")


class NoSuchJob(TunerError):
    """The cluster knows no job of that name: it was started anew, or is another."""

    exit_code = 2


class AlreadyThere(TunerError):
    """A job of that name was sent to the cluster before."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the cluster has it.

    Attributes:
        job: Its submission id.
        state: How far it is.
        exit_code: Of its driver; None where that has not ended by itself.
        message: What Ray says about its state.
    """

    job: str
    state: State
    exit_code: int | None
    message: str

    @property
    def over(self) -> bool:
        """Return whether it has ended."""
        return self.state in ("succeeded", "failed", "stopped")


class JobServer:
    """The job server of one cluster.

    Attributes:
        url: Of the cluster's dashboard, where it listens.
        open: Whether it takes jobs from anyone who reaches it.
    """

    def __init__(self, address: str) -> None:
        """Connect.

        Args:
            address: The dashboard's `http://host:port` (also `https`), or the cluster's own `host:port` or `auto`.

        Raises:
            UsageError: The address is none, or the token file must not be used.
            ClusterUnreachable: Nothing answers there, or it does not accept the token.
        """
        if address == "local":
            raise UsageError("--address is local, must be a cluster's: its dashboard, such as http://10.0.0.1:8265, or host:port, or auto")
        tokens.for_cluster()
        os.environ.update(ray_cluster.TUNE_SETTINGS)
        if address != "auto":
            address = _knocked(address)
        with _unoverridden(), _translated(address):
            from ray.job_submission import JobSubmissionClient

            self._client = JobSubmissionClient(address)
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        self.url: str = self._client.get_address()
        self.open = _is_open(self.url)

    def submit(self, job: str, *, entry_point: str, folder: Path, variables: Mapping[str, str]) -> None:
        """Send a job.

        Args:
            job: Its submission id.
            entry_point: Shell command.
            folder: What is packed, sent and becomes the current folder of driver and workers.
            variables: Environment of driver and workers. Anyone who may ask the cluster can read them.

        Raises:
            AlreadyThere: It was sent before.
            ClusterUnreachable: The cluster does not answer any more.
        """
        environment = {"working_dir": str(folder), "env_vars": dict(variables)}
        with _translated(self.url):
            try:
                self._client.submit_job(submission_id=job, entrypoint=entry_point, runtime_env=environment)
            except RuntimeError as error:
                if "already exists" in str(error):
                    raise AlreadyThere(job) from error
                raise

    def jobs(self) -> list[Job]:
        """Return the jobs that were ever sent to the cluster."""
        with _translated(self.url):
            return [_job(details) for details in self._client.list_jobs() if details.submission_id]

    def job(self, job: str) -> Job:
        """Return one job.

        Raises:
            NoSuchJob: The cluster does not know it.
        """
        with _translated(self.url, job):
            return _job(self._client.get_job_info(job))

    def log(self, job: str) -> str:
        """Return what a job's driver has printed so far. Errors as in `job`."""
        with _translated(self.url, job):
            text: str = self._client.get_job_logs(job)
            return text

    def follow(self, job: str, show: Callable[[str], None]) -> None:
        """Show what a job's driver prints until it ends. Errors as in `job`."""

        async def tail() -> None:
            async for text in self._client.tail_job_logs(job):
                show(text)

        self.job(job)
        with _translated(self.url, job):
            asyncio.run(tail())

    def stop(self, job: str) -> bool:
        """Have a job end; return whether there was something to end. Its driver gets SIGTERM. Errors as in `job`."""
        with _translated(self.url, job):
            return bool(self._client.stop_job(job))


def _job(details: Any) -> Job:
    return Job(details.submission_id, details.status.value.lower(), details.driver_exit_code, details.message or "")


def _knocked(address: str) -> str:
    """Return the address as Ray's client takes it, once something has answered there."""
    if "://" not in address:
        ray_cluster.knock(address)
        return f"http://{address}" if ray_cluster.is_dashboard(address) else address
    parts = urlsplit(address)
    try:
        port = parts.port or DASHBOARD_PORT
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or not port or parts.username or parts.path not in ("", "/"):
        raise UsageError(f"--address is {address}, must be a dashboard such as http://10.0.0.1:8265, without user, password or path")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    ray_cluster.knock(f"{host}:{port}")
    return f"{parts.scheme}://{host}:{port}"


def _is_open(url: str) -> bool:
    """Return whether the cluster answers without any token."""
    try:
        with urllib.request.urlopen(f"{url}/api/version", timeout=ray_cluster.KNOCK_S) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def _unoverridden() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in _OVERRIDES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


@contextmanager
def _translated(address: str, job: str = "") -> Iterator[None]:
    """Turn the many ways in which Ray's client fails into ours."""
    import aiohttp
    import requests
    from ray.exceptions import AuthenticationError, RayError

    try:
        yield
    except AuthenticationError as error:
        raise ClusterUnreachable(ray_cluster.refused(address)) from error
    except (requests.exceptions.RequestException, aiohttp.ClientError, RayError, ConnectionError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        remedy = "its dashboard must be reachable from here, e.g. through `ssh -L 8265:localhost:8265 head-node`"
        raise ClusterUnreachable(f"the job server of {address} does not answer: {reason}; {remedy}") from error
    except RuntimeError as error:
        text = (str(error) or type(error).__name__).splitlines()[0]
        if job and ("404" in text or "does not exist" in text):
            raise NoSuchJob(f"{address} knows no job {job}: the cluster was started anew since, or is another one") from error
        raise ClusterUnreachable(f"the job server of {address} refuses: {text}") from error
