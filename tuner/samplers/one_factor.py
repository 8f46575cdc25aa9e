"""One factor at a time: a base, then the base with one parameter changed, over all its other values.

It shows what each choice does by itself, and nothing of how choices act on each other.
"""

from collections.abc import Iterator, Mapping

from search_spaces import points
from search_spaces.domains import Choice, Domain, LogUniform, QUniform, Uniform, Value, same
from search_spaces.settings import Parameter
from search_spaces.space import Space
from search_spaces.sweep import SearchOptions

LEVELS = 5


def candidates(search: SearchOptions, space: Space) -> list[dict[str, Value]]:
    """Return the base, and then each change of one of its parameters, in the order of the file.

    Only parameters that are active in the base are changed. Where a change makes others active, those take the base's value if their
    domain has it, else the first of a choice or of steps, else the middle of their scale: they follow, they are no factor.

    Args:
        search: `base`, and `levels` for numeric domains.
        space: What may vary.
    """
    base, _ = points.read(search.base, space, consistent=False)

    def candidate(change: Mapping[str, Value]) -> dict[str, Value]:
        def pick(parameter: Parameter) -> Value:
            for known in (change, base):
                if parameter.path in known and parameter.domain.contains(known[parameter.path]):
                    return known[parameter.path]
            return _default(parameter.domain)

        return space.decide(pick)

    origin = candidate({})
    changes = [
        {setting.path: value}
        for setting in space.active(origin)
        if isinstance(setting, Parameter)
        for value in levels(setting.domain, search.levels or LEVELS)
        if not same(value, origin[setting.path])
    ]
    return [origin, *map(candidate, changes)]


def levels(domain: Domain, count: int) -> Iterator[Value]:
    """Yield the values of a domain that are tried.

    Args:
        domain: All options of a choice and all steps of a quniform are tried, and whole numbers where there are at most `count`.
        count: Of other domains, so many values, evenly over the search scale, both ends included; >= 2.
    """
    values = domain.values()
    if values is not None and (isinstance(domain, Choice | QUniform) or len(values) <= count):
        yield from values
        return
    yield from dict.fromkeys(_at(domain, index / (count - 1)) for index in range(count))


def _default(domain: Domain) -> Value:
    return _at(domain, 0.5 if isinstance(domain, Uniform | LogUniform) else 0.0)


def _at(domain: Domain, u: float) -> Value:
    """Return the value at u of 0..1, with six digits that a person can read: 0.1 where the scale's middle is 0.09999999999999999."""
    value = domain.from_unit(u)
    if isinstance(domain, Uniform | LogUniform) and isinstance(value, float):
        return min(domain.high, max(domain.low, float(f"{value:.6g}")))
    return value
