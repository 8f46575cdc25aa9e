"""How many trials run at once, and what each of them holds. Pure: what the nodes have comes in as numbers."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search_spaces.sweep import ResourceOptions
from tuner.errors import UsageError

# What every process holds on a GPU beside its tensors: CUDA's context and the kernels that are loaded. Not measured here; 0.3 to 0.6 GiB is
# common.
CONTEXT_BYTES = 600 * 2**20

# What one node has, by Ray's names: `CPU`, `GPU`.
Node = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Slots:
    """One slot size for the whole sweep: Ray keeps warm workers by it.

    Attributes:
        count: Trials at once.
        cpus: Cores, and threads, of each.
        gpus: GPUs of each; may be a fraction.
        memory_bytes: Device memory that each may use; 0 where nothing bounds it.
    """

    count: int
    cpus: int
    gpus: float
    memory_bytes: int = 0


def plan(options: ResourceOptions, nodes: Sequence[Node], *, gpus: float | None = None) -> Slots:
    """Return the slots that fit.

    Args:
        options: What the sweep file asks for.
        nodes: What each node has; a trial never spans two.
        gpus: GPUs of a trial where the file says `auto`; one where a node has any, if None.

    Raises:
        UsageError: Not one slot fits.
    """
    share = gpus_asked(options, nodes) if gpus is None else gpus
    count = number(options, nodes, share)
    if count < 1:
        largest = max(nodes, key=lambda node: (node.get("GPU", 0.0), node.get("CPU", 0.0)), default={})
        there = f"{largest.get('CPU', 0.0):g} and {largest.get('GPU', 0.0):g}"
        which = "the cluster has" if len(nodes) == 1 else f"the largest of {len(nodes)} nodes has"
        raise UsageError(
            f"a trial asks for {options.cpus} cpus and {share:g} gpus, {which} {there}; lower resources.cpus or resources.gpus"
        )
    return Slots(count=count, cpus=options.cpus, gpus=share)


def gpus_asked(options: ResourceOptions, nodes: Sequence[Node]) -> float:
    """Return the GPUs of a trial as the file has them; for `auto` one where any node has one, else none."""
    if options.gpus != "auto":
        return float(options.gpus)
    return 1.0 if any(node.get("GPU", 0.0) >= 1.0 for node in nodes) else 0.0


def number(options: ResourceOptions, nodes: Sequence[Node], gpus: float) -> int:
    """Return how many trials run at once on these nodes, >= 0; with `autoscale`, how many are to."""
    if options.autoscale and options.workers is not None:
        return options.workers
    fitting = sum(_fitting(node, options.cpus, gpus) for node in nodes)
    return min(fitting, options.workers or fitting)


def _fitting(node: Node, cpus: int, gpus: float) -> int:
    fitting = int(node.get("CPU", 0.0) // cpus)
    if gpus > 0:
        # Ray packs fractions within one device only: 0.4 fits twice on each, whatever their number.
        fitting = min(fitting, int(node.get("GPU", 0.0)) * int(1.0 / gpus + 1e-9))
    return fitting


def slot_memory_bytes(gpu_bytes: int, gpus: float) -> int:
    """Return the device memory that torch may use in a process with a share of a GPU; what its context takes is left out."""
    return max(1, int(gpu_bytes * gpus) - CONTEXT_BYTES)


def overcommitted(options: ResourceOptions, cores: int) -> list[str]:
    """Return a warning where the workers asked for have more threads than this machine has cores."""
    threads = (options.workers or 1) * options.cpus
    if threads <= cores:
        return []
    asked = f"{options.workers} workers with {options.cpus} threads each" if options.workers else f"a worker with {options.cpus} threads"
    return [f"resources: {asked} share {cores} cores; every epoch takes the longer, and nothing is gained"]


def pretended() -> bool:
    """Return whether GPUs are only pretended: SHORTLIST_PRETEND_GPUS is set, and workers train on processors whatever Ray counts.

    For tests and for trying out how a sweep spreads over a cluster. Without it a worker that has a GPU and no CUDA is an error: it would
    train on, a hundred times slower, and nobody would know why.
    """
    return os.environ.get("SHORTLIST_PRETEND_GPUS", "") not in ("", "0")


def local_cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
