"""`gpus: auto` on a cluster: what its GPUs have, how fast a few trials are side by side, and the slots that follow (`packing`)."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

from search_spaces.sweep import ResourceOptions
from trainable.config.train import TrainConfig
from trainable.throughput import Throughput
from tuner import packing, slots
from tuner.packing import Need
from tuner.ray_calibrate import Gauge
from tuner.slots import Slots

logger = logging.getLogger(__name__)

PROBE_S = 4.0  # of training for each number of trials at once
START_S = 300.0  # for processes to start and to load the data; a GPU that is taken by others keeps nobody waiting for longer


def packed(
    options: ResourceOptions,
    nodes: Sequence[slots.Node],
    *,
    needed: Need,
    ran_out_bytes: int,
    probe: TrainConfig,
    code: Mapping[str, bytes],
) -> tuple[Slots, str]:
    """Return the slots for `gpus: auto` where there are GPUs, and why these, in one line.

    Args:
        options: What the sweep file asks for.
        nodes: What each node has.
        needed: Memory of the largest trial.
        ran_out_bytes: See `packing.fitting`.
        probe: A costly configuration of the sweep, to be trained for a moment, one or several at once.
        code: Files of the user's own networks.
    """
    alone = slots.plan(options, nodes)
    if slots.pretended():
        return alone, "gpus: auto takes one trial a GPU: the GPUs are pretended, there is nothing to measure"
    gpu_bytes = _smallest_gpu_bytes()
    if gpu_bytes is None:
        return alone, "gpus: auto takes one trial a GPU: no GPU could be looked at"
    with_gpus = [node for node in nodes if node.get("GPU", 0.0) >= 1.0]
    cpus = min(int(node.get("CPU", 0.0) // (options.cpus * node["GPU"])) for node in with_gpus)
    most = packing.fitting(needed, gpu_bytes, ran_out_bytes=ran_out_bytes, cpus=max(1, cpus))
    why = f"the largest trial takes {needed.num_bytes / 2**30:.2g} GiB ({'measured' if needed.measured else 'estimated'}) "
    why += f"of {gpu_bytes / 2**30:.0f}, {most} fit"
    per_gpu = 1
    if most > 1:
        speeds = _images_per_s(probe, packing.counts_to_try(most), options.cpus, code)
        if speeds:
            per_gpu = packing.choose(speeds)
            why += "; images/s at once: " + ", ".join(f"{count}: {speed:,.0f}" for count, speed in speeds.items())
        else:
            why += "; none could be measured side by side, so one"
    planned = slots.plan(options, nodes, gpus=1.0 / per_gpu)
    memory_bytes = slots.slot_memory_bytes(gpu_bytes, 1.0 / per_gpu) if per_gpu > 1 else 0
    return replace(planned, memory_bytes=memory_bytes), f"gpus: auto takes {per_gpu} trial{'s' if per_gpu > 1 else ''} a GPU: {why}"


def _smallest_gpu_bytes() -> int | None:
    """Return the memory of the smallest GPU, looking at one of each node; None where torch finds none."""
    look = ray.remote(num_cpus=0, num_gpus=1, max_retries=0)(_gpu_bytes)
    asked = [
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote()
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("GPU", 0.0) >= 1.0
    ]
    done, late = ray.wait(asked, num_returns=len(asked), timeout=START_S)
    for task in late:
        ray.cancel(task)
    found = [seen for task in done if (seen := ray.get(task)) is not None]
    return min(found, default=None)


def _gpu_bytes() -> int | None:
    from trainable.memory import device_bytes

    return device_bytes()


def _images_per_s(config: TrainConfig, counts: Sequence[int], cpus: int, code: Mapping[str, bytes]) -> dict[int, float]:
    """Return trials at once on one GPU -> images a second of all together; those that fail are left out."""
    most = max(counts)
    group = placement_group([{"CPU": float(cpus * most), "GPU": 1.0}])
    gauges: list[Any] = []
    try:
        ray.get(group.ready(), timeout=START_S)
        worker = ray.remote(num_cpus=cpus, num_gpus=1.0 / most, scheduling_strategy=PlacementGroupSchedulingStrategy(group))(Gauge)
        gauges = [worker.remote(dict(code), cpus) for _ in range(most)]
        content = config.model_dump(mode="json")
        ray.get([gauge.ready.remote(content) for gauge in gauges], timeout=START_S)
        speeds = {}
        for count in counts:
            figures = ray.get([gauge.measure.remote(content, PROBE_S) for gauge in gauges[:count]], timeout=START_S)
            found = [figure for figure in figures if isinstance(figure, Throughput)]
            if len(found) == count:
                speeds[count] = sum(1.0 / figure.train_image_s for figure in found)
        return speeds
    except ray.exceptions.RayError as error:  # the sweep goes on with what memory alone allows for sure
        logger.warning("trials could not be measured side by side: %s", str(error).splitlines()[0])
        return {}
    finally:
        for gauge in gauges:
            ray.kill(gauge)
        remove_placement_group(group)
