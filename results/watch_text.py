"""A running sweep as a block of lines that fits the terminal, whatever its size. Pure: no clock, no terminal."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from results import leaderboard_text, tables
from results.bars import ASCII, DONE, LABEL_WIDTH, bar, coarse, fact, joined, states, trial_shares
from results.derived import About
from results.event_text import printable, score_words, words
from results.events import Event, SweepStarted, seconds
from results.leaderboard_text import duration
from results.overview import Spending
from results.watch import View

LEADERS = 8
WORKERS = 8
NARROW_LEADERS = 3  # where the terminal is low
LEAST_EVENTS = 3

STATES = {"running": "running", "new": "not started yet", "extended": "extended after it had ended", "budget": "ended by its budget"}


def block(
    view: View, events: Sequence[tuple[str, str]], *, now: float, width: int, height: int, unicode: bool = True, rate: str = ""
) -> list[Text]:
    """Return what stands on the screen.

    Args:
        view: What was seen.
        events: Time of day and words of the latest events, oldest first.
        now: Seconds since 1970.
        width: Columns.
        height: Lines; the table, the workers and the events share what the rest leaves.
        unicode: Whether characters beyond ASCII can be written.
        rate: How fast epochs come, in words.
    """
    head = _head(view, now, width, rate)
    low = height < len(head) + 2 * LEADERS + LEAST_EVENTS
    leaders = _leaders(view, width, NARROW_LEADERS if low else LEADERS, unicode)
    room = max(0, height - len(head) - len(leaders) - LEAST_EVENTS - 2)
    head[_after(head, "workers") : _after(head, "workers")] = _workers(view, min(WORKERS, room))
    lines = [*head, *([Text(), *leaders] if leaders else [])]
    if (rest := height - len(lines) - 1) > 0 and events:
        lines += [Text(), *(Text.assemble((f"{at:<{LABEL_WIDTH}}", "bright_black"), text) for at, text in events[-rest:])]
    if not unicode:
        lines = [Text(line.plain.translate(ASCII)) for line in lines]
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis" if unicode else "crop")
    return lines[:height]


def status_line(view: View, rate: str) -> str:
    """Return where things stand in one line, for an output that is no terminal."""
    seen = view.seen
    made = sum(seen.counts.values())
    left = _left(view)
    return joined(f"{made:,} of {seen.num_trials:,} trials", ", ".join(_counts(view)), f"{view.epochs:,} epochs", rate, left)


def event_lines(news: Sequence[Event], metric: str, *, epochs: bool) -> list[tuple[str, str]]:
    """Return time of day (local) and words of the events that are worth a line; `epochs`: also of single epochs."""
    told = []
    for event in news:
        if isinstance(event, SweepStarted) or (not epochs and type(event).__name__ in {"Reported", "Launched", "Repeated"}):
            continue
        if text := words(event, metric):
            told.append((f"{datetime.fromtimestamp(seconds(event.at)).astimezone():%H:%M:%S}", text))
    return told


def _head(view: View, now: float, width: int, rate: str) -> list[Text]:
    seen = view.seen
    made = sum(seen.counts.values())
    state = STATES.get(seen.state, seen.state)
    since = f" for {duration(max(0.0, now - seconds(seen.state_at)))}" if seen.state_at and seen.state == "running" else ""
    silent = "" if seen.driver is not None or seen.state != "running" else ", but its driver is gone"
    lines = [
        fact("sweep", "").append(printable(seen.sweep), "bold").append(f", {state}{since}{silent}"),
        bar("trials", trial_shares(Counter(view.seen.counts), seen.num_trials), f"{made:,} of {seen.num_trials:,}", width=width),
        fact("", states(Counter(view.seen.counts), seen.num_trials)),
    ]
    lines += _spending(view, width)
    lines.append(fact("rungs", " · ".join(f"epoch {rung}: {number:,}" for rung, number in view.rungs.items())))
    if seen.driver is not None:
        lines.append(fact("workers", joined(f"{len(view.workers)} of {seen.slots} busy", rate, _left(view))))
    for failure in seen.failures[:1]:
        text = f"{seen.num_failures:,}, last: {failure.trial} {failure.status.replace('_', ' ')}: {printable(failure.reason)}"
        lines.append(fact("failures", text, "yellow"))
    if seen.pending:
        lines.append(fact("requests", f"{seen.pending} wait to be obeyed"))
    return lines


def _spending(view: View, width: int) -> list[Text]:
    """Return a bar for each limit, and the epochs where there is none."""
    seen = view.seen
    rows: list[tuple[Spending, str]] = []
    if seen.epochs.limit:
        rows.append((Spending(view.epochs, seen.epochs.limit), f"{view.epochs:,} of {seen.epochs.limit:,.0f} epochs"))
    if seen.device_hours.limit:
        hours = seen.device_hours
        rows.append((hours, f"{hours.spent:.3g} of {hours.limit:g} GPU hours"))
    if seen.wall_s.limit:
        rows.append((seen.wall_s, f"{duration(seen.wall_s.spent)} of {duration(seen.wall_s.limit)}"))
    if not rows:
        return [fact("spent", f"{view.epochs:,} epochs · {seen.device_hours.spent:.3g} device hours · {duration(seen.wall_s.spent)}")]
    return [bar("budget", [(DONE, min(1.0, spent.spent / (spent.limit or 1)))], text, width=width) for spent, text in rows]


def _workers(view: View, room: int) -> list[Text]:
    """Return a line for each trial in training, as many as there is room for."""
    metric, last = view.seen.metric, About.of(view.board).max_epochs
    lines = []
    for worker in view.workers[:room]:
        score = "" if not worker.epochs else f"{metric} {score_words(worker.score, metric)}"
        until = "" if worker.until_epoch in (None, last) else f", rung at {worker.until_epoch}"
        lines.append(fact("", joined(f"{worker.trial}  epoch {worker.epochs} of {last}{until}", score, printable(worker.where))))
    if len(view.workers) > room > 0:
        lines[-1] = fact("", f"and {len(view.workers) - room + 1:,} more")
    return lines


def _leaders(view: View, width: int, number: int, unicode: bool) -> list[Text]:
    """Return the first rows of the leaderboard under their header; none before the first rank."""
    kept = leaderboard_text.visible(view.board)
    shown = kept.slice(0, number)
    if not shown.num_rows or shown["rank"][0].as_py() is None:
        return []
    shown = shown.slice(0, sum(rank is not None for rank in shown["rank"].to_pylist()))
    columns, _ = tables.fit(leaderboard_text.text_columns(shown, whole=view.board, unicode=unicode), width)
    header, first, *rest = tables.aligned(columns)
    return [Text(header, "bright_black"), Text(printable_row(first), "bold"), *(Text(printable_row(row)) for row in rest)]


def printable_row(row: str) -> str:
    """Return a row of a table without control characters, its blanks kept."""
    return "".join(character if character.isprintable() else " " for character in row)


def _after(lines: Sequence[Text], label: str) -> int:
    """Return the place behind the line of that label; behind all where there is none."""
    return next((number + 1 for number, line in enumerate(lines) if line.plain.startswith(f"{label:<{LABEL_WIDTH}}")), len(lines))


def _left(view: View) -> str:
    if view.seen.left_s is None:
        return ""
    low, high = map(coarse, view.seen.left_s)
    return f"{low} left" if low == high else f"{low} to {high} left"


def _counts(view: View) -> list[str]:
    return [f"{number:,} {status.replace('_', ' ')}" for status, number in view.seen.counts.items()]
