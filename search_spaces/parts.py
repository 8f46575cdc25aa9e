"""One independent part of a space, and how candidates of it that keep its limits are drawn.

Parameters belong to one part where a condition or a limit ties them together. Parts are drawn each for itself: what rejection costs is
then the sum over the parts instead of the product.

A part is drawn as often as PLAIN times from its domains. Where none of those keeps the limits, it is listed in full if that is short;
else boxes are made in which the limits can hold (`boxes.py`). Both give exactly the distribution of drawing again and again. Where even
that finds nothing, a random walk among candidates that keep the limits goes on from one that a search has found: its draws have the
same distribution in the long run, but WALK steps from a few starts are not long, so they are alike more often than they should be.
"""

import bisect
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import TypeVar

from search_spaces.boxes import Box, Group, Network, drawn, refined, steps
from search_spaces.conditions import active
from search_spaces.constraints import Rule, broken
from search_spaces.domains import LogRandInt, Value
from search_spaces.settings import Setting
from search_spaces.space import Space
from trainable.config.cost import ArchitectureCost

MAX_LISTED = 20_000  # combinations of a part; about half a second
PLAIN = 32  # a part of which a tenth keeps its limits is seldom drawn otherwise: 0.9**32 = 3 %
TRIES = 10_000  # from boxes; about 0.2 s
COUNTED_TRIES = 50  # where each candidate's network has to be counted, which takes tens of milliseconds
WALK, COUNTED_WALK = 400, 40  # steps
STARTS, COUNTED_STARTS = 8, 2
CLIMB, COUNTED_CLIMB = 20_000, 1_000  # steps of the search for a start; where one network in 2e5 fits it took 170 to 470

Item = TypeVar("Item")
Values = dict[str, Value]
Price = Callable[[Mapping[str, Value]], ArchitectureCost]
"""Counts the network of a candidate's values."""


class Part:
    """See the module's docstring."""

    def __init__(self, settings: Sequence[Setting], rules: Sequence[Rule], price: Price, networks: Sequence[Network] | None) -> None:
        """Prepare nothing yet.

        Args:
            settings: Its settings, each after all that its conditions look at; constants that conditions look at included.
            rules: The limits that look at them.
            price: Counts the network of this part's values; only asked where a limit needs it.
            networks: All networks, where they were counted; else each is counted when it comes up.
        """
        self.rules = tuple(rules)
        self.counted = any(rule.counted for rule in rules)
        self._cheap = tuple(rule for rule in rules if not rule.counted)
        self._dear = tuple(rule for rule in rules if rule.counted)
        self._space = Space(tuple(settings))
        self._price = price
        self.slow = self.counted and networks is None
        self._group = Group(settings, networks)
        self.paths = frozenset(parameter.path for parameter in self._group.parameters)

    def kept(self, values: Mapping[str, Value]) -> bool:
        """Say whether values of this part keep its limits."""
        return self.broken(values) is None

    def broken(self, values: Mapping[str, Value]) -> Rule | None:
        """Return the first limit that is broken, asking those first for which no network has to be counted."""
        known = self.known(values)
        found = broken(self._cheap, known, None)
        return found if found is not None or not self.counted else broken(self._dear, known, self._price(values))

    def known(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return the values with the constants that conditions look at."""
        return self._space.known(values)

    def cost(self, values: Mapping[str, Value]) -> ArchitectureCost | None:
        """Return what the network costs, where a limit asks."""
        return self._price(values) if self.counted else None

    def plain(self, rng: Random) -> Values:
        """Draw from the domains, whatever the limits say."""
        return self._space.decide(lambda parameter: parameter.domain.sample(rng))

    def sample(self, rng: Random, first: Mapping[str, Value] | None = None) -> Values | None:
        """Draw values that keep the limits; None where none could be found.

        Args:
            rng: The generator; in equal states it gives equal values.
            first: Values drawn from the domains already: taken where they will do.
        """
        if not self.rules:
            return self.plain(rng) if first is None else dict(first)
        for attempt in range(COUNTED_TRIES if self.slow else PLAIN):
            values = dict(first) if attempt == 0 and first is not None else self.plain(rng)
            if self.kept(values):
                return values
        if (draw := self._drawer) is None:
            return None
        for _ in range(COUNTED_TRIES if self.slow else TRIES):
            if self.kept(values := draw(rng)):
                return values
        return self._walk(rng)

    @functools.cached_property
    def size(self) -> int | None:
        """Return the number of combinations; None where it is infinite."""
        return self._space.size()

    def combinations(self) -> Iterator[tuple[Values, float]] | None:
        """Return every combination with its weight, whatever the limits say; None where there are too many."""
        if self.size is None or self.size > MAX_LISTED:
            return None
        return ((values, self._weight(values)) for values in self._space.combinations(lambda domain: domain.values() or ()))

    def allows(self, own: Mapping[str, Value]) -> bool:
        """Say whether some candidate with these values keeps the limits, as far as PLAIN draws can tell where they cannot be listed."""
        if self.listed is not None:
            return any(own.items() <= values.items() for values, _ in self.listed if self.kept(values))
        rng = Random(0)
        return any(self.kept(self._space.sample(rng, given=own)) for _ in range(PLAIN))

    @functools.cached_property
    def listed(self) -> tuple[tuple[Values, float], ...] | None:
        """Return every combination that keeps the limits (those only that need no slow counting) with its weight; None if too many."""
        combinations = self.combinations()
        return None if combinations is None else tuple(row for row in combinations if self._kept_cheaply(row[0]))

    @functools.cached_property
    def boxes(self) -> tuple[Box, ...]:
        """Return boxes outside which no candidate keeps all limits."""
        rng = Random(0)  # only for when to stop; what is drawn later does not depend on it

        def accepted(boxes: Sequence[Box]) -> float:
            draw = self._from_boxes(boxes)
            return sum(self._kept_cheaply(draw(rng)) for _ in range(64)) / 64

        return refined(self._group, self.rules, accepted)

    @property
    def impossible(self) -> bool:
        """Return whether it is proved that nothing keeps the limits."""
        return not self.listed if self.listed is not None else not self.boxes

    def share(self, rng: Random) -> float:
        """Return about the share of candidates that keep the limits which need no counting; exact where they can be listed."""
        if self.listed is not None:
            return math.fsum(weight for _, weight in self.listed)
        draw = self._from_boxes(self.boxes)
        number = 1_000
        kept = sum(self._kept_cheaply(draw(rng)) for _ in range(number)) if self.boxes else 0
        return math.fsum(box.mass for box in self.boxes) * kept / number

    @functools.cached_property
    def _drawer(self) -> Callable[[Random], Values] | None:
        """Return what draws from the list or from the boxes; None where both are empty."""
        if self.listed is not None:
            rows = self.listed
            choose = _weighted([values for values, _ in rows], [weight for _, weight in rows])
            return (lambda rng: dict(choose(rng))) if rows else None
        return self._from_boxes(self.boxes) if self.boxes else None

    def _kept_cheaply(self, values: Mapping[str, Value]) -> bool:
        """Say whether the limits are kept, those left out for which a network would have to be counted now."""
        return broken(self._cheap, self.known(values), None) is None if self.slow else self.kept(values)

    def _from_boxes(self, boxes: Sequence[Box]) -> Callable[[Random], Values]:
        choose = _weighted(boxes, [box.mass for box in boxes])

        def draw(rng: Random) -> Values:
            cells = choose(rng).cells
            return self._space.decide(lambda parameter: drawn(parameter.domain, cells[self._group.index[id(parameter)]], rng))

        return draw

    def _weight(self, values: Mapping[str, Value]) -> float:
        """Return the probability of a combination."""
        weight = 1.0
        known = self.known(values)
        for parameter in self._group.parameters:
            if not active(parameter.conditions, known):
                continue
            domain, value = parameter.domain, known[parameter.path]
            if isinstance(domain, LogRandInt) and isinstance(value, int):
                weight *= math.log((value + 1) / value) / math.log((domain.high + 1) / domain.low)
            else:
                weight /= steps(domain) or 1
        return weight

    @functools.cached_property
    def _starts(self) -> tuple[tuple[float, ...], ...]:
        """Return points, each coordinate on 0..1, that keep the limits, found by going wherever less is broken."""
        found = []
        for number in range(COUNTED_STARTS if self.slow else STARTS):
            rng = Random(f"start/{number}")
            point = [rng.random() for _ in self._group.parameters]
            lacking = self._lacking(point)
            for _ in range(COUNTED_CLIMB if self.slow else CLIMB):
                if lacking == 0:
                    found.append(tuple(point))
                    break
                step = _step(point, rng)
                if (other := self._lacking(step)) <= lacking:
                    point, lacking = step, other
            if number == 0 and not found:
                break  # the others would not fare better, and each takes its time
        return tuple(found)

    def _walk(self, rng: Random) -> Values | None:
        """Return where a random walk among points that keep the limits has come to.

        Metropolis's rule for an even distribution: every step is as likely as the step back, and is taken where the limits allow it.
        """
        if not self._starts:
            return None
        point = list(self._starts[rng.randrange(len(self._starts))])
        for _ in range(COUNTED_WALK if self.slow else WALK):
            step = _step(point, rng)
            if self.kept(self._at(step)):
                point = step
        return self._at(point)

    def _at(self, point: Sequence[float]) -> Values:
        return self._space.decide(lambda parameter: parameter.domain.from_unit(point[self._group.index[id(parameter)]]))

    def _lacking(self, point: Sequence[float]) -> float:
        """Return how far a point is from keeping all limits: 0 where it does; the network is counted when all else is met."""
        values = self._at(point)
        known = self.known(values)
        cheap = max((rule.shortfall(known, None) for rule in self._cheap), default=0.0)
        if cheap > 0:
            return 2 + cheap  # beyond any network that is too large
        return max((rule.shortfall(known, self._price(values)) for rule in self._dear), default=0.0)


def _step(point: Sequence[float], rng: Random) -> list[float]:
    """Return the point with one coordinate drawn anew, or moved a little in a circle."""
    moved = list(point)
    index = rng.randrange(len(moved))
    moved[index] = rng.random() if rng.random() < 0.5 else (moved[index] + rng.gauss(0.0, 10 ** (-4 * rng.random()))) % 1.0
    return moved


def _weighted(items: Sequence[Item], weights: Sequence[float]) -> Callable[[Random], Item]:
    """Return what draws one of the items by its weight."""
    until = list(itertools.accumulate(weights))

    def choose(rng: Random) -> Item:
        return items[min(len(items) - 1, bisect.bisect(until, rng.random() * until[-1]))]

    return choose
