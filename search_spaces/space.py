"""The space of a sweep: what is searched, drawn, counted, listed and built into configurations.

A candidate's *values* map each active searched parameter to its value; an inactive one is absent.
"""

import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from pydantic import ValidationError

from search_spaces.conditions import active
from search_spaces.domains import Choice, Domain, Value, option_name
from search_spaces.errors import Problem, SweepError, dotted
from search_spaces.flatten import flatten
from search_spaces.refusals import explained
from search_spaces.settings import Constant, Parameter, Setting
from search_spaces.wording import shown
from trainable.config.train import TrainConfig


@dataclass(frozen=True)
class Space:
    """What may vary, and what may not.

    Attributes:
        settings: Constants and parameters, each after all that its conditions look at, otherwise in the order of the file.
    """

    settings: tuple[Setting, ...]

    @classmethod
    def parse(cls, tree: Mapping[str, Any]) -> "Space":
        """Read the tree under `trial`.

        Raises:
            SweepError: Something is wrong with the tree itself; `load.py` says so with lines.
        """
        flattened = flatten(dict(tree))
        if flattened.problems:
            raise SweepError.without_lines(flattened.problems, file="trial")
        return cls(flattened.settings)

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Return all parameters; several may share a path, of which at most one is active."""
        return tuple(setting for setting in self.settings if isinstance(setting, Parameter))

    @functools.cached_property
    def searched(self) -> tuple[str, ...]:
        """Return the distinct paths of the parameters."""
        return tuple(dict.fromkeys(parameter.path for parameter in self.parameters))

    def sample(self, rng: Random, given: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """Draw one candidate.

        Args:
            rng: The generator; in equal states it gives equal candidates.
            given: Values that are not drawn. Those of parameters that turn out inactive are ignored.
        """
        given = given or {}

        def pick(parameter: Parameter) -> Value:
            value = given.get(parameter.path)
            known = parameter.path in given and parameter.domain.contains(value)
            return value if known else parameter.domain.sample(rng)

        return self.decide(pick)

    def decide(self, pick: Callable[[Parameter], Value]) -> dict[str, Value]:
        """Return one candidate.

        Args:
            pick: Asked for the value of each parameter that turns out active, those that decide about others first.
        """
        known: dict[str, Value] = {}
        values: dict[str, Value] = {}
        for setting in self._deciding:
            if not active(setting.conditions, known):
                continue
            if isinstance(setting, Constant):
                known[setting.path] = option_name(setting.value)
            else:
                known[setting.path] = values[setting.path] = pick(setting)
        return values

    def grid(self) -> Iterator[dict[str, Value]]:
        """Return every candidate once, in the order of the file; the last parameter changes fastest.

        Raises:
            SweepError: A domain is continuous.
        """
        if problems := list(self.continuous()):
            raise SweepError.without_lines(problems, file="trial")
        return self.combinations(lambda domain: domain.values() or ())

    def continuous(self) -> Iterator[Problem]:
        """Yield, for every parameter that a grid cannot list, why."""
        for parameter in self.parameters:
            if parameter.domain.values() is None:
                remedy = f"use choice or quniform, or draw it for each combination, with search.random: [{parameter.path}]"
                yield Problem(parameter.place, f"{parameter.place[-1]} is continuous", f"must be finite for sampler grid; {remedy}")

    def combinations(self, values_of: Callable[[Domain], Sequence[Value]]) -> Iterator[dict[str, Value]]:
        """Yield every candidate made of the values that `values_of` picks from each domain; the last parameter changes fastest."""
        waiting: list[tuple[int, dict[str, Value], dict[str, Value]]] = [(0, {}, {})]
        while waiting:
            index, known, values = waiting.pop()
            if index == len(self._deciding):
                yield values
                continue
            setting = self._deciding[index]
            if not active(setting.conditions, known):
                waiting.append((index + 1, known, values))
            elif isinstance(setting, Constant):
                waiting.append((index + 1, known | {setting.path: option_name(setting.value)}, values))
            else:
                for value in reversed(values_of(setting.domain)):
                    waiting.append((index + 1, known | {setting.path: value}, values | {setting.path: value}))

    def size(self) -> int | None:
        """Return the number of distinct candidates; None where a domain is continuous.

        They are counted, not listed: of each parameter only the values that later conditions ask about are told apart.
        """
        if any(parameter.domain.values() is None for parameter in self.parameters):
            return None
        counts: dict[tuple[tuple[str, Value], ...], int] = {(): 1}
        for index, setting in enumerate(self._deciding):
            later = [condition for other in self._deciding[index + 1 :] for condition in other.conditions]
            asked = [value for condition in later if condition.path == setting.path for value in condition.values]
            following: dict[tuple[tuple[str, Value], ...], int] = {}
            for state, count in counts.items():
                for known, number in _outcomes(setting, dict(state), asked):
                    key = tuple((path, value) for path, value in known.items() if any(c.path == path for c in later))
                    following[key] = following.get(key, 0) + count * number
            counts = following
        return sum(counts.values())

    def without(self, paths: Collection[str]) -> "Space":
        """Return the space without the parameters of some paths, on which no condition looks."""
        return Space(tuple(s for s in self.settings if s.path not in paths or isinstance(s, Constant)))

    def known(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return a candidate's values together with the constants that conditions look at."""
        known = dict(values)
        for constant in self._asked:
            if active(constant.conditions, known):
                known[constant.path] = option_name(constant.value)
        return known

    def part(self, path: str) -> "Space":
        """Return the space of one field and all beneath it, with what decides about them."""
        wanted = {setting.path for setting in self.settings if f"{setting.path}.".startswith(f"{path}.")}
        for setting in reversed(self.settings):
            if setting.path in wanted:
                wanted |= {condition.path for condition in setting.conditions}
        return Space(tuple(setting for setting in self.settings if setting.path in wanted))

    def active(self, values: Mapping[str, Value]) -> tuple[Setting, ...]:
        """Return the settings that apply to a candidate.

        Raises:
            SweepError: A value is missing, not in its domain, or of a parameter that is not active.
        """
        known: dict[str, Value] = {}
        found: list[Setting] = []
        problems: list[Problem] = []
        for setting in self.settings:
            if not active(setting.conditions, known):
                continue
            found.append(setting)
            if isinstance(setting, Constant):
                known[setting.path] = option_name(setting.value)
            elif setting.path not in values:
                problems.append(Problem(setting.keys, "missing", "must have a value, for it is active"))
            elif not setting.domain.contains(values[setting.path]):
                problems.append(Problem(setting.keys, shown(values[setting.path]), f"must be in the domain at {dotted(setting.place)}"))
            else:
                known[setting.path] = values[setting.path]
        idle = values.keys() - {setting.path for setting in found if isinstance(setting, Parameter)}
        problems += [
            Problem((path,), shown(values[path]), "must be absent; it is not active beside the other values") for path in sorted(idle)
        ]
        if problems:
            raise SweepError.without_lines(problems, file="candidate")
        return tuple(found)

    def resolve(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """Return the nested mapping that a candidate stands for: constants, values, contents of options.

        Raises:
            SweepError: As `active`.
        """
        tree: dict[Any, Any] = {}
        for setting in self.active(values):
            content = setting.value if isinstance(setting, Constant) else _content(setting, values[setting.path])
            if isinstance(setting, Parameter) and isinstance(content, dict) and content:
                continue  # the option's fields are settings of their own
            branch = tree
            for key in setting.keys[:-1]:
                branch = branch.setdefault(key, {})
            branch[setting.keys[-1]] = content
        resolved: dict[str, Any] = _with_lists(tree)
        return resolved

    def build(self, values: Mapping[str, Value], base: Mapping[str, Any]) -> TrainConfig:
        """Return the configuration of a candidate.

        Args:
            values: Its values, active ones only.
            base: What the sweep decides as a whole: `Sweep.base_config()`. The candidate's own fields go before.

        Raises:
            SweepError: As `active`; or TrainConfig refuses the combination.
        """
        content = merged(base, self.resolve(values))
        try:
            return TrainConfig.model_validate(content)
        except ValidationError as error:
            raise SweepError.without_lines(explained(error, TrainConfig, content, ()), file="candidate") from None

    @functools.cached_property
    def _deciding(self) -> tuple[Setting, ...]:
        """Parameters, and the constants that conditions look at: all that drawing and counting need."""
        asked = {condition.path for setting in self.settings for condition in setting.conditions}
        return tuple(setting for setting in self.settings if isinstance(setting, Parameter) or setting.path in asked)

    @functools.cached_property
    def _asked(self) -> tuple[Constant, ...]:
        return tuple(setting for setting in self._deciding if isinstance(setting, Constant))


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` laid over it, mapping by mapping; neither is altered."""
    result = dict(base)
    for key, value in changes.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def _content(parameter: Parameter, value: Value) -> Any:
    domain = parameter.domain
    return domain.options[domain.index(value)].content if isinstance(domain, Choice) else value


def _outcomes(setting: Setting, known: dict[str, Value], asked: Sequence[Value]) -> Iterator[tuple[dict[str, Value], int]]:
    """Yield what is known after a setting, and how many of its values lead there."""
    if not active(setting.conditions, known):
        yield known, 1
    elif isinstance(setting, Constant):
        yield known | {setting.path: option_name(setting.value)}, 1
    else:
        apart = [value for value in dict.fromkeys(asked) if setting.domain.contains(value)]
        for value in apart:
            yield known | {setting.path: value}, 1
        if others := len(setting.domain.values() or ()) - len(apart):
            yield known, others


def _with_lists(tree: Any) -> Any:
    """Turn mappings whose keys are list indexes into lists."""
    if not isinstance(tree, dict):
        return tree
    if tree and all(isinstance(key, int) for key in tree):
        return [_with_lists(tree[key]) for key in sorted(tree)]
    return {key: _with_lists(value) for key, value in tree.items()}
