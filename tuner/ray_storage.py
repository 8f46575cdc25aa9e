"""Whether every node of a cluster sees the storage: a task on each reads what the driver wrote, and the driver reads its answer."""

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from results.storage import Storage
from tuner import storage_probe
from tuner.errors import UsageError

PATIENCE_S = 90.0  # a new worker process takes some seconds; a busy node, more


def require_every_node(storage: Storage) -> None:
    """Raise unless each node that is there now can read and write the storage. Ray must be connected.

    Raises:
        UsageError: One cannot; the message names it and what it tried.
    """
    visit = ray.remote(num_cpus=0, max_retries=0)(storage_probe.answer)
    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    with storage_probe.token(storage) as (name, content):
        visits = {
            node: visit.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
                storage.address, name, content, node
            )
            for node in nodes
        }
        ray.wait(list(visits.values()), num_returns=len(visits), timeout=PATIENCE_S)
        wrong = {}
        for node, answer in visits.items():
            try:
                said = ray.get(answer, timeout=0)
            except GetTimeoutError:
                said = f"gave no answer within {PATIENCE_S:.0f} s"
            except RayError as error:
                said = f"could not look ({str(error).strip().splitlines()[-1]}); the same shortlist must be installed there"
            if said is None and not storage_probe.answered(storage, name, content, node):
                said = "read it, but what it wrote is not seen from here"
            if said is not None:
                wrong[nodes[node]] = said
    if wrong:
        address, said = next(iter(wrong.items()))
        number = f"{len(wrong)} of {len(nodes)} nodes do not see the storage {storage.address}"
        remedy = (
            "mount it on every node under the same path"
            if storage.mirror is None
            else "every node needs boto3, the endpoint and credentials in its own environment"
        )
        raise UsageError(f"{number}: a task on {address} {said}; {remedy}, or name another one with --storage")
