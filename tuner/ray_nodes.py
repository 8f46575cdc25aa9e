"""Ask every node of a cluster what it is like."""

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tuner import machine
from tuner.machine import Machine, Probe

PATIENCE_S = 90.0  # a new process that imports torch takes some seconds; on a busy node, more


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


def num_gpus() -> int:
    """Return the GPUs that the connected cluster has to lend."""
    return int(ray.cluster_resources().get("GPU", 0))
