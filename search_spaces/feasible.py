"""How much of a space keeps its limits: counted before anything is trained, and refused where nothing does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from search_spaces import constraints
from search_spaces.errors import Mistake, SweepError
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig

MAX_LISTED = 10_000  # candidates; counting one network on the meta device takes milliseconds, and distinct networks are far fewer
NUM_DRAWS = 2_000  # where there are more: a share of 0.2 % is then missed once in e^4 = 55 sweeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """What was found.

    Attributes:
        architectures: Distinct networks that were looked at.
        fitting: Those that keep every limit.
        exhaustive: Whether these are all networks of the space; False where they were drawn.
        smallest: Cost of the network with the fewest parameters.
        largest: Cost of the fitting network with the most parameters.
    """

    architectures: int
    fitting: int
    exhaustive: bool
    smallest: ArchitectureCost
    largest: ArchitectureCost

    @property
    def share(self) -> float:
        """Return the fraction of networks that fit, 0..1."""
        return self.fitting / self.architectures


def check(
    space: Space, sweep: Sweep, cost: Callable[[TrainConfig], ArchitectureCost], *, position: tuple[str, int, int] = ("", 0, 0)
) -> Feasibility:
    """Count the networks of a space that keep the sweep's limits.

    Args:
        space: The parsed `sweep.trial`.
        sweep: Its limits and its seed.
        cost: Counts one network; called once for each distinct one.
        position: File, line and column of `constraints`, for the message.

    Raises:
        SweepError: None fits.
    """
    size = space.part("model").size()
    exhaustive = size is not None and size <= MAX_LISTED
    costs: dict[str, ArchitectureCost] = {}
    fitting: dict[str, ArchitectureCost] = {}
    for config in _candidates(space, sweep, exhaustive=exhaustive):
        network = config.model.model_dump_json(exclude={"label"})
        if network in costs:
            continue
        costs[network] = cost(config)
        if constraints.broken(sweep.constraints, config, costs[network]) is None:
            fitting[network] = costs[network]
    smallest = min(costs.values(), key=_parameters)
    if not fitting:
        raise _none_fits(sweep, len(costs), smallest, exhaustive, position)
    return Feasibility(
        architectures=len(costs), fitting=len(fitting), exhaustive=exhaustive, smallest=smallest, largest=max(fitting.values(), key=_parameters)
    )


def _candidates(space: Space, sweep: Sweep, *, exhaustive: bool) -> Iterator[TrainConfig]:
    base = sweep.base_config()
    rng = Random(sweep.seed)
    if exhaustive:
        for values in space.part("model").grid():
            yield space.build(space.sample(rng, given=values), base)
    else:
        for _ in range(NUM_DRAWS):
            yield space.build(space.sample(rng), base)


def _none_fits(sweep: Sweep, architectures: int, smallest: ArchitectureCost, exhaustive: bool, position: tuple[str, int, int]) -> SweepError:
    file, line, column = position
    looked_at = f"none of the {architectures} networks" if exhaustive else f"none of {architectures} networks drawn"
    return SweepError(
        [
            Mistake(
                file=file or sweep.name,
                line=line,
                column=column,
                path="constraints.max_parameters",
                seen=f"{sweep.constraints.max_parameters:,} is met by {looked_at}",
                required=f"must be >= {smallest.parameters:,}, the smallest found; raise it or make `trial.model` smaller",
            )
        ]
    )


def _parameters(cost: ArchitectureCost) -> int:
    return cost.parameters
