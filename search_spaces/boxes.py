"""The part of a space in which its limits can hold, as boxes that are sampled exactly.

A candidate is a point: one coordinate for each parameter, also for those that turn out inactive, each drawn independently. A box gives
every coordinate a part of its domain. Interval arithmetic (`ranges.py`) proves boxes empty; those are dropped, the largest of the
others is halved, again and again. Drawing a box by its mass, a point in it, and rejecting the point where a limit is broken after all
then gives exactly the distribution of drawing from the whole space until every limit holds, with few rejections.

The idea is branch and prune: Van Hentenryck, McAllester & Kapur, SIAM J. Numerical Analysis 34(2), 1997.
"""

import functools
import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from search_spaces.conditions import Condition
from search_spaces.constraints import COSTS, Rule
from search_spaces.domains import Choice, Domain, LogRandInt, QUniform, RandInt, Value, same
from search_spaces.ranges import SLACK, Possible, Some, Span, possible
from search_spaces.settings import Constant, Parameter, Setting
from trainable.config.cost import ArchitectureCost

MAX_SPLITS = 3_000  # about a second
ENOUGH = 0.5  # share of points that are accepted; halving it further would cost more than it saves
LOOK = 250  # splits between two looks at that share
FINEST = 2.0**-40  # of a continuous domain
FEW = 16  # steps of a domain that are told apart; more are a span

Cell = tuple[float, ...]
"""Part of a domain: indexes of a choice's options; steps from (included) to (excluded); or from and to on 0..1."""


@dataclass(frozen=True, slots=True)
class Box:
    """One cell for each parameter, in their order; mass is its probability in the whole space."""

    cells: tuple[Cell, ...]
    mass: float


@dataclass(frozen=True, slots=True)
class Network:
    """A network that was counted: the values of the parameters (by index) that make it up, and its cost."""

    values: tuple[tuple[int, Value], ...]
    cost: ArchitectureCost


def steps(domain: Domain) -> int | None:
    """Return the number of values, all equally likely, of a domain; None where they are not."""
    match domain:
        case Choice(options=options):
            return len(options)
        case QUniform():
            return domain.num_steps
        case RandInt(low=low, high=high):
            return high - low + 1
    return None


def whole(domain: Domain) -> Cell:
    """Return the cell that is the whole domain."""
    if isinstance(domain, Choice):
        return tuple(range(len(domain.options)))
    number = steps(domain)
    return (0.0, 1.0) if number is None else (0, number)


def share(domain: Domain, cell: Cell) -> float:
    """Return the probability of a cell."""
    if isinstance(domain, Choice):
        return len(cell) / len(domain.options)
    return (cell[1] - cell[0]) / (steps(domain) or 1)


def drawn(domain: Domain, cell: Cell, rng: Random) -> Value:
    """Return a value drawn from a cell."""
    if isinstance(domain, Choice):
        return domain.options[int(cell[rng.randrange(len(cell))])].name
    if steps(domain) is None:
        return domain.from_unit(cell[0] + rng.random() * (cell[1] - cell[0]))
    return _step(domain, rng.randrange(int(cell[0]), int(cell[1])))


def halves(domain: Domain, cell: Cell) -> tuple[Cell, Cell] | None:
    """Return two cells that make up a cell; None where it is one value, or too narrow to matter."""
    if isinstance(domain, Choice):
        return (cell[: len(cell) // 2], cell[len(cell) // 2 :]) if len(cell) > 1 else None
    low, high = cell[0], cell[1]
    if steps(domain) is not None:
        step = (int(low) + int(high)) // 2
        return ((low, step), (step, high)) if high - low > 1 else None
    if high - low < FINEST or domain.from_unit(low) == domain.from_unit(high):
        return None
    middle = (low + high) / 2
    return (low, middle), (middle, high)


def values_of(domain: Domain, cell: Cell) -> Possible:
    """Return what may be drawn from a cell."""
    if isinstance(domain, Choice):
        return Some(tuple(domain.options[int(index)].name for index in cell))
    if steps(domain) is not None:
        first, last = int(cell[0]), int(cell[1]) - 1
        if last - first < FEW:
            return Some(tuple(_step(domain, step) for step in range(first, last + 1)))
        return Span(_number(_step(domain, first)), _number(_step(domain, last)))
    low, high = (_number(domain.from_unit(end)) for end in cell)
    if isinstance(domain, LogRandInt):
        # A step's end is decided by a rounded logarithm: one whole number of room.
        return (
            Some((int(low),)) if low == high and cell[1] - cell[0] < FINEST else Span(max(domain.low, low - 1), min(domain.high, high + 1))
        )
    return Span(low - SLACK * abs(low), high + SLACK * abs(high))


def _step(domain: Domain, index: int) -> Value:
    """Return one of the equally likely values of a domain that has such."""
    match domain:
        case Choice(options=options):
            return options[index].name
        case QUniform():
            return domain.at(index)
    assert isinstance(domain, RandInt)
    return domain.low + index


def _number(value: Value) -> float:
    assert isinstance(value, int | float)
    return value


class Group:
    """Parameters that belong together, as a region is described by them.

    Attributes:
        parameters: They are the coordinates.
        settings: Path -> all settings there, those outside that never change included.
        networks: Those that were counted; None where they are too many.
        made_up: Indexes of the parameters that make up the network.
    """

    def __init__(self, settings: Sequence[Setting], networks: Sequence[Network] | None = None) -> None:
        self.parameters = tuple(setting for setting in settings if isinstance(setting, Parameter))
        self.index = {id(parameter): index for index, parameter in enumerate(self.parameters)}
        self.settings: dict[str, list[Setting]] = {}
        for setting in settings:
            self.settings.setdefault(setting.path, []).append(setting)
        self.networks = networks
        self.made_up = frozenset(i for i, parameter in enumerate(self.parameters) if f"{parameter.path}.".startswith("model."))

    def everything(self) -> Box:
        """Return the box that is the whole space of the group."""
        return Box(tuple(whole(parameter.domain) for parameter in self.parameters), 1.0)


class View:
    """One box, as `readings.py` asks about it."""

    def __init__(self, group: Group, box: Box) -> None:
        self._group = group
        self._cells = box.cells
        self._applies: dict[int, bool | None] = {}
        self._costs: list[ArchitectureCost] | None = None

    def of(self, parameter: Parameter) -> Possible:
        """Return what a parameter's recorded value may be where it is active."""
        return values_of(parameter.domain, self._cells[self._group.index[id(parameter)]])

    def active(self, setting: Setting) -> bool | None:
        """Say whether a setting applies in the whole box (True), nowhere in it (False), or here and there (None)."""
        if id(setting) not in self._applies:
            answers = [self._holds(condition) for condition in setting.conditions]
            self._applies[id(setting)] = False if False in answers else None if None in answers else True
        return self._applies[id(setting)]

    def cost(self, name: str) -> Possible:
        """Return what a network of the box may cost."""
        if self._group.networks is None:
            return Span(0.0, math.inf)
        if self._costs is None:
            self._costs = [network.cost for network in self._group.networks if all(self._has(*value) for value in network.values)]
        found = [getattr(cost, name) for cost in self._costs]
        return Span(min(found), max(found)) if found else Some(())

    def verdict(self, rules: Sequence[Rule]) -> tuple[bool | None, list[Rule]]:
        """Say whether all limits hold in the box (True), one holds nowhere (False), or neither is sure; and which are not sure."""
        unsure = []
        for rule in rules:
            answer = possible(rule.expression.root, functools.partial(self._read, rule))
            answers = answer.values if isinstance(answer, Some) else (True, False, None)
            if True not in answers and None not in answers:
                return False, [rule]
            if False in answers:
                unsure.append(rule)
        return (None if unsure else True), unsure

    def _read(self, rule: Rule, path: str) -> Possible:
        return self.cost(path) if path in COSTS else rule.readings[path].possible(self)

    def _has(self, index: int, value: Value) -> bool:
        found = values_of(self._group.parameters[index].domain, self._cells[index])
        if isinstance(found, Some):
            return any(same(value, other) for other in found.values)
        return found is None or (isinstance(value, int | float) and found.low <= value <= found.high)

    def _holds(self, condition: Condition) -> bool | None:
        allowed = refused = False
        certain = False  # that something decides, whatever it is
        for setting in self._group.settings.get(condition.path, ()):
            applies = self.active(setting)
            if applies is False:
                continue
            certain = certain or applies is True
            if isinstance(setting, Constant):
                holds = [setting.might_be(value) for value in condition.values]
                allowed, refused = allowed or any(holds), refused or not any(holds)
                continue
            found = self.of(setting)
            if isinstance(found, Some):
                answers = [condition.allows(value) for value in found.values]
                allowed, refused = allowed or any(answers), refused or not all(answers)
            else:
                numbers = [value for value in condition.values if isinstance(value, int | float)]
                allowed = allowed or (found is None or any(found.low <= value <= found.high for value in numbers))
                refused = True
        return False if not allowed else True if certain and not refused else None


def refined(group: Group, rules: Sequence[Rule], accepted: Callable[[Sequence[Box]], float]) -> tuple[Box, ...]:
    """Return boxes outside which some limit is broken for certain; none where no candidate can keep them all.

    Args:
        group: What makes up a point.
        rules: All limits that look at it.
        accepted: Returns about the share of points drawn from boxes that keep the limits.
    """
    relevant = {rule.name: _relevant(group, rule) for rule in rules}
    certain: list[Box] = []
    waiting: list[tuple[float, int, Box, tuple[str, ...]]] = []
    narrow: list[Box] = []
    number = 0

    def sort(box: Box) -> None:
        nonlocal number
        answer, unsure = View(group, box).verdict(rules)
        if answer is True:
            certain.append(box)
        elif answer is None:
            number += 1
            heapq.heappush(waiting, (-box.mass, number, box, tuple(rule.name for rule in unsure)))

    sort(group.everything())
    for split in range(1, MAX_SPLITS + 1):
        if not waiting:
            break
        if split % LOOK == 0 and accepted([*certain, *narrow, *(entry[2] for entry in waiting)]) >= ENOUGH:
            break
        _, _, box, unsure = heapq.heappop(waiting)
        parts = _parts(group, box, set().union(*(relevant[name] for name in unsure)))
        if parts is None:
            narrow.append(box)
            continue
        for part in parts:
            sort(part)
    return (*certain, *narrow, *(entry[2] for entry in waiting))


def _parts(group: Group, box: Box, indexes: set[int]) -> tuple[Box, Box] | None:
    """Halve a box along its widest coordinate that matters; those that decide about others come first in a tie."""
    view = View(group, box)
    widths = {i: share(group.parameters[i].domain, box.cells[i]) for i in indexes if view.active(group.parameters[i]) is not False}
    for index in sorted(widths, key=lambda i: (-widths[i], i)):
        domain = group.parameters[index].domain
        if (found := halves(domain, box.cells[index])) is not None:
            one, other = (
                Box((*box.cells[:index], cell, *box.cells[index + 1 :]), box.mass * share(domain, cell) / widths[index]) for cell in found
            )
            return one, other
    return None


def _relevant(group: Group, rule: Rule) -> set[int]:
    """Return the coordinates that a limit depends on, by its names or by what decides about them."""
    paths = set(rule.paths)
    if rule.counted:
        paths |= {group.parameters[index].path for index in group.made_up}
    waiting = list(paths)
    while waiting:
        for setting in group.settings.get(waiting.pop(), ()):
            fresh = {condition.path for condition in setting.conditions} - paths
            paths |= fresh
            waiting += fresh
    return {index for index, parameter in enumerate(group.parameters) if parameter.path in paths}
