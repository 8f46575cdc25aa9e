"""Our own methods in a replay: the engine, scheduler rules and samplers of production, over the rows of a table.

A row is a candidate whose values are the hyperparameters of the table, so that a model sees them; where a sampler asks for candidates it
gets rows that no trial has yet. What would be trained is one small network with the row's number as its seed: nobody trains it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from benchmarks.curve_tables import CurveTable
from results.events import Event
from results.history import History
from search_spaces.domains import Value
from search_spaces.feasible_space import Feasible
from search_spaces.space import Space
from search_spaces.sweep import SearchOptions, Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from tuner.budget import Budget
from tuner.decisions import Suggestion
from tuner.samplers import model
from tuner.samplers.encoding import Encoding
from tuner.samplers.model import Candidates
from tuner.samplers.sampler import Propose
from tuner.schedulers import scheduler
from tuner.search import Search

ROW = "row"  # beside the hyperparameters in a candidate's values
NETWORK: Mapping[str, Any] = {"model": {"family": "resnet", "blocks": [1], "channels": 8}, "lr": 0.1}
COST = ArchitectureCost(parameters=1, flops_per_image=1, activation_bytes_per_image=1)

# Method -> the scheduler as a sweep file would say it, besides max_epochs, and the sampler.
METHODS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "random": ("none", {}, "random"),
    "shortlist-stopping": ("asha", {"variant": "stopping"}, "random"),
    "shortlist-promotion": ("asha", {"variant": "promotion"}, "random"),
    "shortlist-delayed": ("asha", {"variant": "promotion", "delayed": True}, "random"),
    "shortlist-default": ("asha", {}, SearchOptions().sampler),
}


@dataclass(frozen=True)
class Rows(Space):
    """The rows of a table as a search space: each is proposed once.

    Attributes:
        configs: What stands for each row.
        candidates: The values of each row.
        unused: Rows that no trial has yet, in the order of this repeat.
    """

    configs: Sequence[TrainConfig] = ()
    candidates: Sequence[Mapping[str, Value]] = ()
    unused: dict[int, None] = field(default_factory=dict)

    def sample(self, rng: Random, given: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """Return an unused row, each with the same probability."""
        rows = list(self.unused)
        return dict(self.candidates[rows[rng.randrange(len(rows))]])

    def build(self, values: Mapping[str, Value], base: Mapping[str, Any]) -> TrainConfig:
        """Return what stands for a row, which is used from now on."""
        row = values[ROW]
        assert isinstance(row, int)
        self.unused.pop(row, None)
        return self.configs[row]

    def size(self) -> int | None:
        """Return the number of rows."""
        return len(self.configs)


@dataclass(frozen=True, slots=True)
class Pool:
    """A table, and what all replays of it share.

    Attributes:
        configs: What stands for each row, its number as the seed.
        candidates: The values of each row.
        points_ND: What a model sees of each row.
    """

    table: CurveTable
    configs: Sequence[TrainConfig]
    candidates: Sequence[Mapping[str, Value]]
    points_ND: np.ndarray

    @classmethod
    def of(cls, table: CurveTable) -> "Pool":
        """Return the pool of a table."""
        first = TrainConfig.model_validate({**NETWORK, "data": {"name": "digits"}, "max_epochs": table.max_epochs, "seed": 0})
        encoding = Encoding(Space(table.parameters))
        return cls(
            table=table,
            configs=[first.model_copy(update={"seed": row}) for row in range(table.num_rows)],
            candidates=[{**values, ROW: row} for row, values in enumerate(table.values)],
            points_ND=np.stack([encoding.point(values) for values in table.values]),
        )


def search(method: str, pool: Pool, order: Sequence[int], *, seed: int) -> Search:
    """Return one of our methods at its start.

    Args:
        method: One of METHODS.
        pool: What is replayed.
        order: The rows, in the order in which random search proposes them.
        seed: The sweep's seed.
    """
    rule, options, sampler = METHODS[method]
    sweep = Sweep.model_validate(
        {
            "name": "replay",
            "seed": seed,
            "data": {"name": "digits"},
            "trial": NETWORK,
            "budget": {"epochs": pool.table.num_rows * pool.table.max_epochs},  # all there is; the replay ends earlier
            "scheduler": {rule: {"max_epochs": pool.table.max_epochs, **options}},
        }
    )
    space = Rows(pool.table.parameters, configs=pool.configs, candidates=pool.candidates, unused=dict.fromkeys(order))
    propose = in_order(space)
    if sampler == "model":
        propose = model.sampler(space, seed=seed, sign=1, otherwise=propose, candidates=unused_rows(space, pool.points_ND))
    return Search(
        sweep,
        space=space,
        scheduler=scheduler.build(sweep.scheduler.rule, sign=1),
        propose=propose,
        feasible=Feasible(space, sweep, cost=None),
        cost=lambda config: COST,
        budget=Budget(sweep.budget),
        history=History(),
        append=discard,
    )


def in_order(space: Rows) -> Propose:
    """Return random search over the rows: the order is random, and the same for every method."""

    def propose(history: History, draw: int) -> Suggestion | None:
        row = next(iter(space.unused), None)
        return None if row is None else Suggestion(values=space.candidates[row], draw=draw, source="random")

    return propose


def unused_rows(space: Rows, points_ND: np.ndarray) -> Candidates:
    """Return what a model chooses among: rows that no trial has."""

    def draw(history: History, rng: Random, number: int) -> tuple[Sequence[Mapping[str, Value]], np.ndarray]:
        rows = list(space.unused)
        chosen = rng.sample(rows, min(number, len(rows)))
        return [space.candidates[row] for row in chosen], points_ND[chosen]

    return draw


def discard(events: Sequence[Event], sync: bool) -> None:
    """Journal to nowhere: the history in memory is what a replay reads."""
