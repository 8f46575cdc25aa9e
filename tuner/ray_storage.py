"""Whether every node of a cluster sees the storage: a task on each reads what the driver wrote, and the driver reads its answer.

The nodes that are there at the start must; one that joins later is asked when it does, and is used only if it does.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from results.storage import Storage
from tuner import ray_cluster, storage_probe
from tuner.errors import UsageError
from tuner.slots import Node

logger = logging.getLogger(__name__)

PATIENCE_S = 90.0  # a new worker process takes some seconds; a busy node, more


class Nodes:
    """The nodes of the connected cluster that a sweep may use: they see its storage, and are not about to be taken away."""

    def __init__(self, storage: Storage) -> None:
        """Ask every node that is there now.

        Raises:
            UsageError: One does not see the storage; the message names it and what it tried.
        """
        self._storage = storage
        self._answers: dict[str, str | None] = {}  # node -> what is wrong with it, in words; None where it sees the storage
        self._asked: dict[str, _Visit] = {}
        self.usable: Mapping[str, Node] = {}
        there = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
        visits = {node: _Visit(storage, node) for node in there}
        ray.wait([visit.task for visit in visits.values()], num_returns=len(visits), timeout=PATIENCE_S)
        # The last one first: folders that were made for the first token go with it.
        self._answers = {node: visit.answer() for node, visit in reversed(visits.items())}
        wrong = {there[node]: said for node, said in self._answers.items() if said is not None}
        if wrong:
            address, said = next(iter(wrong.items()))
            number = f"{len(wrong)} of {len(there)} nodes do not see the storage {storage.address}"
            raise UsageError(f"{number}: a task on {address} {said}; {_remedy(storage)}, or name another one with --storage")
        self.look()

    def look(self) -> Mapping[str, Node]:
        """Return id -> what the node has, for the nodes that may be used now; ask those that are new, and wait for no answer."""
        there = ray_cluster.nodes_by_id()
        for node in there.keys() - self._answers.keys() - self._asked.keys():
            self._asked[node] = _Visit(self._storage, node)
        for node, visit in list(self._asked.items()):
            if visit.over:
                del self._asked[node]
                self._answers[node] = said = visit.answer()
                if said is not None:
                    logger.warning(
                        "node %s joined and is not used: it does not see the storage %s: a task on it %s; %s",
                        node, self._storage.address, said, _remedy(self._storage),
                    )  # fmt: skip
        self.usable = {node: has for node, has in there.items() if node in self._answers and self._answers[node] is None}
        return self.usable

    @property
    def refused(self) -> set[str]:
        """Return the ids of the nodes that do not see the storage."""
        return {node for node, said in self._answers.items() if said is not None}

    def close(self) -> None:
        """Leave nothing behind of what was asked and not answered yet."""
        for visit in self._asked.values():
            visit.answer()
        self._asked.clear()


class _Visit:
    """A task on one node, and the token that it looks for."""

    def __init__(self, storage: Storage, node: str) -> None:
        self._storage, self._node = storage, node
        self._until = time.monotonic() + PATIENCE_S
        self._token = ExitStack()
        self._name, self._content = self._token.enter_context(storage_probe.token(storage))
        visit = ray.remote(num_cpus=0, max_retries=0)(storage_probe.answer)
        here = NodeAffinitySchedulingStrategy(node, soft=False)
        self.task: Any = visit.options(scheduling_strategy=here).remote(storage.address, self._name, self._content, node)

    @property
    def over(self) -> bool:
        """Return whether there is an answer, or none to be waited for."""
        return bool(ray.wait([self.task], timeout=0)[0]) or time.monotonic() > self._until

    def answer(self) -> str | None:
        """Return what is wrong, in words, or None; take the token away."""
        with self._token:
            try:
                said: str | None = ray.get(self.task, timeout=0)
            except GetTimeoutError:
                return f"gave no answer within {PATIENCE_S:.0f} s"
            except RayError as error:
                return f"could not look ({str(error).strip().splitlines()[-1]}); the same shortlist must be installed there"
            if said is None and not storage_probe.answered(self._storage, self._name, self._content, self._node):
                return "read it, but what it wrote is not seen from here"
            return said


def _remedy(storage: Storage) -> str:
    if storage.mirror is None:
        return "mount it on every node under the same path"
    return "every node needs boto3, the endpoint and credentials in its own environment"
