"""While it runs, and afterwards: status, stop, extend, note, tag, untag, hide, unhide."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.arguments import Format, Output, Runs, Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.events import Asked
    from results.storage import Storage

Trial = Annotated[str, typer.Argument(help="A trial, t00007 or 7.", metavar="TRIAL", show_default=False)]
Trials = Annotated[list[str], typer.Argument(help="Trials, t00007 or 7.", metavar="TRIAL...", show_default=False)]
Tags = Annotated[list[str], typer.Argument(help="Words without blanks.", metavar="TAG...", show_default=False)]


def status(sweep: Stored, storage: Runs = Path("runs"), output: Output = Format.table) -> None:
    """Show where a sweep stands: one screen.

    Who runs it, trials by status, what it has cost, who leads, what failed. Example: `shortlist status digits`
    """
    import json
    import sys
    import time
    from dataclasses import asdict

    from results import overview, overview_text
    from results.storage import find_sweep
    from results.terminal import Terminal
    from tuner import submit
    from tuner.cli.review import spoken

    place = find_sweep(sweep, storage)
    if not place.exists("sweep.json") and (jobs := submit.remembered(place)):
        last = asdict(jobs[-1])
        said = f"{place.root.name} was submitted to {jobs[-1].address} as job {jobs[-1].job}, and has not begun yet"
        print(json.dumps({"sweep": place.root.name, "state": "submitted"} | last) if output is Format.json else said)
        return
    now = time.time()
    seen = overview.overview(place, now)
    if output is Format.json:
        print(json.dumps(asdict(seen), indent=2, ensure_ascii=False))
        return
    print("\n".join(overview_text.lines(seen, terminal=Terminal.of(sys.stdout), now=now, argument=spoken(place, storage))))


def stop(
    sweep: Stored,
    trials: Annotated[
        list[str] | None, typer.Argument(help="Trials to end, t00007 or 7; the whole sweep without.", metavar="[TRIAL]...")
    ] = None,
    storage: Runs = Path("runs"),
) -> None:
    """Stop a sweep, or end some of its trials.

    A sweep that was stopped goes on with `resume`; a trial that was stopped does not.
    Example: `shortlist stop digits` or `shortlist stop digits t00007`
    """
    from results.events import StopRequested
    from results.storage import find_sweep

    ids = _ids(trials or ())
    place = find_sweep(sweep, storage)
    if not ids and not place.exists("sweep.json"):
        from tuner.sending import withdraw

        print(withdraw(place))
        return
    _ask(place, StopRequested(**_signed(), trials=ids), f"stopped {', '.join(ids) or sweep}")


def extend(
    sweep: Stored,
    trials: Annotated[str | None, typer.Option("--trials", help="Trials in all, or +N more.", metavar="N")] = None,
    epochs: Annotated[str | None, typer.Option("--epochs", help="Epochs of the budget in all, or +N more.", metavar="N")] = None,
    gpu_hours: Annotated[str | None, typer.Option("--gpu-hours", help="Hours of the budget in all, or +H more.", metavar="H")] = None,
    wall_clock: Annotated[
        str | None, typer.Option("--wall-clock", help="Time of the budget in all, or +T more: 90s, 15m, 2h.", metavar="T")
    ] = None,
    storage: Runs = Path("runs"),
) -> None:
    """Give a sweep more trials or a larger budget.

    Also while it runs; one that had ended goes on with `resume`. `--trials 200` is the new total, `--trials +50` is so many more.
    Example: `shortlist extend digits --trials +50`
    """
    import time

    from results import journal
    from results.history import History
    from results.storage import find_sweep
    from tuner import requests
    from tuner.session import stored

    place = find_sweep(sweep, storage)
    history, loaded = History.of(journal.read(place)), stored(place)
    wanted = {"trials": trials, "epochs": epochs, "gpu_hours": gpu_hours, "wall_clock_s": _duration(wall_clock)}
    asked = requests.extension(history, loaded, wanted, author=author(), now=time.time())
    words = {"trials": "trials", "epochs": "epochs", "gpu_hours": "GPU hours", "wall_clock_s": "seconds"}
    said = ", ".join(
        f"{'by' if name in asked.more else 'to'} {value:,g} {unit}"
        for name, unit in words.items()
        if (value := getattr(asked, name)) is not None
    )
    at_work = _ask(place, asked, f"extended {sweep} {said}")
    if not at_work:
        print(f"next: shortlist resume {sweep}")


def note(
    sweep: Stored,
    words: Annotated[list[str], typer.Argument(help="A trial, if it is about one, and the text.", metavar="[TRIAL] TEXT")],
    storage: Runs = Path("runs"),
) -> None:
    """Write something down about a sweep or one of its trials.

    Notes are kept in the journal, and shown by `status` and `leaderboard`. Example: `shortlist note digits t00007 "loss spikes at 40"`
    """
    from results.events import Noted
    from results.storage import find_sweep
    from tuner.errors import UsageError

    trial, text = (_id(words[0]), words[1]) if len(words) == 2 else (None, words[0])
    if len(words) > 2:
        raise UsageError(f'the note has {len(words)} parts, must be one text, in quotes: shortlist note {sweep} [TRIAL] "text"')
    _ask(find_sweep(sweep, storage), Noted(**_signed(), trial=trial, text=text), f"noted on {trial or sweep}")


def tag(sweep: Stored, trial: Trial, tags: Tags, storage: Runs = Path("runs")) -> None:
    """Put words on a trial.

    Example: `shortlist tag digits t00007 baseline candidate`
    """
    _tag(sweep, trial, storage, added=tags)


def untag(sweep: Stored, trial: Trial, tags: Tags, storage: Runs = Path("runs")) -> None:
    """Take words off a trial.

    Example: `shortlist untag digits t00007 candidate`
    """
    _tag(sweep, trial, storage, removed=tags)


def hide(sweep: Stored, trials: Trials, storage: Runs = Path("runs")) -> None:
    """Take trials out of sight.

    `leaderboard` leaves them out and `promote` passes them over unless they are named; the search decides as if they were not hidden.
    Example: `shortlist hide digits t00007 t00009`
    """
    _hide(sweep, trials, storage, hidden=True)


def unhide(sweep: Stored, trials: Trials, storage: Runs = Path("runs")) -> None:
    """Bring hidden trials back.

    Example: `shortlist unhide digits t00007`
    """
    _hide(sweep, trials, storage, hidden=False)


def _tag(sweep: str, trial: str, storage: Path, *, added: "Sequence[str]" = (), removed: "Sequence[str]" = ()) -> None:
    from results.events import Tagged
    from results.storage import find_sweep
    from tuner.errors import UsageError

    for word in (*added, *removed):
        if not word or word.split() != [word]:
            raise UsageError(f"{word!r} is no tag, must be a word without blanks; for a sentence: shortlist note {sweep} {trial} TEXT")
    asked = Tagged(**_signed(), trial=_id(trial), added=tuple(added), removed=tuple(removed))
    _ask(find_sweep(sweep, storage), asked, f"{'tagged' if added else 'untagged'} {_id(trial)}: {', '.join((*added, *removed))}")


def _hide(sweep: str, trials: list[str], storage: Path, *, hidden: bool) -> None:
    from results.events import Hidden
    from results.storage import find_sweep

    ids = _ids(trials)
    _ask(
        find_sweep(sweep, storage),
        Hidden(**_signed(), trials=ids, hidden=hidden),
        f"{'hid' if hidden else 'brought back'} {', '.join(ids)}",
    )


def _ask(place: "Storage", asked: "Asked", done: str) -> bool:
    """See to it that a request is obeyed, by the driver at work or here; say so. Return whether a driver is at work."""
    from tuner import asking

    outcome = asking.ask(place, asked)
    print(done if outcome is not asking.Outcome.left else f"asked for; the driver has not looked yet, see: shortlist status {place}")
    return outcome is not asking.Outcome.obeyed_here


def _signed() -> "dict[str, str]":
    """Return what every request carries: when, which, who."""
    import time

    from results.events import stamp
    from tuner.requests import new_id

    now = time.time()
    return {"at": stamp(now), "request": new_id(now), "author": author()}


def author() -> str:
    """Return who asks."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return "somebody"


def _duration(text: str | None) -> str | float | None:
    """Return `+15m` and the like in seconds, the plus kept; what is no time is left to be refused with the rest."""
    import re

    from search_spaces.quantities import DURATION

    more, rest = ("+", text[1:]) if text and text.startswith("+") else ("", text)
    if not rest or (found := re.match(DURATION, rest)) is None:
        return text
    seconds = sum(float(part[:-1]) * {"h": 3600.0, "m": 60.0, "s": 1.0}[part[-1]] for part in found.groups() if part)
    return f"{more}{seconds}"


def _id(trial: str) -> str:
    return f"t{int(trial):05d}" if trial.isdecimal() else trial


def _ids(trials: "Sequence[str]") -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_id, trials)))
