"""Send a sweep to a cluster, once: what is there already is found, what has ended is gone on with under the next number."""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from results import journal, lock
from results.events import stamp
from results.history import History
from results.storage import Storage
from tuner import provenance, ray_jobs, submit
from tuner.errors import UsageError
from tuner.ray_jobs import AlreadyThere, Job, JobServer
from tuner.submit import Submitted


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a request to send a sweep.

    Attributes:
        submitted: The job that the sweep is now.
        state: Of that job.
        new: Whether it was sent just now.
        open: Whether the cluster takes jobs from anyone who reaches it.
    """

    submitted: Submitted
    state: ray_jobs.State
    new: bool
    open: bool


@dataclass(frozen=True, slots=True)
class Parcel:
    """What to send.

    Attributes:
        name: The sweep's name.
        sweep_hash: What is searched.
        file: The sweep file; None for a sweep that is stored already.
        code: The user's own modules.
        arguments: Of `shortlist` on the cluster, without `--submitted`.
    """

    name: str
    sweep_hash: str
    file: Path | None
    code: Mapping[str, bytes]
    arguments: Sequence[str]


def send(parcel: Parcel, storage: Storage, address: str, author: str) -> Sent:
    """Send a sweep as a job, unless it is there.

    Args:
        parcel: What to send.
        storage: The sweep's folder, which the cluster sees under the same path.
        address: See `JobServer`.
        author: Who sends it.

    Raises:
        UsageError: There is nothing to send, or too much.
        Locked: A driver that is no such job holds the sweep.
        ClusterUnreachable: See `JobServer`.
    """
    server = JobServer(address)
    name = submit.identity(parcel.name, parcel.sweep_hash, storage)
    known = _known(server.jobs(), name)
    number, last = max(known.items(), default=(0, None))
    if last is not None and not last.over:
        return Sent(_of(storage, last.job, server.url, author), last.state, new=False, open=server.open)
    if (holder := lock.holder(storage)) is not None:
        raise UsageError(
            f"process {holder.pid} on {holder.host} runs {parcel.name} since {holder.since}, and is no job of {server.url}; "
            f"stop it with: shortlist stop {storage}"
        )
    if last is not None and last.state == "succeeded" and History.of(journal.read(storage)).finished:
        return Sent(_of(storage, last.job, server.url, author), last.state, new=False, open=server.open)
    job = submit.numbered(name, number + 1)
    submitted = Submitted(job, server.url, stamp(time.time()), author)
    with tempfile.TemporaryDirectory(prefix="shortlist-") as folder:
        submit.pack(Path(folder), file=parcel.file, code=parcel.code)
        submit.remember(storage, submitted)
        entry_point = submit.entry_point([*parcel.arguments, "--submitted", job])
        try:
            server.submit(job, entry_point=entry_point, folder=Path(folder), variables=_variables())
        except AlreadyThere:  # somebody else has sent it in this very second
            return Sent(submitted, server.job(job).state, new=False, open=server.open)
    return Sent(submitted, "pending", new=True, open=server.open)


def latest(storage: Storage) -> Submitted:
    """Return the job that a sweep was sent as last.

    Raises:
        UsageError: It was never sent.
    """
    jobs = submit.remembered(storage)
    if not jobs:
        raise UsageError(f"{storage} was never submitted; it is run here: shortlist status {storage}")
    return jobs[-1]


def withdraw(storage: Storage) -> str:
    """Have the job of a sweep end that has not begun yet; say so.

    Raises:
        UsageError: It was never sent, or its job has ended.
        ClusterUnreachable: See `JobServer`.
    """
    job = latest(storage)
    if not JobServer(job.address).stop(job.job):
        raise UsageError(f"job {job.job} has ended, there is nothing to stop; see: shortlist logs {storage}")
    return f"stopped job {job.job}"


def _known(jobs: Sequence[Job], name: str) -> dict[int, Job]:
    """Return number -> job, of those that a sweep was sent as."""
    return {number: job for job in jobs if (number := submit.attempt(name, job.job)) is not None}


def _of(storage: Storage, job: str, url: str, author: str) -> Submitted:
    """Return what was written down of a job; it may have been sent before the cluster was reached under this address."""
    found = [known for known in submit.remembered(storage) if known.job == job]
    return found[-1] if found else Submitted(job, url, "", author)


def _variables() -> dict[str, str]:
    """Return the environment of the job: where its software comes from, no secrets."""
    commit = provenance.commit()
    chosen = {name: os.environ[name] for name in ("SHORTLIST_CACHE",) if name in os.environ}
    return chosen | ({"SHORTLIST_COMMIT": commit} if commit else {})
