"""Lines that show how far something is: aligned facts, bars, counts by status. Pure: no clock, no terminal, no sweep."""

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from results.trial import Status

LABEL_WIDTH = 10
MAX_BAR_WIDTH = 40
MIN_BAR_WIDTH = 8

FAILED: tuple[Status, ...] = ("diverged", "out_of_memory", "failed")
ENDED: tuple[Status, ...] = ("stopped", "completed", *FAILED)

# Mark and style of a bar's parts: they differ in shape, so that colour only adds. The table is for terminals that know ASCII alone.
Part = tuple[str, str]
DONE: Part = ("━", "cyan")
WAITING: Part = ("╍", "cyan")
RUNNING: Part = ("─", "cyan")
TO_COME: Part = ("·", "bright_black")
ASCII = str.maketrans({"━": "#", "╍": "=", "─": "-", "·": ".", "…": "."})


def fact(label: str, text: str, style: str = "") -> Text:
    """Return one aligned line."""
    return Text.assemble((f"{label:<{LABEL_WIDTH}}", "bright_black"), (text, style), no_wrap=True)


def bar(label: str, shares: Sequence[tuple[Part, float]], text: str, *, width: int) -> Text:
    """Return a line with a bar.

    Args:
        label: What is measured.
        shares: The bar's parts from the left, each a share in 0..1 of the whole; what is missing to 1 is to come.
        text: The figures behind the bar.
        width: Columns of the terminal.
    """
    cells = max(MIN_BAR_WIDTH, min(MAX_BAR_WIDTH, width - LABEL_WIDTH - 2 - len(text)))
    line = fact(label, "")
    drawn = 0
    total = 0.0
    for (mark, style), share in shares:
        total += share
        upto = min(cells, round(total * cells))
        line.append(mark * (upto - drawn), style)
        drawn = upto
    return line.append(TO_COME[0] * (cells - drawn), TO_COME[1]).append(f"  {text}")


def trial_shares(counts: Counter[Status], num_trials: int) -> list[tuple[Part, float]]:
    """Return the parts of the bar of trials: ended, paused, running."""
    numbers = (sum(counts[status] for status in ENDED), counts["paused"], counts["running"])
    return [(part, number / max(1, num_trials)) for part, number in zip((DONE, WAITING, RUNNING), numbers, strict=True)]


def states(counts: Counter[Status], num_trials: int | None = None) -> str:
    """Return trials by state in words; with `num_trials`, those to come as well."""
    parts = [f"{number:,} {status.replace('_', ' ')}" for status, number in counts.items() if number]
    if num_trials is not None and (to_come := num_trials - counts.total()) > 0:
        parts.append(f"{to_come:,} to come")
    return joined(*parts)


def joined(*parts: str) -> str:
    """Return the parts that are not empty, in one line."""
    return " · ".join(part for part in parts if part)


def coarse(seconds: float) -> str:
    """Return an estimate without false precision: fives of seconds, whole minutes, quarters of an hour."""
    if seconds < 57.5:
        return f"{max(5, 5 * round(seconds / 5))}s"
    if seconds < 3570:
        return f"{round(seconds / 60)}m"
    return f"{round(seconds / 900) / 4:g}h"
