"""How many trials share one GPU where the sweep file says `gpus: auto`. Pure: what the GPUs have and what was measured comes in as numbers.

Memory says how many fit, speed whether it is worth it. What fits is estimated before anything was trained, and measured from then on: the
next start of the driver, and only that, may come to another answer, because one sweep has one slot size.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from results.history import History
from search_spaces.constraints import memory_bytes
from search_spaces.feasible_space import prepared
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from tuner.search import Cost
from tuner.slots import CONTEXT_BYTES

# The estimate leaves out what cuDNN works in, gradients of activations and what the allocator cannot use between its blocks.
ESTIMATE_MARGIN = 2.0
# A measured peak leaves out only that another trial of about the same size may need a little more.
MEASURED_MARGIN = 1.15
# Trials side by side have less memory each, and one more process is one more that can fail: the fewest that are nearly as fast are taken.
NEARLY = 0.95
MOST = 16  # beyond it a GPU is shared in time rather than in space, and every process wants its own processor
NUM_DRAWS = (
    300  # candidates of an infinite space that are looked at; one in a hundred is missed once in twenty sweeps, and the margin covers it
)


@dataclass(frozen=True, slots=True)
class Need:
    """Device memory that the largest trial takes.

    Attributes:
        num_bytes: So much, its process's context left out.
        measured: Whether peaks of trained trials say so; else the meta device's estimate does.
    """

    num_bytes: int
    measured: bool


def largest(sweep: Sweep, cost: Cost) -> tuple[TrainConfig, int]:
    """Return the largest candidate that keeps the limits, and its estimated memory in bytes, the data set left out."""
    feasible = prepared(sweep, cost)
    rng = random.Random(sweep.seed)
    candidates = feasible.all() or tuple(drawn for _ in range(NUM_DRAWS) if (drawn := feasible.sample(rng)) is not None)
    configs = ((feasible.build(values), feasible.price(values)) for values in candidates)
    return max(((config, memory_bytes(config, price)) for config, price in configs), key=lambda found: found[1])


def peaks(history: History) -> list[tuple[int, int]]:
    """Return the estimate and the measured peak of each trial that a GPU has trained, in bytes."""
    return [
        (
            memory_bytes(TrainConfig.model_validate(record.config), ArchitectureCost(**record.cost)),
            max(report.peak_memory_bytes for report in record.curve.values()),
        )
        for record in history.trials.values()
        if record.curve and record.device != "cpu"
    ]


def need(estimate: int, data_bytes: int, measured: Iterable[tuple[int, int]]) -> Need:
    """Return what the largest trial takes.

    Peaks bound every trial that is no larger than the largest measured; a larger one needs more in proportion at most, because what every
    trial takes alike (the data set, cuDNN's memory) does not grow.

    Args:
        estimate: That of the largest candidate, bytes.
        data_bytes: The data set on the device.
        measured: Estimate and peak, bytes, of trials that were trained.
    """
    seen = list(measured)
    if not seen:
        return Need(int(ESTIMATE_MARGIN * estimate) + data_bytes, measured=False)
    growth = max(1.0, estimate / max(1, *(trained for trained, _ in seen)))
    return Need(int(MEASURED_MARGIN * growth * max(peak for _, peak in seen)), measured=True)


def fitting(needed: Need, gpu_bytes: int, *, ran_out_bytes: int = 0, cpus: int) -> int:
    """Return how many trials fit one GPU, >= 1: one always gets all of it, and is out of memory where that is too little.

    Args:
        needed: What the largest takes.
        gpu_bytes: What the GPU has.
        ran_out_bytes: Most memory that a trial had to itself and ran out of; now each gets twice as much at least. 0 where none did.
        cpus: Slots for which a GPU's share of the processors is enough.
    """
    slot_bytes = max(needed.num_bytes, 2 * ran_out_bytes) + CONTEXT_BYTES
    return max(1, min(MOST, cpus, gpu_bytes // slot_bytes))


def counts_to_try(most: int) -> tuple[int, ...]:
    """Return how many trials at once a probe measures: 1, 2, 4, ... and the most."""
    return tuple(sorted({count for count in (1, 2, 4, 8, 16) if count < most} | {most}))


def choose(images_per_s: Mapping[int, float]) -> int:
    """Return the fewest trials at once whose images a second, all together, come near the best.

    Args:
        images_per_s: Trials at once -> images a second of all of them; not empty.
    """
    best = max(images_per_s.values())
    return min(count for count, speed in images_per_s.items() if speed >= NEARLY * best)
