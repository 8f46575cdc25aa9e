"""What one searched value may be: six kinds of domain, in Ray Tune's words, every bound included.

`unit` says where a value lies between the ends of its domain; `from_unit` turns evenly distributed numbers into values that are
distributed as the domain says. Only where every value is equally likely on the search scale is one the inverse of the other.

Pure values: nothing here knows of files, conditions or configurations. `domain_words.py` makes them from a file and checks their bounds.
"""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

Value = bool | int | float | str | None
"""What is recorded for a searched parameter: a plain scalar that a table can hold."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a choice.

    Attributes:
        name: What is recorded: the scalar itself, the label of a mapping, else compact JSON text.
        content: What the option stands for in the configuration.
        index: Where it stands in the file's list, from 0.
    """

    name: Value
    content: Any
    index: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several options, all equally likely; their names are distinct."""

    options: tuple[Option, ...]

    def sample(self, rng: Random) -> Value:
        """Return the name of one option."""
        return self.options[rng.randrange(len(self.options))].name

    def from_unit(self, u: float) -> Value:
        """Return the option at u of 0..1: each has an equal share of it."""
        return self.options[_step(u, len(self.options))].name

    def contains(self, value: Any) -> bool:
        """Say whether an option has this name."""
        return any(same(option.name, value) for option in self.options)

    def index(self, value: Value) -> int:
        """Return the position of the option with this name, from 0."""
        return next(index for index, option in enumerate(self.options) if same(option.name, value))

    def unit(self, value: Value) -> float:
        """Return the option's position on 0..1, in the order of the file."""
        return self.index(value) / max(1, len(self.options) - 1)

    def values(self) -> Sequence[Value]:
        """Return the names of all options."""
        return tuple(option.name for option in self.options)


@dataclass(frozen=True, slots=True)
class Uniform:
    """Any number of [low, high], both included."""

    low: float
    high: float

    def sample(self, rng: Random) -> Value:
        """Return a number drawn evenly."""
        return self.from_unit(rng.random())

    def from_unit(self, u: float) -> float:
        """Return the number at u of 0..1."""
        return min(self.high, max(self.low, self.low + (self.high - self.low) * u))

    def contains(self, value: Any) -> bool:
        """Say whether the value is a number of [low, high]."""
        return is_number(value) and self.low <= value <= self.high

    def unit(self, value: float) -> float:
        """Return where the value lies between low (0) and high (1)."""
        return _fraction(value, self.low, self.high)

    def values(self) -> Sequence[Value] | None:
        """Return None, for there is no end of them, unless low equals high."""
        return (self.low,) if self.low == self.high else None


@dataclass(frozen=True, slots=True)
class LogUniform:
    """Any number of [low, high], both included and > 0, each order of magnitude equally likely."""

    low: float
    high: float

    def sample(self, rng: Random) -> Value:
        """Return a number drawn evenly on the logarithmic scale."""
        return self.from_unit(rng.random())

    def from_unit(self, u: float) -> float:
        """Return the number at u of 0..1 of the logarithmic scale."""
        low, high = math.log(self.low), math.log(self.high)
        return min(self.high, max(self.low, math.exp(low + (high - low) * u)))

    def contains(self, value: Any) -> bool:
        """Say whether the value is a number of [low, high]."""
        return is_number(value) and self.low <= value <= self.high

    def unit(self, value: float) -> float:
        """Return where the value's logarithm lies between those of low (0) and high (1)."""
        return _fraction(math.log(value), math.log(self.low), math.log(self.high))

    def values(self) -> Sequence[Value] | None:
        """Return None, for there is no end of them, unless low equals high."""
        return (self.low,) if self.low == self.high else None


@dataclass(frozen=True, slots=True)
class QUniform:
    """The numbers low, low + q, low + 2q, ... up to and including high, all equally likely; whole where low and q are."""

    low: float
    high: float
    q: float

    def sample(self, rng: Random) -> Value:
        """Return one of the steps."""
        return self.at(rng.randrange(self.num_steps))

    def from_unit(self, u: float) -> float:
        """Return the step at u of 0..1: each has an equal share of it."""
        return self.at(_step(u, self.num_steps))

    def contains(self, value: Any) -> bool:
        """Say whether the value is one of the steps, exactly."""
        if not is_number(value) or not self.low <= value <= self.high:
            return False
        return bool(self.at(self.step(value)) == value)

    def unit(self, value: float) -> float:
        """Return where the value lies between the first step (0) and the last (1)."""
        return _fraction(value, self.low, self.at(self.num_steps - 1))

    def values(self) -> Sequence[Value]:
        """Return all steps, ascending."""
        return tuple(self.at(step) for step in range(self.num_steps))

    @property
    def num_steps(self) -> int:
        """Return how many values there are."""
        return int((Decimal(repr(self.high)) - Decimal(repr(self.low))) // Decimal(repr(self.q))) + 1

    def step(self, value: float) -> int:
        """Return the number of the step nearest to a value, from 0."""
        return round((value - self.low) / self.q)

    def at(self, step: int) -> float:
        """Return the value of a step, from 0."""
        if isinstance(self.low, int) and isinstance(self.q, int):
            return self.low + step * self.q
        # Decimal, so that three steps of 0.1 are 0.3 and not 0.30000000000000004.
        return float(Decimal(repr(self.low)) + step * Decimal(repr(self.q)))


@dataclass(frozen=True, slots=True)
class RandInt:
    """A whole number of [low, high], both included (Ray Tune leaves high out)."""

    low: int
    high: int

    def sample(self, rng: Random) -> Value:
        """Return a whole number drawn evenly."""
        return rng.randint(self.low, self.high)

    def from_unit(self, u: float) -> int:
        """Return the whole number at u of 0..1: each has an equal share of it."""
        return self.low + _step(u, self.high - self.low + 1)

    def contains(self, value: Any) -> bool:
        """Say whether the value is a whole number of [low, high]."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def unit(self, value: int) -> float:
        """Return where the value lies between low (0) and high (1)."""
        return _fraction(value, self.low, self.high)

    def values(self) -> Sequence[Value]:
        """Return all of them, ascending, as a range."""
        return range(self.low, self.high + 1)


@dataclass(frozen=True, slots=True)
class LogRandInt:
    """A whole number of [low, high], both included and >= 1, each order of magnitude equally likely (Ray Tune leaves high out)."""

    low: int
    high: int

    def sample(self, rng: Random) -> Value:
        """Return a whole number drawn evenly on the logarithmic scale; n has the weight of the interval [n, n + 1)."""
        return self.from_unit(rng.random())

    def from_unit(self, u: float) -> int:
        """Return the whole number at u of 0..1 of the logarithmic scale; n has the share of the interval [n, n + 1)."""
        low, high = math.log(self.low), math.log(self.high + 1)
        return min(self.high, max(self.low, math.floor(math.exp(low + (high - low) * u))))

    def contains(self, value: Any) -> bool:
        """Say whether the value is a whole number of [low, high]."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def unit(self, value: int) -> float:
        """Return where the value's logarithm lies between those of low (0) and high (1)."""
        return _fraction(math.log(value), math.log(self.low), math.log(self.high))

    def values(self) -> Sequence[Value]:
        """Return all of them, ascending, as a range."""
        return range(self.low, self.high + 1)


Domain = Choice | Uniform | LogUniform | QUniform | RandInt | LogRandInt


def same(first: Any, second: Any) -> bool:
    """Compare two values as YAML does: 1 is 1.0, but true is not 1."""
    return bool(first == second) and isinstance(first, bool) == isinstance(second, bool)


def option_name(content: Any) -> Value:
    """Return what is recorded for an option: the scalar, a mapping's label, or compact JSON text of a list or mapping without one."""
    match content:
        case {"label": str(label)}:
            return label
        case dict() | list() | tuple():
            return json.dumps(content, separators=(",", ":"))
        case bool() | int() | float() | str() | None:
            return content
    raise TypeError(f"{content!r} is no YAML value")


def is_number(value: Any) -> bool:
    """Say whether the value is a finite int or float; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _step(u: float, count: int) -> int:
    """Return which of `count` equal parts of 0..1 holds u; 1 belongs to the last."""
    return min(count - 1, math.floor(u * count))


def _fraction(value: float, low: float, high: float) -> float:
    return 0.0 if high == low else min(1.0, max(0.0, (value - low) / (high - low)))
