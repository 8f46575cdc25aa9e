"""One event of the journal in words, for people who follow a sweep. Prints nothing."""

from results.events import (
    Decided,
    DriverStarted,
    DriverStopped,
    Ended,
    Event,
    Extended,
    Hidden,
    Launched,
    Lost,
    Noted,
    Reported,
    StopRequested,
    Tagged,
    Tested,
)
from results.history import LIMITS

_WHY = {"promotion": "goes on", "retry": "goes on after a lost worker", "resume": "goes on", "drain": "goes on as the leader"}


def words(event: Event, metric: str) -> str:
    """Return what happened, in one line; empty where it is not worth one (a suggestion, which is launched at once).

    Whatever control characters a name, a note or an error holds are left out: they would be obeyed by the terminal.
    """
    return printable(_words(event, metric))


def score_words(score: float | None, metric: str) -> str:
    """Return a score with its unit; a dash where there is none."""
    if score is None:
        return "-"
    return f"{score:.1%}" if metric.endswith("accuracy") else f"{score:.3f}"


def printable(text: str) -> str:
    """Return text in one line, without control characters."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _words(event: Event, metric: str) -> str:
    match event:
        case Reported():
            return f"{event.trial} epoch {event.epoch}: {metric} {score_words(event.score, metric)}"
        case Launched(why="new"):
            return f"{event.trial} starts, until epoch {event.until_epoch}"
        case Launched():
            return f"{event.trial} {_WHY.get(event.why, 'goes on')} from epoch {event.from_epoch}, until epoch {event.until_epoch}"
        case Decided():
            cutoff = "" if event.cutoff is None else f", cut-off {score_words(event.cutoff, metric)}"
            return f"{event.trial} {event.reason or event.action}: {metric} {score_words(event.score, metric)}{cutoff}"
        case Ended():
            return f"{event.trial} {event.status.replace('_', ' ')}" + (f": {event.reason}" if event.reason else "")
        case Lost():
            return f"{event.trial} lost its worker: {event.reason}"
        case Tested():
            return f"{event.trial} was tested"
        case DriverStarted():
            return f"driver: process {event.pid} on {event.host} takes the sweep, {event.slots} worker{'s' if event.slots != 1 else ''}"
        case DriverStopped():
            return f"driver: lets the sweep go, {event.reason}"
        case Extended():
            raised = [f"{name} {getattr(event, name):,g}" for name in LIMITS if getattr(event, name) is not None]
            return f"{event.author} extends the sweep: {', '.join(raised)}"
        case Noted():
            return f"{event.author} notes on {event.trial or 'the sweep'}: {event.text}"
        case Tagged():
            signed = [*(f"+{tag}" for tag in event.added), *(f"-{tag}" for tag in event.removed)]
            return f"{event.author} tags {event.trial}: {' '.join(signed)}"
        case Hidden():
            return f"{event.author} {'hides' if event.hidden else 'brings back'} {', '.join(event.trials)}"
        case StopRequested():
            return f"{event.author} stops {', '.join(event.trials) or 'the sweep'}"
        case _:
            return ""
