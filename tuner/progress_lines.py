"""A search in progress as lines of text: bars, counts, the leader, what went wrong. Pure: no clock, no terminal."""

from rich.text import Text

from results import ranking
from results.bars import DONE, FAILED, bar, fact
from results.history import TrialRecord
from results.leaderboard_text import duration
from tuner.search import Search


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


def _score(search: Search, score: float) -> str:
    metric = search.sweep.objective.metric
    return f"{metric} {score:.1%}" if metric.endswith("accuracy") else f"{metric} {score:.3g}"


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
