"""Candidates that keep a sweep's limits: whether one does, and draws of those that do, however few they are.

Everything follows from the sweep and the generator that is handed in; nothing is remembered from one draw to the next but what was
counted. What networks cost comes in as a function: torch is not imported.
"""

import functools
import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from search_spaces.boxes import Network
from search_spaces.conditions import active
from search_spaces.constraints import Rule, rules
from search_spaces.domains import Domain, LogRandInt, LogUniform, Value, same
from search_spaces.parts import MAX_LISTED, Part, Values
from search_spaces.readings import Names
from search_spaces.settings import Constant, Parameter, Setting
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig

MAX_NETWORKS = 256  # counted before a sweep begins; one takes tens of milliseconds
NEAR = 64  # draws of which the nearest is taken

Cost = Callable[[TrainConfig], ArchitectureCost]


@dataclass(frozen=True)
class _Asked:
    """What a `Feasible` follows from."""

    text: str
    cost: Cost
    sweep: Sweep = field(compare=False)


def prepared(sweep: Sweep, cost: Cost) -> "Feasible":
    """Return the part of a sweep's space that keeps its limits; the same object for the same question, with all that it has found out."""
    text = json.dumps([sweep.trial, sweep.constraints.model_dump(mode="json"), sweep.base_config()])
    return _prepared(_Asked(text, cost, sweep))


@functools.lru_cache(maxsize=4)
def _prepared(asked: _Asked) -> "Feasible":
    return Feasible(Space.parse(asked.sweep.trial), asked.sweep, asked.cost)


class Feasible:
    """The part of a space that keeps its sweep's limits."""

    def __init__(self, space: Space, sweep: Sweep, cost: Cost | None) -> None:
        """Take the space apart; nothing is counted or drawn yet.

        Args:
            space: The parsed `sweep.trial`.
            sweep: Its limits.
            cost: Counts one network; asked once for each. With None, limits for which a network has to be counted are left out.
        """
        self.space = space
        found = rules(sweep.constraints, Names(space, sweep.base_config()))
        self.rules = tuple(rule for rule in found if cost is not None or not rule.counted)
        self._base = sweep.base_config()
        self._cost = cost
        self._costs: dict[tuple[tuple[str, Value], ...], ArchitectureCost] = {}
        self._by_network: dict[str, ArchitectureCost] = {}
        self._counts = any(rule.counted for rule in self.rules)

    def sample(self, rng: Random) -> Values | None:
        """Draw a candidate from the domains under the condition that all limits are kept; None where none could be found.

        Where no limit is broken this is `Space.sample` with the same generator.
        """
        return self.mended(self.space.sample(rng), rng)

    def mended(self, values: Mapping[str, Value], rng: Random) -> Values | None:
        """Return a candidate of which every part that keeps its limits is left alone and the others are drawn anew.

        What was drawn from the domains is thus drawn from the domains under the condition that all limits are kept. None where no such
        part could be found.
        """
        if self.broken(values) is None:
            return dict(values)
        found: Values = {}
        for part in self.parts:
            own = part.sample(rng, _within(values, part))
            if own is None:
                return None
            found |= own
        return self._ordered(found)

    def broken(self, values: Mapping[str, Value]) -> Rule | None:
        """Return the first limit that a candidate breaks; None where it keeps them all. Limits that need no counting are asked first."""
        known = self.space.known(values)
        for rule in self.rules:
            if rule.broken(known, self.price(values) if rule.counted else None):
                return rule
        return None

    def accepts(self, values: Mapping[str, Value]) -> str | None:
        """Return the name of the first limit that a candidate breaks, by which rejected ones are counted; None where it keeps all."""
        broken = self.broken(values)
        return None if broken is None else broken.name

    def explained(self, rule: Rule, values: Mapping[str, Value]) -> str:
        """Return what was seen and what is required of a limit that a candidate breaks."""
        return rule.explained(self.space.known(values), self.price(values) if rule.counted else None)

    def nearest(self, values: Mapping[str, Value], rng: Random) -> Values | None:
        """Return a candidate near the given one that keeps all limits: of each part that breaks one, the nearest of NEAR draws.

        How far two values are apart is measured on 0..1 from the domain's low end to its high end (on its own scale); different options,
        and being active or not, are 1 apart.
        """
        found: Values = {}
        for part in self.parts:
            own = _within(values, part)
            if part.kept(own):
                found |= own
                continue
            draws = [drawn for _ in range(NEAR if not part.slow else 1) if (drawn := part.sample(rng)) is not None]
            if not draws:
                return None
            found |= min(draws, key=lambda drawn, own=own: self._distance(own, drawn))  # type: ignore[misc]  # as for all lambdas with defaults
        return self._ordered(found)

    def all(self) -> tuple[Values, ...] | None:
        """Return every candidate that keeps all limits, in the order of a grid; None where there are too many to list."""
        if self._all_weighted is None:
            return None
        return tuple(values for values, _ in self._all_weighted)

    def num_candidates(self) -> int | None:
        """Return how many candidates keep all limits; None where there is no end of them, or too many to list."""
        counts = [len(part.listed) if part.listed is not None else part.size if not part.rules else None for part in self.parts]
        known = [count for count in counts if count is not None]
        return math.prod(known) if len(known) == len(counts) else None

    def unused(self, rng: Random, used: Callable[[Mapping[str, Value]], bool]) -> Values | None:
        """Draw one of the candidates that were not used yet, evenly; None where there is none, or too many to list.

        Args:
            rng: The generator.
            used: Says whether a candidate was a trial already.
        """
        left = [(values, weight) for values, weight in self._all_weighted or () if not used(values)]
        if not left:
            return None
        return dict(rng.choices([values for values, _ in left], [weight for _, weight in left])[0])

    def price(self, values: Mapping[str, Value]) -> ArchitectureCost:
        """Return what a candidate's network costs, counting each network once.

        Raises:
            ModelError: There is no such network for these images.
        """
        own = tuple((path, values[path]) for path in self._network.searched if path in values)
        if own not in self._costs:
            complete = self.space.sample(Random(0), given=values)  # the rest does not matter to the network
            config = self.build(complete)
            network = config.model.model_dump_json(exclude={"label"})
            if network not in self._by_network:
                assert self._cost is not None
                self._by_network[network] = self._cost(config)
            self._costs[own] = self._by_network[network]
        return self._costs[own]

    def build(self, values: Mapping[str, Value]) -> TrainConfig:
        """Return the configuration of a candidate."""
        return self.space.build(values, self._base)

    @functools.cached_property
    def parts(self) -> tuple[Part, ...]:
        """Return the independent parts, those without a limit included."""
        networks = self._networks if self._counts else None
        found = []
        for paths in _tied(self.space, self.rules):
            own = [rule for rule in self.rules if rule.paths & paths or (rule.counted and paths & set(self._network.searched))]
            settings = [setting for setting in self.space.settings if setting.path in paths or _is_fixed(setting)]
            counted = networks if networks is None else [self._indexed(settings, values, cost) for values, cost in networks]
            found.append(Part(settings, own, self.price, counted))
        told = {rule.name for part in found for rule in part.rules}
        if constant := [rule for rule in self.rules if rule.name not in told]:  # nothing that they look at varies
            found.append(Part((), constant, self.price, ()))
        return tuple(found)

    @functools.cached_property
    def _networks(self) -> tuple[tuple[Values, ArchitectureCost], ...] | None:
        size = self._network.size()
        if size is None or size > MAX_NETWORKS:
            return None
        return tuple((values, self.price(values)) for values in self._network.grid())

    @functools.cached_property
    def _network(self) -> Space:
        return self.space.part("model")

    @functools.cached_property
    def _all_weighted(self) -> tuple[tuple[Values, float], ...] | None:
        listed = [part.listed for part in self.parts]
        rows = [part for part in listed if part is not None]
        if len(rows) < len(listed) or math.prod(map(len, rows)) > MAX_LISTED:
            return None
        found = []
        for combination in itertools.product(*rows):
            values: Values = {}
            for own, _ in combination:
                values |= own
            if self.broken(values) is None:
                found.append((self._ordered(values), math.prod(weight for _, weight in combination)))
        return tuple(found)

    def _indexed(self, settings: Iterable[Setting], values: Mapping[str, Value], cost: ArchitectureCost) -> Network:
        """Name the parameters of a network by their index in a part."""
        known = self.space.known(values)
        parameters = [setting for setting in settings if isinstance(setting, Parameter)]
        found = [(i, values[p.path]) for i, p in enumerate(parameters) if p.path in values and active(p.conditions, known)]
        return Network(tuple(found), cost)

    def _ordered(self, values: Mapping[str, Value]) -> Values:
        """Return values in the order in which the space draws them."""
        return {path: values[path] for path in self.space.searched if path in values}

    def _distance(self, first: Mapping[str, Value], second: Mapping[str, Value]) -> float:
        total = 0.0
        for path in first.keys() | second.keys():
            if path not in first or path not in second:
                total += 1.0
            elif not same(first[path], second[path]):
                domain = next(p.domain for p in self.space.parameters if p.path == path and p.domain.contains(second[path]))
                total += _apart(domain, first[path], second[path])
        return total


def _apart(domain: Domain, first: Value, second: Value) -> float:
    numbers = [value for value in (first, second) if isinstance(value, int | float) and not isinstance(value, bool)]
    low, high = getattr(domain, "low", None), getattr(domain, "high", None)
    if len(numbers) < 2 or low is None or high is None or low == high:
        return 1.0
    if isinstance(domain, LogUniform | LogRandInt):
        numbers, low, high = [math.log(max(value, low)) for value in numbers], math.log(low), math.log(high)
    return min(1.0, abs(numbers[0] - numbers[1]) / (high - low))


def _within(values: Mapping[str, Value], part: Part) -> Values:
    return {path: value for path, value in values.items() if path in part.paths}


def _is_fixed(setting: Setting) -> bool:
    """Say whether a setting is the same for all candidates."""
    return isinstance(setting, Constant) and not setting.conditions


def _tied(space: Space, rules: Iterable[Rule]) -> list[set[str]]:
    """Return the paths of the settings that vary, put together where a condition or a limit looks at both."""
    above: dict[str, str] = {}

    def root(path: str) -> str:
        while above.setdefault(path, path) != path:
            path = above[path]
        return path

    def tie(paths: Iterable[str]) -> None:
        found = [root(path) for path in paths]
        for path in found[1:]:
            above[root(path)] = root(found[0])

    vary = {setting.path for setting in space.settings if not _is_fixed(setting)}
    for setting in space.settings:
        if setting.path in vary:
            tie([setting.path, *(condition.path for condition in setting.conditions if condition.path in vary)])
    network = list(space.part("model").searched)
    for rule in rules:
        tie(sorted(rule.paths & vary) + (network if rule.counted else []))
    groups: dict[str, set[str]] = {}
    for setting in space.settings:
        if setting.path in vary:
            groups.setdefault(root(setting.path), set()).add(setting.path)
    searched = set(space.searched)
    return [paths for paths in groups.values() if paths & searched]
