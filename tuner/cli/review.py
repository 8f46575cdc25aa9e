"""Look at what came out: leaderboard, replay; and what `run` and `promote` show at their end."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli import arguments
from tuner.cli.arguments import Output, Runs, Stored

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
    hidden: Annotated[bool, typer.Option("--all", help="Show hidden trials, too.")] = False,
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
    kept = table if hidden else leaderboard_text.visible(table)
    shown = kept.slice(0, n) if n else kept
    match output:
        case Format.json:
            print(tables.json_text(shown), end="")
        case Format.csv:
            print(tables.csv_text(shown), end="")
        case Format.markdown:
            print(tables.markdown(leaderboard_text.text_columns(shown, whole=table)), end="")
        case Format.table:
            called = spoken(place, storage)
            print("\n".join(leaderboard_text.lines(table, terminal=terminal, n=n or None, argument=called, hidden=hidden)))


def replay(
    sweep: Stored,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            help="A setting: `-s scheduler.asha.eta=2`. May be repeated; a table of settings by default.",
            metavar="PATH=VALUE",
        ),
    ] = None,
    storage: Runs = Path("runs"),
    output: Output = arguments.Format.table,
) -> None:
    """Say what other settings would have cost and found.

    Computed from the curves that there are: nothing is trained, and what cannot be known is said.
    Example: `shortlist replay digits -s scheduler.asha.eta=2 -s resources.workers=8`
    """
    import json
    from dataclasses import asdict

    from results import journal
    from results.events import DriverStarted
    from results.history import History
    from results.storage import find_sweep
    from tuner import replay as replaying
    from tuner import replay_text
    from tuner.session import stored

    place = find_sweep(sweep, storage)
    loaded = stored(place)
    events = list(journal.read(place))
    history = History.of(events)
    slots = [event.slots for event in events if isinstance(event, DriverStarted)] or [1]
    rows = [("as it ran", []), (", ".join(overrides), overrides)] if overrides else replaying.variants(loaded, workers=slots[-1])
    found = []
    for words, changes in rows:
        options = replaying.changed(loaded, changes, num_recorded=len(history.trials))
        workers = (options.resources.workers if options.resources != loaded.resources else None) or slots[-1]
        found.append(replaying.replay(options, history, setting=words, workers=workers))
    print(
        json.dumps([asdict(one) for one in found], indent=2)
        if output is arguments.Format.json
        else "\n".join(replay_text.lines(loaded.name, found))
    )


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
