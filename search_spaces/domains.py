"""What one searched value may be: six kinds of domain, in Ray Tune's words, every bound included.

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
        return min(self.high, max(self.low, rng.uniform(self.low, self.high)))

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
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(self.high, max(self.low, drawn))

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
        return self._at(rng.randrange(self._num_steps()))

    def contains(self, value: Any) -> bool:
        """Say whether the value is one of the steps, exactly."""
        if not is_number(value) or not self.low <= value <= self.high:
            return False
        return bool(self._at(round((value - self.low) / self.q)) == value)

    def unit(self, value: float) -> float:
        """Return where the value lies between the first step (0) and the last (1)."""
        return _fraction(value, self.low, self._at(self._num_steps() - 1))

    def values(self) -> Sequence[Value]:
        """Return all steps, ascending."""
        return tuple(self._at(step) for step in range(self._num_steps()))

    def _num_steps(self) -> int:
        return int((Decimal(repr(self.high)) - Decimal(repr(self.low))) // Decimal(repr(self.q))) + 1

    def _at(self, step: int) -> float:
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
        drawn = math.floor(math.exp(rng.uniform(math.log(self.low), math.log(self.high + 1))))
        return min(self.high, max(self.low, drawn))

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


def _fraction(value: float, low: float, high: float) -> float:
    return 0.0 if high == low else min(1.0, max(0.0, (value - low) / (high - low)))
