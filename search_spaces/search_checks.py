"""Rules about `search:`: which options go with which sampler, and whether the points that it names lie in the space."""

from collections.abc import Iterator, Mapping
from typing import Any

from search_spaces import points
from search_spaces.domains import Choice, Domain, LogUniform, Uniform
from search_spaces.errors import KeyPath, Problem
from search_spaces.flatten import Flattened
from search_spaces.space import Space
from search_spaces.sweep import ENDLESS, SearchOptions
from search_spaces.wording import listed, shown, unknown

# Option -> the samplers that read it.
READ_BY = {"random": ("grid",), "configurations": ("listed", "more_seeds"), "base": ("one_factor",), "levels": ("one_factor",)}


def problems(data: Mapping[str, Any], flattened: Flattened | None) -> Iterator[Problem]:
    """Yield every broken rule.

    Args:
        data: The file, overrides included.
        flattened: Its `trial`; None where that is no mapping.
    """
    search = data.get("search", {})
    if not isinstance(search, dict):
        return
    sampler, trials = search.get("sampler", SearchOptions().sampler), search.get("trials")
    if isinstance(sampler, str) and sampler in ENDLESS and trials is None:
        yield Problem(("search", "trials"), "missing", f"must be given for sampler {sampler}: how many trials to launch")
    for option, readers in READ_BY.items():
        if search.get(option) is not None and sampler not in readers:
            named = " or ".join(readers)
            yield Problem(("search", option), f"beside sampler {shown(sampler)}", f"must be left out, or with sampler: {named}")
    if sampler in READ_BY["configurations"] and not search.get("configurations"):
        yield Problem(
            ("search", "configurations"), "missing", f"must be given for sampler {sampler}: the candidates, such as [{{lr: 0.1}}]"
        )
    if flattened is not None:
        space = Space(flattened.settings)
        if not flattened.problems:
            yield from _points(search, sampler, space)
        if sampler == "grid":
            yield from _grid(search, space)
        if sampler == "more_seeds" and not isinstance(_seed(space), Choice):
            yield Problem(("trial", "seed"), "no choice of seeds", "must be {choice: [...]} for sampler more_seeds: the seeds to take")
    match data.get("final"):
        case {"top": int(top)} if isinstance(trials, int) and not isinstance(trials, bool) and top > trials >= 1:
            yield Problem(("final", "top"), str(top), f"must be <= search.trials, which is {trials}")


def warnings(search: SearchOptions, space: Space) -> Iterator[str]:
    """Yield what is allowed but seldom meant, a sentence each."""
    size = space.size() if not search.random else None
    if search.sampler in ("listed", "more_seeds", "one_factor") or search.trials is None or size is None:
        return
    if search.trials > size:
        yield f"search.trials: {search.trials} are asked for, but the space holds only {size}; the sweep ends after those"


def _seed(space: Space) -> Domain | None:
    return next((parameter.domain for parameter in space.parameters if parameter.path == "seed"), None)


def _grid(search: Mapping[str, Any], space: Space) -> Iterator[Problem]:
    random = search.get("random")
    drawn = [path for path in random if isinstance(path, str)] if isinstance(random, list) else []
    yield from space.without(drawn).continuous()
    for index, path in enumerate(drawn):
        place: KeyPath = ("search", "random", index)
        if path not in space.searched:
            yield Problem(place, shown(path), unknown(path, space.searched))
        elif deciding := [s.path for s in space.settings if any(condition.path == path for condition in s.conditions)]:
            seen = f"{path} decides about {listed(list(dict.fromkeys(deciding))[:3])}"
            yield Problem(place, seen, "must be crossed, not drawn; remove it here")


def _points(search: Mapping[str, Any], sampler: Any, space: Space) -> Iterator[Problem]:
    for name in ("start", "configurations"):
        for index, point in enumerate(content if isinstance(content := search.get(name), list) else []):
            place: KeyPath = ("search", name, index)
            if not isinstance(point, dict):
                continue
            values, wrong = points.read(point, space, place)
            yield from wrong
            if name == "configurations" and sampler == "more_seeds" and not wrong and "seed" in values:
                yield Problem(place, "a seed", "must be left out; sampler more_seeds takes them from trial.seed")
            elif name == "configurations" and sampler in READ_BY["configurations"] and not wrong:
                missing = [one for one in points.incomplete(values, space, place) if sampler != "more_seeds" or one.seen != "no seed"]
                yield from missing
                for path in [] if missing else points.idle(values, space):
                    yield Problem(place, f"{path}: {shown(values[path])}", "must be left out; it does not apply beside the other values")
    base = search.get("base", {})
    if sampler == "one_factor" and isinstance(base, dict):
        place = ("search", "base")
        values, wrong = points.read(base, space, place, consistent=False)
        yield from wrong
        if not wrong:
            yield from points.incomplete(values, space, place, only=(Uniform, LogUniform))
