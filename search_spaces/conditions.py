"""The meaning of `when`: a parameter applies where other parameters have one of the values listed.

`when: {optimizer: [sgd, adam], schedule: cosine}` holds where every key has one of its values. A key is a dotted path under `trial`;
it is looked for beside the parameter first, then further out.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.domains import Value, option_name, same
from search_spaces.errors import KeyPath, Problem, dotted
from search_spaces.wording import shown, unknown


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of a `when`, resolved.

    Attributes:
        path: The parameter that decides, as a dotted path under `trial`.
        values: Those of its values for which the condition holds.
        place: Where it stands in the file.
    """

    path: str
    values: tuple[Value, ...]
    place: KeyPath

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Say whether the deciding parameter is active and has one of the values."""
        return self.path in values and self.allows(values[self.path])

    def allows(self, value: Any) -> bool:
        """Say whether this value of the deciding parameter lets the condition hold."""
        return any(same(value, wanted) for wanted in self.values)


def active(conditions: Sequence[Condition], values: Mapping[str, Value]) -> bool:
    """Say whether every condition holds for the values known so far."""
    return all(condition.holds(values) for condition in conditions)


def exclusive(first: Sequence[Condition], second: Sequence[Condition]) -> bool:
    """Say whether two sets of conditions can never both hold: some key appears in both without a value in common."""
    return any(one.path == other.path and not any(other.allows(value) for value in one.values) for one in first for other in second)


def parse(when: Any, place: KeyPath, scope: KeyPath, paths: Collection[str]) -> tuple[tuple[Condition, ...], list[Problem]]:
    """Read one `when`.

    Args:
        when: What stands beside the word.
        place: Where it stands in the file.
        scope: Keys of the mapping that the parameter stands in, under `trial`.
        paths: Every dotted path under `trial` that has a value.

    Returns:
        Its conditions, and what is wrong with it.
    """
    if not isinstance(when, dict) or not when:
        return (), [Problem(place, shown(when), "must say which parameter has which value, such as {optimizer: sgd}")]
    conditions: list[Condition] = []
    problems: list[Problem] = []
    for key, wanted in when.items():
        here = (*place, key)
        if (path := _resolved(key, scope, paths)) is None:
            problems.append(Problem(here, "no such parameter under trial", unknown(key, paths)))
        elif wanted == []:
            problems.append(Problem(here, "an empty list", "must be a value or a list of values"))
        else:
            values = wanted if isinstance(wanted, list) else [wanted]
            conditions.append(Condition(path, tuple(map(option_name, values)), here))
    return tuple(conditions), problems


def cycles(waits_for: Mapping[str, Collection[str]]) -> Iterator[tuple[str, ...]]:
    """Yield each circle among parameters that wait for one another, once, beginning where the file does.

    Args:
        waits_for: Path -> paths of the parameters that its conditions look at, in the order of the file.
    """
    done: set[str] = set()

    def follow(path: str, trail: list[str]) -> Iterator[tuple[str, ...]]:
        if path in trail:
            yield tuple(trail[trail.index(path) :])
        elif path not in done:
            for other in waits_for.get(path, ()):
                yield from follow(other, [*trail, path])
            done.add(path)

    for path in waits_for:
        yield from follow(path, [])


def _resolved(key: str, scope: KeyPath, paths: Collection[str]) -> str | None:
    for length in range(len(scope), -1, -1):
        path = dotted((*scope[:length], key))
        if path in paths:
            return path
        if f"{path}.label" in paths:  # a mapping that is no choice goes by its label
            return f"{path}.label"
    return None
