"""The leaves under `trial`: each is a parameter that is searched or a constant, and applies under conditions."""

from dataclasses import dataclass
from typing import Any

from search_spaces.conditions import Condition
from search_spaces.domains import Choice, Domain, option_name, same
from search_spaces.errors import KeyPath


@dataclass(frozen=True, slots=True)
class Parameter:
    """A searched leaf.

    Attributes:
        path: Dotted path under `trial`. Several parameters may share one, of which at most one is active.
        domain: What it may be.
        conditions: All must hold, or the parameter is absent.
        keys: The path in parts.
        place: Where its domain stands in the file: the key of the domain word.
    """

    path: str
    domain: Domain
    conditions: tuple[Condition, ...]
    keys: KeyPath
    place: KeyPath

    def might_be(self, value: Any) -> bool:
        """Say whether the parameter can have this value."""
        return self.domain.contains(value)


@dataclass(frozen=True, slots=True)
class Constant:
    """A leaf with one value; attributes as of Parameter."""

    path: str
    value: Any
    conditions: tuple[Condition, ...]
    keys: KeyPath
    place: KeyPath

    def might_be(self, value: Any) -> bool:
        """Say whether this is the value."""
        return same(option_name(self.value), value)


Setting = Parameter | Constant


def highest(setting: Setting) -> float:
    """Return the largest value of a numeric setting, its bound included."""
    if isinstance(setting, Constant):
        return float(setting.value)
    if isinstance(setting.domain, Choice):
        return max(float(option.content) for option in setting.domain.options)
    return setting.domain.high
