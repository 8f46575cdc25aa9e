"""Which limit a candidate breaks. Counting what its network costs is not done here: that needs torch.

Every limit is an expression: `max_parameters: 5M` is `parameters <= 5000000`. Those that look at the configuration alone are cheap and
are asked first.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import KeyPath
from search_spaces.expressions import Apply, Expression, Fault, Lookup, Name, Node, parse
from search_spaces.operations import Inapplicable
from search_spaces.readings import Known, Names, Reading
from search_spaces.sweep import Constraints
from search_spaces.wording import shown
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig

COSTS = ("parameters", "flops_per_image", "activation_bytes_per_image")

# Numbers that each optimizer keeps for every weight, in torch.optim; a test holds them against torch.
STATE = (
    "(2 if optimizer in ['adam', 'adamw', 'nadam', 'adadelta'] else 1 if optimizer == 'adagrad' else "
    "(1 if optimizer == 'rmsprop' else 0) + (1 if momentum > 0 else 0))"
)
# Bytes of a trial in training, in float32: weights, gradients, the optimizer's numbers, the slow weights of Lookahead and the moving
# average; and what the forward pass of one batch keeps for the backward pass. The images of the data set, which all trials on a device
# share, and what the libraries take for themselves are left out.
MEMORY = (
    f"4 * parameters * (2 + {STATE} + (1 if lookahead_k > 0 else 0) + (1 if ema_decay > 0 else 0))"
    " + batch_size * activation_bytes_per_image"
)
FORMULAS = {"memory_bytes": MEMORY}

LIMITS = {"max_parameters": "parameters", "max_flops": "flops_per_image", "max_memory": "memory_bytes"}
WORDS = {"max_parameters": "parameters", "max_flops": "FLOPs an image", "max_memory": "bytes"}


@dataclass(frozen=True)
class Rule:
    """One limit.

    Attributes:
        name: What rejected candidates are counted by: `max_parameters`, or `where: TEXT`.
        keys: Where it stands in the sweep file.
        expression: What must not be false.
        readings: Name -> what it stands for, those of network costs left out.
        spoken: The names as the file says them, for messages.
    """

    name: str
    keys: KeyPath
    expression: Expression
    readings: Mapping[str, Reading]
    spoken: tuple[str, ...]

    @functools.cached_property
    def counted(self) -> bool:
        """Return whether the network has to be counted first."""
        return any(name in COSTS for name in self.expression.names)

    @functools.cached_property
    def paths(self) -> frozenset[str]:
        """Return the settings that it depends on; those that make up the network are left out."""
        return frozenset().union(*(reading.paths for reading in self.readings.values()))

    def broken(self, known: Known, cost: ArchitectureCost | None) -> bool:
        """Say whether a candidate breaks it; one for which it has no value does.

        Args:
            known: The candidate's recorded values, constants that conditions look at included.
            cost: What its network costs; may be None where `counted` is false.
        """
        try:
            return self.expression.value(self.lookup(known, cost)) is False
        except Inapplicable:
            return True

    def explained(self, known: Known, cost: ArchitectureCost | None) -> str:
        """Return what was seen and what is required, with the figures of one candidate that breaks it."""
        lookup = self.lookup(known, cost)
        if self.name in LIMITS:
            seen, limit = self.ends(lookup)
            return f"{seen:,.0f} {WORDS[self.name]}, must be <= {limit:,}"
        seen = ", ".join(f"{name} {_plain(lookup(name))}" for name in self.spoken)
        try:
            self.expression.value(lookup)
        except Inapplicable as error:
            return f"{error} where {seen}, must have a value"
        return f"{seen or 'false'}, must meet {self.expression.text.strip()}"

    def shortfall(self, known: Known, cost: ArchitectureCost | None) -> float:
        """Return how far a candidate is from meeting it: 0 where it does, else between 0 and 1; 1 where that cannot be said."""
        return _shortfall(self.expression.root, self.lookup(known, cost))

    def lookup(self, known: Known, cost: ArchitectureCost | None) -> Lookup:
        """Return what gives each name its value."""

        def value(path: str) -> Any:
            if path in FORMULAS:
                return _formula(path).value(value)
            return getattr(cost, path) if path in COSTS else self.readings[path].value(known)

        return value

    def ends(self, lookup: Lookup) -> tuple[Any, Any]:
        """Return both sides of a limit of LIMITS: what a candidate has, and the most that it may have."""
        root = self.expression.root
        assert isinstance(root, Apply)
        first, second = (Expression("", side).value(lookup) for side in root.arguments)
        return first, second


def rules(constraints: Constraints, names: Names) -> tuple[Rule, ...]:
    """Return the limits of a sweep, those that look at the configuration alone first.

    Args:
        constraints: What the file says; its expressions have been found sound (`constraint_checks.py`).
        names: What the names in expressions stand for.
    """
    texts: list[tuple[str, KeyPath, str]] = [
        (name, ("constraints", name), f"{what} <= {limit}")
        for name, what in LIMITS.items()
        if (limit := getattr(constraints, name)) is not None
    ]
    for index, text in enumerate(constraints.where):
        texts.append((f"where: {' '.join(text.split())}", ("constraints", "where", index), text))
    found = [_rule(name, keys, text, names) for name, keys, text in texts]
    return tuple(sorted(found, key=lambda rule: rule.counted))


def memory_bytes(config: TrainConfig, cost: ArchitectureCost) -> int:
    """Return the memory of a trial in training as `constraints.max_memory` reckons it, in bytes; see MEMORY."""

    def value(name: str) -> Any:
        return getattr(cost, name) if name in COSTS else getattr(config, name)

    return int(_formula("memory_bytes").value(value))


def broken(rules: Iterable[Rule], known: Known, cost: ArchitectureCost | None) -> Rule | None:
    """Return the first limit that a candidate breaks; None where it keeps them all."""
    return next((rule for rule in rules if rule.broken(known, cost)), None)


def expanded(node: Node) -> Node:
    """Put formulas in the place of the names that stand for them."""
    match node:
        case Name(path=path) if path in FORMULAS:
            return _formula(path).root
        case Apply(operation=operation, arguments=arguments, column=column):
            return Apply(operation, tuple(map(expanded, arguments)), column)
    return node


def _rule(name: str, keys: KeyPath, text: str, names: Names) -> Rule:
    parsed = parse(text)
    assert not isinstance(parsed, Fault)
    expression = Expression(text, expanded(parsed.root))
    readings = {path: reading for path in expression.names if path not in COSTS and (reading := names.reading(path)) is not None}
    return Rule(name, keys, expression, readings, parsed.names)


@functools.cache
def _formula(name: str) -> Expression:
    formula = parse(FORMULAS[name])
    assert isinstance(formula, Expression)
    return formula


def _shortfall(node: Node, lookup: Lookup) -> float:
    try:
        if Expression("", node).value(lookup) is not False:
            return 0.0
        match node:
            case Apply(operation="and", arguments=arguments):
                return max(_shortfall(argument, lookup) for argument in arguments)
            case Apply(operation="or", arguments=arguments):
                return min(_shortfall(argument, lookup) for argument in arguments)
            case Apply(operation="<" | "<=" | ">" | ">=" | "==", arguments=(first, second)):
                return _distance(*(Expression("", side).value(lookup) for side in (first, second)))
    except Inapplicable:
        pass
    return 1.0


def _distance(first: Any, second: Any) -> float:
    if isinstance(first, str | bool | list | tuple):
        return 1.0
    # Never 0 for what is broken: `lr < 0.1` by 0.1 itself.
    return max(1e-9, float(abs(first - second) / (abs(first) + abs(second) or 1.0)))


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else shown(value)
