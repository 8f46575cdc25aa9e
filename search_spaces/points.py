"""Points of a space that the sweep file names itself: configurations to list, a base to change, where to start.

A point is a mapping of searched parameters to values, nested as under `trial` or by dotted path; an option that is a mapping goes by its
label.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from search_spaces.domains import Choice, Domain, LogRandInt, LogUniform, QUniform, RandInt, Uniform, Value, option_name
from search_spaces.errors import KeyPath, Problem, dotted
from search_spaces.settings import Parameter
from search_spaces.space import Space
from search_spaces.wording import listed, shown, unknown

Values = dict[str, Value]


def read(point: Mapping[str, Any], space: Space, place: KeyPath = (), *, consistent: bool = True) -> tuple[Values, list[Problem]]:
    """Return the values of a point, and what is wrong with it.

    Args:
        point: As it stands in the file.
        space: What is searched.
        place: Where the point stands in the file.
        consistent: Whether a value must be able to apply beside the point's other values.
    """
    said: dict[str, tuple[Any, KeyPath]] = {}
    problems: list[Problem] = []
    for path, content, here in _said(point, (), place, space.searched):
        if path in said:
            problems.append(Problem(here, f"{path} a second time", "must be said once; remove one"))
        elif path in space.searched:
            said[path] = (content, here)
        elif any(setting.path == path for setting in space.settings):
            problems.append(Problem(here, "a constant under trial", f"must be searched to vary; write {path} as {{choice: [...]}} there"))
        else:
            problems.append(Problem(here, "no searched parameter", unknown(path, space.searched)))
    known = {path: content for path, (content, _) in said.items() if any(p.might_be(content) for p in space.parameters if p.path == path)}
    values: Values = {}
    for path, (content, here) in said.items():
        possible = [p for p in space.parameters if p.path == path and not (consistent and _contradicted(p, known))]
        fitting = next((p.domain for p in possible if p.domain.contains(content)), None)
        if fitting is not None:
            values[path] = _canonical(content, fitting)
        elif possible:
            words = dict.fromkeys(described(parameter.domain) for parameter in possible)
            problems.append(Problem(here, shown(content), f"must be {', or '.join(words)}"))
        else:
            problems.append(Problem(here, shown(content), "must be left out; it does not apply beside the other values"))
    return values, problems


def incomplete(values: Mapping[str, Value], space: Space, place: KeyPath, *, only: Collection[type[Domain]] | None = None) -> list[Problem]:
    """Return a problem for each parameter that applies beside the values and has none.

    Args:
        values: As `read` returned them.
        space: What is searched.
        place: Where the point stands in the file.
        only: Kinds of domain that need a value; all by default. Others take their first value.
    """
    missing: list[str] = []

    def pick(parameter: Parameter) -> Value:
        if parameter.path in values and parameter.domain.contains(values[parameter.path]):
            return values[parameter.path]
        if only is not None and type(parameter.domain) not in only:
            return parameter.domain.from_unit(0.0)
        missing.append(parameter.path)
        return math.nan  # equals nothing, so that what depends on it is not asked for

    space.decide(pick)
    why = "it applies beside the other values" if only is None else "a continuous domain has no first value"
    return [Problem(place, f"no {path}", f"must be given, for {why}") for path in missing]


def idle(values: Mapping[str, Value], space: Space) -> list[str]:
    """Return the paths of values that do not apply beside the others; the point must be complete."""
    return [path for path in values if path not in space.decide(lambda parameter: values.get(parameter.path))]


def described(domain: Domain) -> str:
    """Return what a value of the domain may be, in words."""
    match domain:
        case Choice():
            return f"one of {listed(domain.values())}"
        case QUniform(low=low, high=high, q=q):
            return f"one of {shown(low)}, {shown(domain.at(1))}, ... up to {shown(high)}, in steps of {shown(q)}"
        case RandInt(low=low, high=high) | LogRandInt(low=low, high=high):
            return f"a whole number from {shown(low)} to {shown(high)}"
        case Uniform(low=low, high=high) | LogUniform(low=low, high=high):
            return f"a number from {shown(low)} to {shown(high)}"


def _said(node: Mapping[Any, Any], keys: KeyPath, place: KeyPath, searched: Collection[str]) -> Iterator[tuple[str, Any, KeyPath]]:
    """Yield path, value and place of all that a point says."""
    for key, content in node.items():
        here = (*place, key)
        path = dotted((*keys, key))
        match content:
            case {"label": label, **beneath} if path in searched:
                yield path, label, (*here, "label")
                yield from _said(beneath, (path,), here, searched)
            case {**beneath} if path not in searched and beneath:
                yield from _said(beneath, (path,), here, searched)
            case _:
                yield path, option_name(content), here


def _contradicted(parameter: Parameter, known: Mapping[str, Any]) -> bool:
    """Say whether one of the other values keeps the parameter from being active."""
    return any(condition.path in known and not condition.allows(known[condition.path]) for condition in parameter.conditions)


def _canonical(content: Any, domain: Domain) -> Value:
    """Return the value as the domain itself would draw it: 1 for a choice's 1.0, 1.0 for a number of a continuous domain."""
    match domain:
        case Choice():
            return domain.options[domain.index(content)].name
        case QUniform():
            return domain.at(domain.step(content))
        case Uniform() | LogUniform():
            return float(content)
        case RandInt() | LogRandInt():
            return int(content)
