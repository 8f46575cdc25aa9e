"""What people ask of a sweep from other processes and machines: a file each in its inbox, checked, turned into facts. No ray, no torch.

A request is the fact that it asks for, as it will stand in the journal. Any process that can write to the storage may leave one; the driver
obeys it, journals it under its id, and only then deletes the file: a driver killed in between finds the id in its journal and does not
obey twice. What it refuses it answers in a file `<id>.refused`, which whoever asked reads and deletes.
"""

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, get_args

from pydantic import Field, TypeAdapter, ValidationError

from results.event_lines import encode
from results.events import Asked, Confirmed, Ended, Event, Extended, Hidden, Noted, StopRequested, Tagged, stamp
from results.history import LIMITS, History, TrialRecord
from results.storage import REQUESTS, Storage
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from tuner.budget import raised
from tuner.errors import UsageError
from tuner.samplers.sampler import num_trials

MAX_TRIALS = 1_000_000  # as in the sweep file

_KINDS = {kind.__name__: kind for kind in get_args(Asked)}
_POSITIVE = TypeAdapter(Annotated[float, Field(gt=0, allow_inf_nan=False)])

# Limit -> how people say it, and the option that raises it.
_WORDS = {
    "trials": ("trials", "--trials"),
    "epochs": ("epochs in the budget", "--epochs"),
    "gpu_hours": ("GPU hours in the budget", "--gpu-hours"),
    "wall_clock_s": ("seconds of wall clock in the budget", "--wall-clock"),
}


def new_id(now: float) -> str:
    """Return an id that no other request has; ids sort by the time of asking, `now` in seconds since 1970."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"


def send(storage: Storage, asked: Asked) -> None:
    """Leave a request in the inbox of a sweep; a reader finds it whole or not at all."""
    storage.write_atomic(f"{REQUESTS}/{asked.request}.json", json.dumps(encode(asked), indent=2).encode() + b"\n")


def waiting(storage: Storage) -> list[Path]:
    """Return the requests that nobody has obeyed yet, oldest first."""
    folder = storage.pull(REQUESTS)
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix == ".json" and not path.name.startswith("."))


def is_waiting(storage: Storage, asked: Asked) -> bool:
    """Return whether nobody has obeyed or refused the request yet."""
    try:
        storage.read_now(f"{REQUESTS}/{asked.request}.json")
    except FileNotFoundError:
        return False
    return True


def withdraw(storage: Storage, asked: Asked) -> None:
    """Take a request back that nobody has obeyed."""
    storage.remove(f"{REQUESTS}/{asked.request}.json")


def answer(storage: Storage, asked: Asked) -> str | None:
    """Return why a request was refused, and take the answer out of the inbox; None where it was not."""
    name = f"{REQUESTS}/{asked.request}.refused"
    try:
        reason = storage.read_now(name).decode().strip()
    except FileNotFoundError:
        return None
    storage.remove(name)
    return reason


def obey_waiting(storage: Storage, history: History, obey: Callable[[Asked], None]) -> int:
    """Obey every request in the inbox once; return how many were new.

    Args:
        storage: The sweep's folder.
        history: What has happened in it; requests that it knows are only deleted.
        obey: Journals one request; raises UsageError where it cannot be obeyed.
    """
    obeyed = 0
    for path in waiting(storage):
        try:
            asked = _read(path)
            if asked.request not in history.requests:
                obey(asked)
                obeyed += 1
        except UsageError as error:
            storage.write_atomic(f"{REQUESTS}/{path.stem}.refused", str(error).encode() + b"\n")
        storage.remove(f"{REQUESTS}/{path.name}")
    return obeyed


def facts(history: History, sweep: Sweep, asked: Asked, now: float) -> list[Event]:
    """Return what a request adds to the journal: itself, and what follows from it at once.

    Args:
        history: The sweep so far.
        sweep: What is searched.
        asked: The request.
        now: Seconds since 1970.

    Raises:
        UsageError: It cannot be obeyed; the message says why, and what can be asked.
    """
    for trial in _trials(asked):
        _known(history, sweep, trial)
    if isinstance(asked, Extended):
        asked = _totals(history, sweep, asked)
    found: list[Event] = [replace(asked, at=stamp(now))]
    match asked:
        case Extended():
            _check_limits(history, sweep, asked)
        case StopRequested(trials=trials):
            found += [stopped(_running_on(history, trial), asked.author, now) for trial in trials]
        case Tagged(trial=trial, removed=removed):
            if absent := sorted(set(removed) - set(history.trials[trial].tags)):
                raise UsageError(f"{trial} has no tag {', '.join(absent)}; it has {', '.join(history.trials[trial].tags) or 'none'}")
        case Noted(text=text):
            if not text.strip():
                raise UsageError("the note is empty; say what you saw")
        case Hidden() | Confirmed():
            pass
    return found


def stopped(trial: str, author: str, now: float) -> Ended:
    """Return the end of a trial that a person stopped."""
    return Ended(at=stamp(now), trial=trial, status="stopped", reason=f"stopped by {author}")


def limits(history: History, sweep: Sweep) -> dict[str, float | None]:
    """Return limit -> its present value, None where there is none: those of the sweep file, or what people have made of them."""
    known = history.extended
    asked_for, launched = history.num_trials or sweep.search.trials, sweep.budget.trials
    first = {
        "trials": asked_for if asked_for is None or launched is None else min(asked_for, launched),  # `budget.trials` is raised with them
        "epochs": sweep.budget.epochs,
        "gpu_hours": sweep.budget.gpu_hours,
        "wall_clock_s": sweep.budget.wall_clock_s,
    }
    return {name: (known and getattr(known, name)) or value for name, value in first.items()}


def as_extended(history: History, sweep: Sweep) -> Sweep:
    """Return the sweep with the limits that people have made of those of its file."""
    if (known := history.extended) is None:
        return sweep
    search = sweep.search if known.trials is None else sweep.search.model_copy(update={"trials": history.num_trials})
    return sweep.model_copy(update={"search": search, "budget": raised(sweep.budget, known)})


def extension(history: History, sweep: Sweep, asked: dict[str, str | float | None], *, author: str, now: float) -> Extended:
    """Return the request to extend a sweep.

    Args:
        history: The sweep so far.
        sweep: What is searched.
        asked: Limit (of `results.history.LIMITS`) -> the new total, or text such as `+50` for so much more; None leaves it.
        author: Who asks.
        now: Seconds since 1970.

    Raises:
        UsageError: A figure is none, or a limit that the sweep does not have was to be raised by some amount.
    """
    numbers: dict[str, float] = {}
    more = tuple(name for name in LIMITS if isinstance(value := asked.get(name), str) and value.startswith("+"))
    for name in LIMITS:
        value = asked.get(name)
        if value is None:
            continue
        option = _WORDS[name][1]
        try:
            numbers[name] = _POSITIVE.validate_python(str(value)[1:] if name in more else value)
        except ValidationError as error:
            raise UsageError(f"{option}: {value}, must be a number > 0, or + and a number for so much more") from error
    if not numbers:
        raise UsageError(f"nothing to extend: name at least one of {', '.join(option for _, option in _WORDS.values())}")
    for name in ("trials", "epochs"):
        if numbers.get(name, 0) % 1:
            raise UsageError(f"{_WORDS[name][1]}: {numbers[name]:g}, must be a whole number")
    whole = {name: int(numbers[name]) for name in ("trials", "epochs") if name in numbers}
    request = Extended(
        at=stamp(now),
        request=new_id(now),
        author=author,
        trials=whole.get("trials"),
        epochs=whole.get("epochs"),
        gpu_hours=numbers.get("gpu_hours"),
        wall_clock_s=numbers.get("wall_clock_s"),
        more=more,
    )
    _totals(history, sweep, request)  # refuses what has no limit to begin with
    return request


def _read(path: Path) -> Asked:
    """Return the request in a file.

    Raises:
        UsageError: It is none, or one of a newer release.
    """
    try:
        values = json.loads(path.read_bytes())
        kind = _KINDS[values.pop("event")]
        if unknown := values.keys() - {field.name for field in fields(kind)}:
            raise UsageError(f"{path.name}: {kind.__name__} has no {', '.join(sorted(unknown))}; ask with the release that runs the sweep")
        asked: Asked = TypeAdapter(kind).validate_python(values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{path.name}: not a request of this release ({str(error).splitlines()[0]})") from error
    return asked


def _trials(asked: Asked) -> Sequence[str]:
    match asked:
        case Tagged(trial=trial):
            return (trial,)
        case Noted(trial=trial):
            return () if trial is None else (trial,)
        case Hidden(trials=trials) | StopRequested(trials=trials):
            return trials
        case Confirmed(trials=trials):
            return tuple(trials)
        case Extended():
            return ()


def _known(history: History, sweep: Sweep, trial: str) -> TrialRecord:
    if (record := history.trials.get(trial)) is None:
        last = next(reversed(history.trials), "none yet")
        raise UsageError(f"{sweep.name} has no trial {trial}, its trials go up to {last}; see: shortlist leaderboard {sweep.name}")
    return record


def _running_on(history: History, trial: str) -> str:
    record = history.trials[trial]
    if record.ended is not None:
        reason = f" ({record.reason})" if record.reason else ""
        raise UsageError(f"{trial} is {record.status.replace('_', ' ')} already{reason}, there is nothing to stop")
    return trial


def _totals(history: History, sweep: Sweep, asked: Extended) -> Extended:
    """Return the request with totals in the place of what is so much more than now: two that cross both count.

    Raises:
        UsageError: A limit that is named is not there.
    """
    present = limits(history, sweep)
    totals: dict[str, float] = {}
    for name in LIMITS:
        words, option = _WORDS[name]
        if (number := getattr(asked, name)) is None:
            continue
        if (before := present[name]) is None:
            raise UsageError(f"{option}: {sweep.name} has no limit of {words}, there is nothing to extend")
        if name in asked.more:
            totals[name] = before + number
    return replace(asked, **totals, more=())  # type: ignore[arg-type]  # mypy does not see which limit has which type


def _check_limits(history: History, sweep: Sweep, asked: Extended) -> None:
    """Raise unless every limit named is there and grows."""
    present = limits(history, sweep)
    named = {name: value for name in LIMITS if (value := getattr(asked, name)) is not None}
    if not named:
        raise UsageError("nothing to extend")
    for name, value in named.items():
        words, option = _WORDS[name]
        if (before := present[name]) is None:
            raise UsageError(f"{option}: {sweep.name} has no limit of {words}, there is nothing to extend")
        if value <= before:
            raise UsageError(f"{option}: {value:g}, must be more than the {before:g} {words} that {sweep.name} has; to end earlier: stop")
    if asked.trials is None:
        return
    if asked.trials > MAX_TRIALS:
        raise UsageError(f"--trials: {asked.trials:,}, must be at most {MAX_TRIALS:,}")
    if sweep.search.ends:
        whole = sweep.model_copy(update={"search": sweep.search.model_copy(update={"trials": None})})
        if asked.trials > (most := num_trials(whole, Space.parse(sweep.trial))):
            raise UsageError(
                f"--trials: {asked.trials:,}, the {sweep.search.sampler} sampler of {sweep.name} has {most:,} candidates in all"
            )
