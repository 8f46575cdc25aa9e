"""Replayed settings as people read them. Prints nothing."""

from collections.abc import Sequence

from results.leaderboard_text import duration
from results.tables import TextColumn, aligned
from tuner.replay import Replay

MANY_WINNERS = 3  # more than so many names say less than their number


def lines(name: str, rows: Sequence[Replay]) -> list[str]:
    """Return the whole answer, a line each.

    Args:
        name: The sweep's.
        rows: The settings, in the order in which they are shown.
    """
    columns = [
        TextColumn("setting", [row.setting for row in rows]),
        TextColumn("trials", [str(row.trials) for row in rows], right=True),
        TextColumn("epochs", [_range(f"{row.epochs_low:,}", f"{row.epochs_high:,}") for row in rows], right=True),
        TextColumn("device time", [_range(duration(row.device_s_low), duration(row.device_s_high)) for row in rows], right=True),
        TextColumn("wall time", [_range(duration(row.wall_s_low), duration(row.wall_s_high)) for row in rows], right=True),
        TextColumn("in full", [_range(str(row.completed_low), str(row.completed_high)) for row in rows], right=True),
        TextColumn("winner", [_winner(row) for row in rows]),
        TextColumn("unknown", [_unknown(row) for row in rows]),
    ]
    notes = ["Wall time is that of the workers at work: their start, and Ray's, come on top."]
    if any(row.unknown_trials for row in rows):
        notes += [
            "Unknown epochs were never trained. Their scores are taken as the worst, as the best, and at random: the ranges",
            "hold all of these outcomes, which are possible, not all that are. Of several winners the likeliest stands first.",
        ]
    return [f"{name}: other settings, over the curves that it left", "", *aligned(columns), "", *notes]


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _winner(row: Replay) -> str:
    if not row.winners:
        return "nobody reaches a rung"
    names = [winner.trial for winner in row.winners]
    if len(names) == 1:
        return names[0]
    return " or ".join(names) if len(names) <= MANY_WINNERS else f"one of {len(names)}, {names[0]} first of all"


def _unknown(row: Replay) -> str:
    if not row.unknown_trials:
        return ""
    number = len(row.unknown_trials)
    epochs = row.unknown_epochs_high
    return f"{epochs} epoch{'s' if epochs > 1 else ''} of {number} trial{'s' if number > 1 else ''}"
