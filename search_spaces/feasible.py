"""How much of a space keeps its limits: looked at before anything is trained, and refused where nothing does.

The share is that of candidates as they are drawn from the domains. Networks are counted only so far: MAX_NETWORKS of them.
"""

import itertools
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from search_spaces.constraints import LIMITS, Rule
from search_spaces.domains import Value
from search_spaces.errors import Locate, Mistake, SweepError, dotted
from search_spaces.feasible_space import MAX_NETWORKS, Cost, Feasible, prepared
from search_spaces.parts import Part, Values
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from search_spaces.wording import shown
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig

NUM_DRAWS = 2_000  # of a part: a share of 0.2 % is then missed once in e^4 = 55 sweeps, and looked for more closely
NUM_COUNTED = 100  # draws where each network has to be counted; a few seconds
IN_SUMMARY = frozenset({"family", "blocks", "channels", "depth", "width", "layout", "norm"})  # fields that a network's `summary` tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """What was found.

    Attributes:
        share: Fraction of candidates that keep every limit, > 0 and at most 1; about, where they were drawn.
        architectures: Name -> cost of each distinct network that was seen to keep every limit, in the order found; never empty.
        num_looked_at: Distinct networks that were counted, those that break a limit included.
        exhaustive: Whether these are all networks of the space.
        smallest: Cost of the network with the fewest parameters among them.
    """

    share: float
    architectures: dict[str, ArchitectureCost]
    num_looked_at: int
    exhaustive: bool
    smallest: ArchitectureCost


@dataclass(slots=True)
class _Census:
    """What was seen of one limit."""

    rule: Rule
    looked_at: int = 0
    broken: int = 0
    nearest: Values | None = None
    shortfall: float = math.inf


def check(space: Space, sweep: Sweep, cost: Cost, *, position: Locate | None = None) -> Feasibility:
    """Look whether candidates keep the sweep's limits, and how many.

    Args:
        space: The parsed `sweep.trial`.
        sweep: Its limits and its seed.
        cost: Counts one network; called once for each distinct one.
        position: Where the limits stand in the file; without it the message names the sweep.

    Raises:
        SweepError: None keeps them; a mistake for each limit that had a part in it.
        ModelError: A network of the space cannot be built.
    """
    feasible = prepared(sweep, cost)
    rng = Random(sweep.seed)
    share = _share(feasible, sweep, rng, position)
    return _networks(feasible, sweep, rng, share)


def check_configurations(sweep: Sweep, *, position: Locate | None = None) -> None:
    """Look whether candidates keep those limits for which no network has to be counted.

    Raises:
        SweepError: As `check`.
    """
    _share(Feasible(Space.parse(sweep.trial), sweep, None), sweep, Random(sweep.seed), position)


def _share(feasible: Feasible, sweep: Sweep, rng: Random, position: Locate | None) -> float:
    share = 1.0
    mistakes: list[Mistake] = []
    for part in feasible.parts:
        if part.rules:
            found, census = _looked(part, rng)
            if found <= 0.0:
                to_blame = [entry for entry in census if entry.broken == entry.looked_at] or [entry for entry in census if entry.broken]
                mistakes += [_mistake(entry, part, sweep, position) for entry in to_blame]
            share *= found
    if mistakes:
        raise SweepError(mistakes)
    return share


def _looked(part: Part, rng: Random) -> tuple[float, list[_Census]]:
    """Return the share of a part's candidates that keep its limits, and what was seen of each limit."""
    census = [_Census(rule) for rule in part.rules]
    kept = looked_at = 0.0
    for values, weight in _candidates(part, rng):
        known, cost = part.known(values), part.cost(values)
        looked_at += weight
        sound = True
        for entry in census:
            entry.looked_at += 1
            if entry.rule.broken(known, cost):
                sound = False
                entry.broken += 1
                if (shortfall := entry.rule.shortfall(known, cost)) < entry.shortfall:
                    entry.nearest, entry.shortfall = values, shortfall
        kept += weight * sound
    if kept > 0:
        return min(1.0, kept / looked_at), census
    if part.impossible or part.sample(rng) is None:
        return 0.0, census
    # Too few to be drawn by chance; where networks were counted only so far, the share is below what those let see.
    return (1 / looked_at if part.slow else part.share(rng)), census


def _candidates(part: Part, rng: Random) -> Iterable[tuple[Values, float]]:
    """Yield all candidates of a small part with their weights, else draws; few where each network has to be counted."""
    if (combinations := part.combinations()) is not None and not part.slow:
        yield from combinations
        return
    for _ in range(NUM_COUNTED if part.slow else NUM_DRAWS):
        yield part.plain(rng), 1.0


def _networks(feasible: Feasible, sweep: Sweep, rng: Random, share: float) -> Feasibility:
    """Count the networks of the space, up to MAX_NETWORKS, and name those that can keep the limits."""
    model = feasible.space.part("model")
    size = model.size()
    exhaustive = size is not None and size <= MAX_NETWORKS
    draws = model.grid() if exhaustive else (drawn for _ in range(NUM_COUNTED) if (drawn := feasible.sample(rng)) is not None)
    costs: dict[str, ArchitectureCost] = {}
    fitting: dict[str, ArchitectureCost] = {}
    named: set[str] = set()
    for values in draws:
        complete = feasible.space.sample(rng, given=values)
        config = feasible.space.build(complete, sweep.base_config())
        network = config.model.model_dump_json(exclude={"label"})
        costs.setdefault(network, feasible.price(complete))
        if network not in named and _fits(feasible, complete, model):
            named.add(network)
            fitting[_name(complete, config, taken=fitting)] = costs[network]
    return Feasibility(
        share=share,
        architectures=fitting,
        num_looked_at=len(costs),
        exhaustive=exhaustive,
        smallest=min(costs.values(), key=lambda cost: cost.parameters),
    )


def _fits(feasible: Feasible, values: Mapping[str, Value], model: Space) -> bool:
    """Say whether a network can be part of a candidate that keeps all limits: it, or one near it with the same network, does."""
    if feasible.broken(values) is None:
        return True
    own = {path: values[path] for path in model.searched if path in values}
    if not own:
        return True  # a single network: `check` has found a candidate
    for part in feasible.parts:
        if part.paths & own.keys():
            return part.allows(own)
    return False


def _name(values: Mapping[str, Value], config: TrainConfig, *, taken: Collection[str]) -> str:
    """Return a name for people: the label, else what the network is made of, with what varies and is not said by that."""
    model = config.model
    name = model.label or (f"{model.family} {model.summary}" if model.family != "builder" else model.summary)
    if model.label or model.family != "builder":
        told = IN_SUMMARY if not model.label else frozenset()
        varied = {path.removeprefix("model."): value for path, value in values.items() if path.startswith("model.")}
        name = ", ".join([name, *(f"{path} {value}" for path, value in varied.items() if path.partition(".")[0] not in told)])
    return name if name not in taken else next(other for n in itertools.count(2) if (other := f"{name} ({n})") not in taken)


def _mistake(entry: _Census, part: Part, sweep: Sweep, locate: Locate | None) -> Mistake:
    """Say how many candidates broke a limit, and by how little the nearest did."""
    rule = entry.rule
    assert entry.nearest is not None
    file, line, column = locate(rule.keys) if locate else (sweep.name, 0, 0)
    drawn = part.slow or part.combinations() is None
    all_of_them = entry.broken == entry.looked_at
    of = f"{entry.looked_at:,} candidates{' drawn' if drawn else ''}"
    seen = f"broken by {'each of ' if all_of_them else f'{entry.broken:,} of '}{of}"
    if not all_of_them:
        seen += ", and no candidate keeps every limit" if part.impossible else ", and none was found that keeps every limit"
    figures = rule.explained(part.known(entry.nearest), part.cost(entry.nearest))
    remedy = "raise it or search for less" if rule.name in LIMITS else "change it or the domains"
    return Mistake(
        file=file,
        line=line,
        column=column,
        path=dotted(rule.keys),
        seen=f"{shown(' '.join(rule.expression.text.split()))} is {seen}" if rule.name not in LIMITS else seen,
        required=f"the nearest has {figures}; {remedy}",
    )
