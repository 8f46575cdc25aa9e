"""Look at what came out: leaderboard; and what `run` and `promote` show at their end."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli.arguments import Runs, Stored

if TYPE_CHECKING:
    from results.storage import Storage
    from tuner.run import Ending

TOP = 5  # rows shown at the end of a run


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"


def leaderboard(
    sweep: Stored,
    storage: Runs = Path("runs"),
    n: Annotated[int | None, typer.Option("-n", min=0, help="Rows shown; 20 in a table, else all. 0 for all.", metavar="N")] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="table, json, csv or markdown.", metavar="FORMAT")] = Format.table,
) -> None:
    """Show a sweep's trials, best first.

    Ordered by the rung reached, then by the score there; also while it runs. Example: `shortlist leaderboard digits -n 10` or
    `shortlist leaderboard digits -o csv > digits.csv`
    """
    import sys

    from results import leaderboard, leaderboard_text, tables
    from results.storage import find_sweep
    from results.terminal import Terminal

    place = find_sweep(sweep, storage)
    table = leaderboard.read_table(place)
    terminal = Terminal.of(sys.stdout)
    if n is None and output is Format.table and terminal.width is not None:
        n = 20
    shown = table.slice(0, n) if n else table
    match output:
        case Format.json:
            print(tables.json_text(shown), end="")
        case Format.csv:
            print(tables.csv_text(shown), end="")
        case Format.markdown:
            print(tables.markdown(leaderboard_text.text_columns(shown, whole=table)), end="")
        case Format.table:
            print("\n".join(leaderboard_text.lines(table, terminal=terminal, n=n or None, argument=spoken(place, storage))))


def show_top(place: "Storage", ending: "Ending", *, promoted: bool = False) -> None:
    """Print how a search ended, its best trials and, where nothing was promoted yet, what to type next."""
    import sys

    from results import leaderboard, leaderboard_text
    from results.terminal import Terminal

    if ending.wall_s:
        print(f"{ending.slots} worker{'s' if ending.slots != 1 else ''}, busy {ending.busy:.0%} of the time\n")
    table = leaderboard.read_table(place)
    lines = leaderboard_text.lines(table, terminal=Terminal.of(sys.stdout), n=TOP, argument=spoken(place))
    print("\n".join(lines[:-2] if promoted and lines[-1].startswith("next: ") else lines))


def show_final(place: "Storage", metrics: Mapping[str, Any], *, made_now: bool) -> None:
    """Print the figures of a finished model and where it lies."""
    spread = metrics.get("test_accuracy_sd")
    runs = f" (mean of {len(metrics['runs'])} seeds {metrics['test_accuracy_mean']:.1%}, sd {spread:.1%})" if spread is not None else ""
    print(f"\n{metrics['final']}: test accuracy {metrics['test_accuracy']:.1%}{runs}, validation {metrics['val_accuracy']:.1%}")
    print(f"{place.root}/: model.safetensors, model.py, metrics.json" + ("" if made_now else "; was there already, nothing was trained"))


def spoken(place: "Storage", runs: Path = Path("runs")) -> str:
    """Return how a user calls a stored sweep: by its name where it lies in the storage folder, else by its folder."""
    return place.root.name if place.root.parent == runs == Path("runs") else str(place.root)
