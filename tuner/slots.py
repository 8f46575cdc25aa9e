"""How many trials run at once, and what each of them holds."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.sweep import ResourceOptions
from tuner.errors import UsageError


@dataclass(frozen=True, slots=True)
class Slots:
    """One slot size for the whole sweep: Ray keeps warm workers by it.

    Attributes:
        count: Trials at once.
        cpus: Cores, and threads, of each.
        gpus: GPUs of each; may be a fraction.
    """

    count: int
    cpus: int
    gpus: float


def plan(options: ResourceOptions, available: Mapping[str, float]) -> Slots:
    """Return the slots that fit.

    Args:
        options: What the sweep file asks for.
        available: The cluster's resources by Ray's names, `CPU` and `GPU`.

    Raises:
        UsageError: Not one slot fits.
    """
    cpus = available.get("CPU", 0.0)
    gpus_there = available.get("GPU", 0.0)
    gpus = (1.0 if gpus_there >= 1.0 else 0.0) if options.gpus == "auto" else float(options.gpus)
    fitting = int(cpus // options.cpus)
    if gpus > 0:
        # Ray packs fractions within one device only: 0.4 fits twice on each, whatever their number.
        fitting = min(fitting, int(gpus_there) * int(1.0 / gpus + 1e-9))
    if fitting < 1:
        raise UsageError(
            f"a trial asks for {options.cpus} cpus and {gpus:g} gpus, the cluster has {cpus:g} and {gpus_there:g}; "
            "lower resources.cpus or resources.gpus"
        )
    return Slots(count=min(fitting, options.workers or fitting), cpus=options.cpus, gpus=gpus)


def overcommitted(options: ResourceOptions, cores: int) -> list[str]:
    """Return a warning where the workers asked for have more threads than this machine has cores."""
    threads = (options.workers or 1) * options.cpus
    if threads <= cores:
        return []
    asked = f"{options.workers} workers with {options.cpus} threads each" if options.workers else f"a worker with {options.cpus} threads"
    return [f"resources: {asked} share {cores} cores; every epoch takes the longer, and nothing is gained"]


def local_cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
