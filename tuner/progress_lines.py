"""A search in progress as lines of text: bars, counts, the leader, what went wrong. Pure: no clock, no terminal."""

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from results import ranking
from results.history import Status, TrialRecord
from results.leaderboard_text import duration
from tuner.search import Search

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


def budget_bars(search: Search, *, now: float, width: int) -> list[Text]:
    """Return one bar for each limit that the sweep file sets."""
    options, budget = search.budget.limits, search.budget
    rows: list[tuple[float, str]] = []
    if options.epochs is not None:
        rows.append((budget.epochs / options.epochs, f"{budget.epochs:,} of {options.epochs:,} epochs"))
    if options.gpu_hours is not None:
        hours = budget.device_s / 3600
        rows.append((hours / options.gpu_hours, f"{hours:.3g} of {options.gpu_hours:g} GPU hours"))
    if options.wall_clock_s is not None:
        wall_s = budget.wall_s(now)
        rows.append((wall_s / options.wall_clock_s, f"{duration(wall_s)} of {duration(options.wall_clock_s)}"))
    if options.trials is not None:
        rows.append((budget.trials / options.trials, f"{budget.trials:,} of {options.trials:,} trials"))
    return [bar("budget", [(DONE, share)], text, width=width) for share, text in rows]


def leader(search: Search) -> TrialRecord | None:
    """Return the first trial of the leaderboard that nobody has hidden; None while no trial has a rank."""
    return next((record for record in ranking.order(search.history) if ranking.eligible(record)), None)


def standing(search: Search, record: TrialRecord) -> tuple[str, str]:
    """Return the score by which a trial is ranked, and where that was: `val_accuracy 97.3%`, `at rung 9, now at epoch 14 of 27`."""
    place = ranking.standing(record)
    assert place is not None
    if record.status == "completed":
        return _score(search, place.score), f"at epoch {place.rung_epochs}, trained in full"
    further = f", now at epoch {record.epochs} of {search.sweep.max_epochs}" if record.epochs > place.rung_epochs else ""
    return _score(search, place.score), f"at rung {place.rung_epochs}{further}"


def leader_lines(search: Search, label: str) -> list[Text]:
    """Return who is ahead; before any rung, the running trial that is furthest, said to be no more than that."""
    if (first := leader(search)) is not None:
        score, place = standing(search, first)
        line = fact(label, f"{first.trial}  ").append(score, "bold").append(f" {place}")
        values = "  ".join(f"{path}={_value(value)}" for path, value in first.values.items())
        return [line, fact("", values, "bright_black")] if values else [line]
    records = [search.history.trials[trial] for trial in search.history.running]
    furthest = max(
        (record for record in records if record.last is not None), key=lambda record: (record.epochs, record.trial), default=None
    )
    if furthest is None or furthest.last is None or furthest.last.score is None:
        return []
    place = f"at epoch {furthest.epochs} of {search.sweep.max_epochs}"
    return [fact("furthest" if label else "", f"{furthest.trial}  {_score(search, furthest.last.score)} {place}")]


def troubles(search: Search) -> dict[tuple[str, int], str]:
    """Return what went wrong, oldest trial first: (trial, which of its troubles) -> one line for people."""
    found = {}
    for record in search.history.trials.values():
        for number, loss in enumerate(record.losses):
            goes_on = "" if record.ended is not None else f", it goes on from epoch {record.checkpoint_epoch}"
            found[record.trial, number] = f"{record.trial} lost its worker: {loss.reason}{goes_on}"
        if record.status in FAILED:
            found[record.trial, len(record.losses)] = f"{record.trial} {record.status.replace('_', ' ')}: {record.reason}"
    return found


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


def _score(search: Search, score: float) -> str:
    metric = search.sweep.objective.metric
    return f"{metric} {score:.1%}" if metric.endswith("accuracy") else f"{metric} {score:.3g}"


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
