"""What earlier sweeps can tell a new one: resolved once, before it starts, and stored with it (`Earlier` in `sweep.json`).

A value of an earlier trial is taken where this sweep searches the same path and its domain has the value. It may have been a constant
there. An option that is a mapping must have the same label, and the same constants where the earlier configuration is at hand: it is in a
journal, and not in a leaderboard that was copied alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import journal, leaderboard, ranking
from results.derived import About
from results.errors import NotASweep
from results.history import History
from results.storage import Storage, find_sweep
from search_spaces.domain_words import WORDS
from search_spaces.domains import Choice, Value, option_name
from search_spaces.settings import Parameter
from search_spaces.space import Space
from search_spaces.sweep import LEARNING, Earlier, Observation, Sweep
from tuner.samplers.observations import observed, qualities

# Of more trials every k-th of the leaderboard is taken, so that the good and the bad keep their proportion.
MAX_OBSERVATIONS = 256


@dataclass(frozen=True, slots=True)
class _Past:
    """A trial of an earlier sweep.

    Attributes:
        trial: Its id.
        values: Searched parameter -> value.
        config: Its whole configuration; None where only the leaderboard is left.
        quality: See `observations.py`.
    """

    trial: str
    values: Mapping[str, Any]
    config: Mapping[str, Any] | None
    quality: float


def frozen(sweep: Sweep, runs: Path) -> tuple[Sweep, list[str]]:
    """Return the sweep with what it takes from earlier ones in place of their names, and what there is to say about it.

    Args:
        sweep: As loaded.
        runs: The storage folder that holds the sweeps.

    Raises:
        NotASweep: An earlier sweep does not exist, or no trial of it has reached a rung.
    """
    if not any(isinstance(name, str) for name in sweep.search.transfer):
        return sweep, []
    space = Space.parse(sweep.trial)
    transfer: list[Earlier] = []
    remarks: list[str] = []
    for name in sweep.search.transfer:
        if isinstance(name, Earlier):
            transfer.append(name)
            continue
        try:
            storage = find_sweep(name, runs)
        except NotASweep as error:
            raise NotASweep(f"search.transfer: {error}") from error
        earlier, said = _taken(name, storage, sweep, space)
        transfer.append(earlier)
        remarks += [f"search.transfer: {name}: {remark}" for remark in said]
    return sweep.model_copy(update={"search": sweep.search.model_copy(update={"transfer": tuple(transfer)})}), remarks


def _taken(name: str, storage: Storage, sweep: Sweep, space: Space) -> tuple[Earlier, list[str]]:
    metric, past = _read(storage)
    if not past:
        raise NotASweep(f"search.transfer: {name}: no trial of it has reached a rung, so it has nothing to tell; remove it from the list")
    best = max(past, key=lambda trial: trial.quality)
    given, lacking = _matched(best, space)
    remarks = []
    if not given:
        remarks.append(f"its best trial, {best.trial}, has no value that fits this space")
    elif lacking:
        remarks.append(f"its best trial, {best.trial}, is tried with {_and(lacking)} drawn: {_why(best, lacking)}")
    observations: list[Observation] = []
    if sweep.search.sampler in LEARNING:
        if metric != sweep.objective.metric:
            remarks.append(f"its trials are no observations, for it measured {metric}, not {sweep.objective.metric}")
        else:
            matched = [(_matched(trial, space), trial.quality) for trial in past]
            fitting = [Observation(values=values, quality=quality) for (values, missing), quality in matched if not missing]
            observations = _thinned(fitting)
            if len(fitting) < len(past):
                remarks.append(f"{len(past) - len(fitting)} of its {len(past)} trials are no observations, for they do not fit this space")
    return Earlier(sweep=name, best=given, observations=tuple(observations)), remarks


def _read(storage: Storage) -> tuple[str, list[_Past]]:
    """Return the metric of a sweep and its trials that have a quality, in the order of suggestion."""
    if storage.exists(journal.FOLDER):
        history = History.of(journal.read(storage))
        if history.started is None or not any(map(ranking.ranked, history.trials.values())):
            return "", []
        known = observed(history, sign=ranking.sign(history.started.mode))
        past = [_Past(record.trial, record.values, record.config, quality) for record, quality in known if quality is not None]
        return history.started.metric, past
    table = leaderboard.read_table(storage)
    rows = [row for row in table.to_pylist() if row["rank"] is not None or row["status"] in ranking.UNRANKED]
    sign = ranking.sign(About.of(table).mode)
    places = [(-1, 0.0) if row["rank"] is None else (row["rung_epochs"], sign * row["score"]) for row in rows]
    # A null stands for an inactive parameter and for an option that is null; what fits this space is looked up all the same.
    past = [
        _Past(row["trial"], {key.removeprefix("config."): value for key, value in row.items() if key.startswith("config.")}, None, quality)
        for row, quality in zip(rows, qualities(places), strict=True)
    ]
    ranked = any(row["rank"] is not None for row in rows)
    return About.of(table).metric, sorted(past, key=lambda trial: trial.trial) if ranked else []


def _matched(past: _Past, space: Space) -> tuple[dict[str, Value], list[str]]:
    """Return the values that fit this space, active ones only, and the paths that apply beside them and have none."""
    given: dict[str, Value] = {}
    lacking: list[str] = []

    def pick(parameter: Parameter) -> Value:
        for value in _said(past, parameter):
            given[parameter.path] = value
            return value
        lacking.append(parameter.path)
        return float("nan")  # equals nothing, so that what depends on it is not asked for

    space.decide(pick)
    return given, lacking


def _said(past: _Past, parameter: Parameter) -> Iterator[Value]:
    """Yield the value that a trial had where the parameter stands, if it had one that fits."""
    configured = _at(past.config, parameter.path) if past.config is not None else None
    if parameter.path in past.values:
        value = past.values[parameter.path]
    elif past.config is not None:
        value = option_name(configured)
    else:
        return
    if not parameter.domain.contains(value):
        return
    if isinstance(parameter.domain, Choice):
        option = parameter.domain.options[parameter.domain.index(value)]
        if past.config is not None and isinstance(option.content, dict) and not _agrees(option.content, configured):
            return
        value = option.name
    yield value


def _agrees(content: Any, configured: Any) -> bool:
    """Say whether the constants of an option are those of a configuration; what the option searches is compared by itself."""
    if isinstance(content, dict):
        if any(word in content for word in (*WORDS, "when", "value")):
            return True
        return isinstance(configured, Mapping) and all(_agrees(part, configured.get(key)) for key, part in content.items())
    if isinstance(content, list) and any(isinstance(item, dict) for item in content):
        return True  # alternatives, or a list of domains
    return bool(content == configured)


def _at(config: Any, path: str) -> Any:
    """Return what a configuration has at a dotted path; None where it has nothing."""
    for key in path.split("."):
        if isinstance(config, Mapping):
            config = config.get(key)
        elif isinstance(config, list) and key.isdecimal() and int(key) < len(config):
            config = config[int(key)]
        else:
            return None
    return config


def _thinned(observations: Sequence[Observation]) -> list[Observation]:
    """Return at most MAX_OBSERVATIONS, evenly over the leaderboard, in their order."""
    if len(observations) <= MAX_OBSERVATIONS:
        return list(observations)
    by_quality = sorted(range(len(observations)), key=lambda index: observations[index].quality)
    step = (len(observations) - 1) / (MAX_OBSERVATIONS - 1)
    return [observations[index] for index in sorted(by_quality[round(number * step)] for number in range(MAX_OBSERVATIONS))]


def _why(past: _Past, lacking: Sequence[str]) -> str:
    reasons = []
    for path in lacking:
        there = past.values[path] if path in past.values else _at(past.config, path) if past.config is not None else None
        reasons.append(f"{path} was {option_name(there)}" if there is not None else f"{path} had no value there")
    return ", ".join(reasons)


def _and(paths: Sequence[str]) -> str:
    return " and ".join([", ".join(paths[:-1]), paths[-1]] if len(paths) > 1 else paths)
