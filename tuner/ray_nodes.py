"""Ask every node of a cluster what it is like."""

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tuner import machine
from tuner.machine import Machine

PATIENCE_S = 90.0  # a new process that imports torch takes some seconds; on a busy node, more


def look(probe: str | None, data: str | None) -> dict[str, Machine | str]:
    """Return address -> what the node there is like, or why it did not say. Ray must be connected. Arguments as in `machine.look`."""
    visit = ray.remote(num_cpus=0, max_retries=0)(machine.look)
    alive = [node for node in ray.nodes() if node["Alive"]]
    visits = {
        node["NodeManagerAddress"] + ("" if len(alive) < 2 else f" {node['NodeID'][:6]}"): visit.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(probe, data, node["NodeID"][:12])
        for node in alive
    }
    ray.wait(list(visits.values()), num_returns=len(visits), timeout=PATIENCE_S)
    found: dict[str, Machine | str] = {}
    for address, visited in visits.items():
        try:
            found[address] = ray.get(visited, timeout=0)
        except GetTimeoutError:
            found[address] = f"no answer within {PATIENCE_S:.0f} s"
        except RayError as error:
            found[address] = str(error).strip().splitlines()[-1]
    return found


def num_gpus() -> int:
    """Return the GPUs that the connected cluster has to lend."""
    return int(ray.cluster_resources().get("GPU", 0))
