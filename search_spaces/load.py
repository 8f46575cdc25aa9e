"""From a file to a `Sweep`, with every mistake at once and in the order of the file. Neither torch nor ray is imported."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from search_spaces import checks, combination_checks, final_checks, trial_checks
from search_spaces.errors import KeyPath, Locate, Problem, SweepError, dotted
from search_spaces.flatten import flatten
from search_spaces.overrides import FILE, overridden
from search_spaces.refusals import explained, refusals
from search_spaces.scheduler_options import RULES
from search_spaces.sweep import METRICS, Sweep
from search_spaces.wording import guessed
from search_spaces.yaml_source import read


def load(path: Path | str, overrides: Sequence[str] = ()) -> Sweep:
    """Read, check and resolve a sweep file.

    Args:
        path: The file.
        overrides: Texts of `-s`, `path=value`, laid over the file in their order.

    Raises:
        SweepError: All that is wrong, each with its place.
    """
    source, mistakes = overridden(read(path), overrides)
    data = _with_mode(source.data)
    if found := [*mistakes, *map(source.mistake, problems(data))]:
        raise SweepError(found)
    return _anchored(_validated(data))


def place(path: Path | str, keys: Sequence[str | int], overrides: Sequence[str] = ()) -> tuple[str, int, int]:
    """Return file, line and column of a key, or of the nearest one above it that is there: for mistakes found after loading."""
    if any(text.partition("=")[0] in (dotted(keys[: depth + 1]) for depth in range(len(keys))) for text in overrides):
        return (FILE, 0, 0)
    return (str(path), *read(path).position(tuple(keys)))


def places(path: Path | str, overrides: Sequence[str] = ()) -> Locate:
    """Return `place` of a file that was loaded, as a function of the keys."""
    return lambda keys: place(path, keys, overrides)


def refusal(path: Path | str, problems: Sequence[Problem], overrides: Sequence[str] = ()) -> SweepError:
    """Return the error for problems that were found after loading, each with its place."""
    source, _ = overridden(read(path), overrides)
    return SweepError([source.mistake(problem) for problem in problems])


def resolved(data: Mapping[str, Any]) -> Sweep:
    """Return a sweep that was stored resolved (`sweep.json`); whether its data is still there is not asked.

    Raises:
        SweepError: It does not fit the model, such as that of a newer release.
    """
    try:
        return _validated(data)
    except ValidationError as error:
        raise SweepError.without_lines(explained(error, Sweep, data, ()), file="sweep.json") from None


def problems(data: Mapping[str, Any]) -> list[Problem]:
    """Return all that is wrong with the plain data of a sweep file, each once."""
    found = refusals(Sweep, data)
    flattened = flatten(data["trial"]) if isinstance(data.get("trial"), dict) else None
    if flattened is not None:
        found += [*flattened.problems, *trial_checks.problems(flattened)]
        found += combination_checks.problems(flattened, [problem.path for problem in found], max_epochs=_max_epochs(data))
    found += checks.problems(data, flattened)
    if flattened is not None and not any(problem.path[:2] in (("final", "overrides"), ("final", "stages")) for problem in found):
        for overrides, epochs, place in final_checks.recipes(data.get("final")):
            found += combination_checks.final_problems(
                flattened, overrides, max_epochs=_max_epochs(data), final_epochs=_epochs(epochs), place=place
            )
    meant = {(*problem.path[:-1], guess) for problem in found if (guess := guessed(problem.required))}
    return [problem for problem in dict.fromkeys(found) if problem.seen != "missing" or not _within(problem.path, meant)]


def _max_epochs(data: Mapping[str, Any]) -> int | None:
    """Return the horizon of the candidates; None where the file does not say it as it should."""
    scheduler = data.get("scheduler")
    rules = [scheduler.get(name) for name in RULES] if isinstance(scheduler, dict) else []
    return next((_epochs(rule["max_epochs"]) for rule in rules if isinstance(rule, dict) and "max_epochs" in rule), None)


def _epochs(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


def _within(path: KeyPath, others: Collection[KeyPath]) -> bool:
    """Say whether a missing key, or one above it, stands in the file under a misspelt name."""
    return any(path[: len(other)] == other for other in others)


def _with_mode(data: dict[str, Any]) -> dict[str, Any]:
    """Fill in the mode that follows from the metric."""
    match data.get("objective"):
        case {"mode": _}:
            return data
        case {"metric": str(metric), **others} if metric in METRICS:
            return data | {"objective": {"metric": metric, "mode": METRICS[metric], **others}}
    return data


def _anchored(sweep: Sweep) -> Sweep:
    """Return the sweep with its folder made absolute: workers and later commands stand in other folders."""
    if sweep.data.path is None:
        return sweep
    path = str(Path(sweep.data.path).expanduser().absolute())
    return sweep.model_copy(update={"data": sweep.data.model_copy(update={"path": path})})


def _validated(data: Mapping[str, Any]) -> Sweep:
    # JSON rules, as in `refusals`: "16" is no number, and a list may stand for a tuple.
    return Sweep.model_validate_json(json.dumps(data), strict=True)
