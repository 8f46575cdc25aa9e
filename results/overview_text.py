"""A sweep at a glance as people read it: one line per fact, one screen. Prints nothing."""

import shlex
from collections.abc import Iterator
from datetime import datetime

from results.events import seconds
from results.leaderboard_text import duration
from results.overview import Overview, Spending
from results.tables import shorten
from results.terminal import BOLD, FAINT, Terminal

LABEL_WIDTH = 10

_GOES_ON = frozenset({"interrupted", "stopped", "extended", "failed", "failing", "new"})
_HOW = {
    "finished": "finished",
    "budget": "ended by its budget",
    "interrupted": "interrupted",
    "stopped": "stopped by a person",
    "failed": "ended by an error",
    "failing": "stopped because most trials failed",
    "extended": "extended after it had ended",
    "new": "not started yet",
}


def lines(seen: Overview, *, terminal: Terminal, now: float, argument: str) -> list[str]:
    """Return the whole answer, a line each.

    Args:
        seen: Where the sweep stands.
        terminal: What can be shown.
        now: Seconds since 1970.
        argument: How the user calls the sweep, for the command to type next.
    """
    facts = [fact for fact in _facts(seen, now) if fact[1]]
    width = terminal.width or 10_000
    said = []
    before = ""
    for label, text in facts:
        shown = "" if label == before else label
        before = label
        style = BOLD if label == "leader" else ""
        line = shorten(text, max(20, width - LABEL_WIDTH))
        said.append(terminal.styled(f"{shown:<{LABEL_WIDTH}}", FAINT) + terminal.styled(line, style))
    step = _next(seen, argument)
    return said + (["", f"next: {step}"] if step else [])


def _facts(seen: Overview, now: float) -> Iterator[tuple[str, str]]:
    """Yield label and text of each fact; the same label twice is said once."""
    since = "" if seen.state == "extended" else _since(seen.state_at, now)
    yield "sweep", f"{seen.sweep}, {_HOW.get(seen.state, seen.state)}{since}"
    if seen.driver is not None:
        alive = f", last seen {_ago(seen.driver.alive_at, now)} ago" if seen.driver.alive_at else ""
        yield "driver", f"process {seen.driver.pid} on {seen.driver.host}{alive}"
    else:
        yield "driver", "none at work"
    to_come = seen.num_trials - sum(seen.counts.values())
    counts = [f"{number:,} {status.replace('_', ' ')}" for status, number in seen.counts.items()]
    counts += [f"{to_come:,} to come"] if to_come > 0 else []
    yield "trials", f"{sum(seen.counts.values()):,} of {seen.num_trials:,} · {' · '.join(counts)}"
    yield "epochs", _of(seen.epochs, "{:,.0f}")
    yield "device", _of(seen.device_hours, "{:.3g}") + " hours"
    yield "wall", duration(seen.wall_s.spent) + (f" of {duration(seen.wall_s.limit)}" if seen.wall_s.limit else "")
    yield "workers", " · ".join(filter(None, (f"{seen.busy} of {seen.slots} busy" if seen.driver is not None else "", _training(seen))))
    if seen.left_s is not None:
        low, high = map(duration, seen.left_s)
        yield "left", low if low == high else f"{low} to {high}"
    if (leader := seen.leader) is not None:
        score = f"{leader.score:.1%}" if seen.metric.endswith("accuracy") else f"{leader.score:.3f}"
        yield "leader", f"{leader.trial}  {seen.metric} {score} at rung {leader.rung_epochs}, {leader.status}"
    for failure in seen.failures:
        yield "failures", f"{failure.trial} {failure.status.replace('_', ' ')}: {failure.reason}"
    if (more := seen.num_failures - len(seen.failures)) > 0:
        yield "failures", f"and {more:,} before"
    if seen.pending:
        yield "requests", f"{seen.pending} wait to be obeyed"
    for note in seen.notes:
        yield "notes", f"{note['at'][:10]} {note['author']}: {note['text']}"


def _training(seen: Overview) -> str:
    if seen.training is None or seen.training_after_start is None:
        return ""
    return f"training {seen.training:.0%} of their time, {seen.training_after_start:.0%} after the start"


def _next(seen: Overview, argument: str) -> str:
    if seen.driver is not None:
        return ""
    if seen.state in _GOES_ON:
        return f"shortlist resume {shlex.quote(argument)}"
    if seen.state == "budget":
        return f"shortlist extend {shlex.quote(argument)} --help"
    return f"shortlist leaderboard {shlex.quote(argument)}"


def _of(spending: Spending, form: str) -> str:
    return form.format(spending.spent) + (f" of {form.format(spending.limit)}" if spending.limit else "")


def _since(at: str, now: float) -> str:
    if not at:
        return ""
    day = datetime.fromisoformat(at).astimezone()
    return f" since {day:%Y-%m-%d %H:%M} ({_ago(at, now)})"


def _ago(at: str, now: float) -> str:
    return duration(max(0.0, now - seconds(at)))
