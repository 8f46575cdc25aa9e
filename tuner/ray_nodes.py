"""Ask every node of a cluster: what it is like, what a worker on it said last."""

import logging

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from results.storage import Storage
from tuner import machine, worker_log
from tuner.machine import Machine, Probe

logger = logging.getLogger(__name__)

PATIENCE_S = 90.0  # a new process that imports torch takes some seconds; on a busy node, more
LOG_PATIENCE_S = 10.0  # the sweep waits as long


def look(probe: Probe | None, data: str | None) -> dict[str, tuple[str, Machine | str]]:
    """Return address -> the name of the node in answers to the probe, and what it is like, or why it did not say.

    Ray must be connected. Arguments as in `machine.look`.
    """
    visit = ray.remote(num_cpus=0, max_retries=0)(machine.look)
    alive = [node for node in ray.nodes() if node["Alive"]]
    visits = {
        node["NodeID"]: visit.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            probe, data, node["NodeID"]
        )
        for node in alive
    }
    addresses = [node["NodeManagerAddress"] for node in alive]
    names = {
        node["NodeID"]: address if addresses.count(address := node["NodeManagerAddress"]) == 1 else f"{address} {node['NodeID'][:6]}"
        for node in alive
    }
    ray.wait(list(visits.values()), num_returns=len(visits), timeout=PATIENCE_S)
    found: dict[str, tuple[str, Machine | str]] = {}
    for node, visited in visits.items():
        try:
            said = ray.get(visited, timeout=0)
        except GetTimeoutError:
            said = f"no answer within {PATIENCE_S:.0f} s"
        except RayError as error:
            said = str(error).strip().splitlines()[-1]
        found[names[node]] = node, said
    return found


def last_words(storage: Storage, trial: str) -> tuple[str, ...]:
    """Return the last lines that the lost worker of a trial has written.

    On an object store its log is still on its node: every node is asked, and the log that was written to last is it.
    """
    said = worker_log.tail(storage.path(f"trials/{trial}"))
    if said or storage.mirror is None:
        return said
    visit = ray.remote(num_cpus=0, max_retries=0)(worker_log.written_here)
    try:
        visits = [
            visit.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(storage.address, trial)
            for node in ray.nodes()
            if node["Alive"]
        ]
        found = [ray.get(visited) for visited in ray.wait(visits, num_returns=len(visits), timeout=LOG_PATIENCE_S)[0]]
    except (RayError, RuntimeError, OSError) as error:  # the loss is told without them
        logger.warning("what the lost worker of %s wrote last cannot be looked up: %s", trial, error)
        return ()
    return max(found, default=(0, ()))[1]


def num_gpus() -> int:
    """Return the GPUs that the connected cluster has to lend."""
    return int(ray.cluster_resources().get("GPU", 0))
