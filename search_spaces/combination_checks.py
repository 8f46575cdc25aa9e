"""Combinations under `trial` that TrainConfig refuses, found by building configurations.

All that the choices make are built where they are few; else draws in which every option takes part. A number of a continuous domain
is taken at its low end, and drawn a few times at its high end: its bounds are checked by themselves in `trial_checks.py`.
"""

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from random import Random
from typing import Any

from pydantic import ValidationError

from search_spaces.domains import Choice, Domain, QUniform, Value
from search_spaces.errors import KeyPath, Problem, dotted
from search_spaces.flatten import Flattened
from search_spaces.overrides import changed
from search_spaces.refusals import explained
from search_spaces.settings import Constant, Parameter, Setting
from search_spaces.space import Space
from search_spaces.wording import listed
from trainable.config.train import TrainConfig

MAX_COMBINATIONS = 512  # built one by one in about 50 ms
DRAWS_PER_OPTION = 3
# For what the sweep decides elsewhere; the longest horizon where it does not say one, so that nothing is too long for it.
STAND_INS: Mapping[str, Any] = {"data": {"name": "digits"}, "max_epochs": 1_000_000}


def problems(flattened: Flattened, doubtful: Collection[KeyPath], *, max_epochs: int | None) -> list[Problem]:
    """Return what TrainConfig has against combinations of values that are fine by themselves, one finding for each place.

    Args:
        flattened: The tree under `trial`.
        doubtful: Places in the file that a mistake was found at already; what follows from those is not told again.
        max_epochs: Horizon of the candidates; None where the file does not say it.
    """
    space = Space(flattened.settings)
    broken = set(flattened.broken) | {leaf.path for leaf in flattened.leaves if any(_related(leaf.place, place) for place in doubtful)}
    found: dict[tuple[KeyPath, str], Problem] = {}
    for values in candidates(space):
        content = {**space.resolve(values), **_stand_ins(max_epochs)}
        try:
            TrainConfig.model_validate(content)
        except ValidationError as error:
            for problem in explained(error, TrainConfig, content, ()):
                path = dotted(problem.path)
                if problem.seen == "unknown key" or any(_related(path.split("."), other.split(".")) for other in broken):
                    continue
                placed = _placed(problem, space.active(values), values, flattened)
                found.setdefault((placed.path, placed.seen if problem.seen == "missing" else ""), placed)
    return list(found.values())


def final_problems(
    flattened: Flattened,
    overrides: Mapping[str, Any],
    *,
    max_epochs: int | None,
    final_epochs: int | None,
    place: KeyPath = ("final", "overrides"),
) -> list[Problem]:
    """Return what TrainConfig has against `final.overrides` on top of candidates; a candidate that is wrong by itself does not count.

    Args:
        flattened: The tree under `trial`.
        overrides: Dotted path -> value.
        max_epochs: Horizon of the candidates; None where the file does not say it.
        final_epochs: Horizon of the final; that of the candidates where None.
        place: Where the overrides stand in the file; for a stage's own those of `final` are laid below them.
    """
    space = Space(flattened.settings)
    found: dict[KeyPath, Problem] = {}
    for values in candidates(space):
        try:
            config = TrainConfig.model_validate({**space.resolve(values), **_stand_ins(max_epochs)})
        except ValidationError:
            continue
        content = changed(config, overrides) | _stand_ins(final_epochs or max_epochs)
        try:
            TrainConfig.model_validate(content)
        except ValidationError as error:
            for problem in explained(error, TrainConfig, content, ()):
                key = next((key for key in overrides if _related(key.split("."), dotted(problem.path).split("."))), None)
                here: KeyPath = (*place, key) if key else place
                seen = problem.seen if key == dotted(problem.path) else f"{dotted(problem.path)} becomes {problem.seen}"
                required = re.sub(r"; add `when: .+`$", "; leave it out here", problem.required)  # overrides know no `when`
                found.setdefault(here, Problem(here, seen, required))
    return list(found.values())


def candidates(space: Space) -> Iterator[dict[str, Value]]:
    """Yield candidates that show every option of every choice, in all combinations where those are few."""
    listed = list(itertools.islice(space.combinations(_representatives), MAX_COMBINATIONS + 1))
    few = len(listed) <= MAX_COMBINATIONS
    if few:
        yield from listed
    rng = Random(0)
    for parameter in space.parameters:
        for value in _ends(parameter.domain) if few else (*_representatives(parameter.domain), *_ends(parameter.domain)):
            for _ in range(DRAWS_PER_OPTION):
                yield space.sample(rng, given={parameter.path: value, **_requirements(parameter, space)})


def _stand_ins(max_epochs: int | None) -> dict[str, Any]:
    return {**STAND_INS, **({} if max_epochs is None else {"max_epochs": max_epochs})}


def _representatives(domain: Domain) -> tuple[Value, ...]:
    return tuple(domain.values()) if isinstance(domain, Choice) else (domain.low,)


def _ends(domain: Domain) -> tuple[Value, ...]:
    """Return the high end of a domain of numbers."""
    if isinstance(domain, QUniform):
        return tuple(domain.values()[-1:])  # the last step, which may lie below high
    return () if isinstance(domain, Choice) else (domain.high,)


def _requirements(parameter: Parameter, space: Space) -> dict[str, Value]:
    """Return values of other parameters that make this one active."""
    required: dict[str, Value] = {}
    for condition in parameter.conditions:
        required[condition.path] = condition.values[0]
        for decider in space.parameters:
            if decider.path == condition.path and decider.domain.contains(condition.values[0]):
                required |= _requirements(decider, space)
                break
    return required


def _placed(problem: Problem, active: tuple[Setting, ...], values: Mapping[str, Value], flattened: Flattened) -> Problem:
    """Move a problem from its path in the configuration to the place in the file that brought it about."""
    if problem.seen == "missing" and (alike := [s for s in flattened.settings if s.path == dotted(problem.path)]):
        asked = dict.fromkeys(condition.path for setting in alike for condition in setting.conditions)
        known = {s.path: values.get(s.path, getattr(s, "value", None)) for s in active}
        where = " and ".join(f"{path} is {listed([known[path]])}" for path in asked if path in known)
        return Problem(("trial", *problem.path), f"missing where {where}", "must have a value there too; add an alternative for it")
    inner = max((s for s in active if problem.path[: len(s.keys)] == s.keys), key=lambda s: len(s.keys), default=None)
    if inner is None:
        return Problem(("trial", *problem.path), problem.seen, problem.required)
    place, required = inner.place, problem.required
    if isinstance(inner, Constant):  # a plain value has no room for a `when`: say how it is written with one
        required = re.sub(r"add `when: (.+)`$", rf"write {{value: {problem.seen}, when: \1}}", required)
    if isinstance(inner, Parameter) and isinstance(inner.domain, Choice):
        place = (*place, inner.domain.options[inner.domain.index(values[inner.path])].index)
    return Problem((*place, *problem.path[len(inner.keys) :]), problem.seen, required)


def _related(first: Collection[Any], second: Collection[Any]) -> bool:
    """Say whether one path lies within the other."""
    return all(one == other for one, other in zip(first, second, strict=False))
