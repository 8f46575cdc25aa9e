"""Is this machine, are these nodes, fit to run a sweep? Checks, each with what was seen and what to do. No ray here.

Thresholds are where something is known to fail or to become slow, not where more would be nice.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from results.errors import ResultsError
from results.redact import redacted
from results.storage import Storage
from tuner import storage_probe
from tuner import token as tokens
from tuner.errors import UsageError
from tuner.machine import Machine

MIN_FREE = 2 * 2**30  # bytes: Ray's logs and spilled objects, decoded images, checkpoints
MIN_SHM = 2**30  # bytes: Ray's object store falls back to files on disk below; a container has 64 MiB unless told
MIN_FILES = 4096  # a driver of 256 workers has some thousand files and sockets open; many systems start with 1024
MAX_SKEW_S = 5.0  # times in the journal would be out of order; tokens of clouds fail at minutes
MAX_WRITE_S = 1.0  # the driver waits for it at each decision

State = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    Attributes:
        name: What.
        state: How it is.
        seen: What was seen.
        remedy: What to do; empty where all is well.
    """

    name: str
    state: State
    seen: str
    remedy: str = ""


def machine(name: str, seen: Machine, here: Machine | None = None) -> Iterator[Check]:
    """Yield the checks of one machine.

    Args:
        name: How to call it; empty for this one.
        seen: What it is like.
        here: The machine of the driver, whose versions the others must have.
    """
    where = f"{name} " if name else ""
    yield _versions(f"{where}versions", seen, here)
    built = f"torch built for CUDA {seen.cuda}" if seen.cuda else "torch built without CUDA"
    if seen.broken:
        remedy = "update the driver of the machine, or install a torch built for it (nvidia-smi shows its CUDA version)"
        yield Check(f"{where}GPUs", "error", f"{'; '.join(seen.broken)}; {built}", remedy)
    else:
        yield Check(f"{where}GPUs", "ok", f"{_counted(seen.gpus) or 'none'}; {built}; {seen.cores} cores")
    for folder, free in seen.free.items():
        remedy = "make room, or set TMPDIR (temporary files) or SHORTLIST_CACHE (decoded images) to a larger disk"
        yield _enough(f"{where}disk", f"{free / 2**30:,.1f} GiB free for {folder}", free >= MIN_FREE, remedy)
    if seen.shm is not None:
        remedy = "give the container more: docker run --shm-size=8g, or an emptyDir of medium Memory on /dev/shm"
        yield _enough(f"{where}shared memory", f"{seen.shm / 2**30:,.1f} GiB free", seen.shm >= MIN_SHM, remedy)
    yield _enough(
        f"{where}open files", f"at most {seen.files:,}", seen.files >= MIN_FILES or seen.files < 0, "ulimit -n 65536 before Ray starts"
    )


def storage(runs: Storage) -> Iterator[Check]:
    """Yield the checks of the storage of all sweeps from here: writable, quick enough, on one clock with us, with room."""
    try:
        storage_probe.writable(runs)
        started = time.perf_counter()
        with storage_probe.token(runs) as (name, _):
            written_s = time.perf_counter() - started
            skew_s = runs.path(name).stat().st_mtime - time.time() if runs.mirror is None else None
    except (UsageError, ResultsError) as error:
        yield Check("storage", "error", *_split(str(error)))
        return
    except OSError as error:
        remedy = "make it writable for this user, or name another one with --storage"
        yield Check("storage", "error", redacted(f"{error.filename or runs}: {error.strerror or error}"), remedy)
        return
    yield Check("storage", "ok", f"{runs} can be written to and read")
    remedy = "keep sweeps on another storage: each decision of a sweep waits for it"
    yield _enough("storage speed", f"{1000 * written_s:,.0f} ms to have a small file there for good", written_s <= MAX_WRITE_S, remedy)
    if skew_s is None:
        return
    remedy = "have both keep time: timedatectl set-ntp true"
    yield _enough("storage clock", f"{skew_s:+.1f} s against this machine's", abs(skew_s) <= MAX_SKEW_S, remedy)
    folder = runs.root.absolute()
    while not folder.exists():  # `run` makes it
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    yield _enough("storage room", f"{free / 2**30:,.1f} GiB free", free >= MIN_FREE, "make room; shortlist gc says what can go")


def own_token(environment: Mapping[str, str] = os.environ) -> Iterator[Check]:
    """Yield the checks of the token files that would be used."""
    try:
        path = tokens.own()
        yield Check("token of this machine", "ok", f"{path}, mode 0600")
    except UsageError as error:
        yield Check("token of this machine", "error", *_split(str(error)))
    copy = dict(environment)
    try:
        tokens.for_cluster(copy)
    except UsageError as error:
        yield Check("token for clusters", "error", *_split(str(error)))
        return
    sent = copy[tokens.MODE] == "token"
    yield Check("token for clusters", "ok", "will be sent" if sent else f"none; a cluster with {tokens.MODE}=token needs one")


def nodes(
    found: Mapping[str, Machine | str], here: Machine, *, asked_at: float, answered_at: float, answers: int | None, num_gpus: int
) -> Iterator[Check]:
    """Yield the checks of a cluster's nodes.

    Args:
        found: Address -> what the node is like, or why it did not say.
        here: This machine.
        asked_at: Seconds since 1970 by this machine's clock, before they were asked; their clocks must lie between.
        answered_at: After.
        answers: Answers to the probe that are seen from here; None where there was no probe.
        num_gpus: GPUs that Ray lends.
    """
    for address, seen in found.items():
        if isinstance(seen, str):
            remedy = "install the same shortlist on every node, or send the sweep with it: shortlist submit"
            yield Check(f"node {address}", "error", seen, remedy)
            continue
        yield from machine(f"node {address}", seen, here)
        skew_s = max(asked_at - seen.clock, seen.clock - answered_at, 0.0)
        remedy = f"have both keep time: timedatectl set-ntp true on {seen.host}"
        yield _enough(f"node {address} clock", f"{skew_s:.1f} s apart from this machine's", skew_s <= MAX_SKEW_S, remedy)
        if answers is not None:
            remedy = "mount the storage folder on every node under the same path, or name another one with --storage"
            yield _good(f"node {address} storage", seen.sees_storage, "reads and writes it", remedy)
        remedy = "put the data set where every node sees it under the same path"
        yield _good(f"node {address} data", seen.sees_data, "can be read", remedy)
    met = [seen for seen in found.values() if isinstance(seen, Machine)]
    if answers is not None and (missing := sum(seen.sees_storage is None for seen in met) - answers) > 0:
        seen_here = f"{missing} of {len(met)} nodes wrote to a folder of the same name that is not seen from here"
        yield Check("storage of all nodes", "error", seen_here, "mount one shared file system under that path everywhere")
    visible = sum(len(seen.gpus) for seen in {seen.host: seen for seen in met}.values())
    if met and num_gpus != visible:
        remedy = "start each node's Ray with --num-gpus as many as torch sees, or none"
        yield Check("GPUs of all nodes", "warning", f"Ray lends {num_gpus}, torch sees {visible}", remedy)
    elif met:
        yield Check("GPUs of all nodes", "ok", f"{num_gpus} lent by Ray, {visible} seen by torch")
    if met and any(seen.variables.get(tokens.MODE) != "token" for seen in met):
        remedy = f"start every node's Ray with {tokens.MODE}=token and {tokens.FILE}; see docs/operations.md"
        yield Check("authentication", "warning", "whoever reaches the cluster's ports runs code on it", remedy)
    elif met:
        yield Check("authentication", "ok", "every node asks for the token")


def worst(checks: Sequence[Check]) -> State:
    """Return the state of the worst check."""
    order: tuple[State, ...] = ("ok", "warning", "error")
    return max((check.state for check in checks), key=order.index, default="ok")


def _versions(name: str, seen: Machine, here: Machine | None) -> Check:
    shown = ", ".join(
        f"{package} {seen.versions[package]}" for package in ("shortlist", "python", "torch", "ray") if package in seen.versions
    )
    if here is None:
        return Check(name, "ok", shown)
    minor = [".".join(about.versions["python"].split(".")[:2]) for about in (seen, here)]
    differ = [package for package in ("ray", "torch", "shortlist") if seen.versions.get(package) != here.versions.get(package)]
    if minor[0] != minor[1] or "ray" in differ:
        ours = f"python {here.versions['python']}, ray {here.versions.get('ray')}"
        return Check(
            name, "error", shown, f"here it is {ours}: Ray needs the same Python (to the second figure) and the same Ray everywhere"
        )
    if differ:
        return Check(name, "warning", shown, f"{' and '.join(differ)} differ from here; a trial's numbers may depend on where it runs")
    return Check(name, "ok", shown)


def _enough(name: str, seen: str, good: bool, remedy: str) -> Check:
    return Check(name, "ok", seen) if good else Check(name, "warning", seen, remedy)


def _good(name: str, wrong: str | None, right: str, remedy: str) -> Check:
    return Check(name, "ok", right) if wrong is None else Check(name, "error", wrong, remedy)


def _split(message: str) -> tuple[str, str]:
    seen, _, remedy = message.partition("; ")
    return seen, remedy


def _counted(names: Sequence[str]) -> str:
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
