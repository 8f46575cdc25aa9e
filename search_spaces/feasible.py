"""How much of a space keeps its limits: counted before anything is trained, and refused where nothing does."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from search_spaces import constraints
from search_spaces.domains import Value
from search_spaces.errors import Mistake, SweepError
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig

MAX_LISTED = 10_000  # networks; counting one on the meta device takes milliseconds
NUM_DRAWS = 2_000  # where there are more: a share of 0.2 % is then missed once in e^4 = 55 sweeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """What was found.

    Attributes:
        architectures: Name -> cost of each distinct network that keeps every limit, in the order found; never empty.
        num_looked_at: Distinct networks, those that break a limit included.
        exhaustive: Whether these are all networks of the space; False where they were drawn.
        smallest: Cost of the network with the fewest parameters.
    """

    architectures: dict[str, ArchitectureCost]
    num_looked_at: int
    exhaustive: bool
    smallest: ArchitectureCost

    @property
    def share(self) -> float:
        """Return the fraction of distinct networks that keep every limit, 0..1."""
        return len(self.architectures) / self.num_looked_at


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
        SweepError: None keeps them.
    """
    size = space.part("model").size()
    exhaustive = size is not None and size <= MAX_LISTED
    costs: dict[str, ArchitectureCost] = {}
    fitting: dict[str, ArchitectureCost] = {}
    for values in _candidates(space, sweep, exhaustive=exhaustive):
        config = space.build(values, sweep.base_config())
        network = config.model.model_dump_json(exclude={"label"})
        if network in costs:
            continue
        costs[network] = cost(config)
        if constraints.broken(sweep.constraints, config, costs[network]) is None:
            fitting[_name(values, config, taken=fitting)] = costs[network]
    smallest = min(costs.values(), key=lambda found: found.parameters)
    if not fitting:
        raise _none_fits(sweep, len(costs), smallest, exhaustive, position)
    return Feasibility(architectures=fitting, num_looked_at=len(costs), exhaustive=exhaustive, smallest=smallest)


def _name(values: Mapping[str, Value], config: TrainConfig, *, taken: Collection[str]) -> str:
    """Return a name for people: the label with what varies beneath it, else what the network is made of."""
    model = config.model
    name = model.label or (f"{model.family} {model.summary}" if model.family != "builder" else model.summary)
    if model.label:
        name = ", ".join([name, *(f"{path.removeprefix('model.')} {value}" for path, value in values.items() if path.startswith("model."))])
    return name if name not in taken else next(other for n in itertools.count(2) if (other := f"{name} ({n})") not in taken)


def _candidates(space: Space, sweep: Sweep, *, exhaustive: bool) -> Iterator[dict[str, Value]]:
    rng = Random(sweep.seed)
    if exhaustive:
        for values in space.part("model").grid():
            yield space.sample(rng, given=values)
    else:
        for _ in range(NUM_DRAWS):
            yield space.sample(rng)


def _none_fits(
    sweep: Sweep, architectures: int, smallest: ArchitectureCost, exhaustive: bool, position: tuple[str, int, int]
) -> SweepError:
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
