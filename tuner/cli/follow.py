"""Follow a sweep live: watch."""

from pathlib import Path
from typing import Annotated

import typer

from tuner.cli.arguments import Runs, Stored


def watch(
    sweep: Stored,
    storage: Runs = Path("runs"),
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, as where the output is no terminal.")] = False,
) -> None:
    """Follow a running sweep in the terminal: progress, rungs, leaders, workers, what has just happened.

    From any machine that sees its storage: it only reads files. It ends with the sweep; q leaves before, and disturbs nothing.
    Example: `shortlist watch digits` or `shortlist watch digits --storage s3://bucket/runs`
    """
    import sys
    import time

    from rich.console import Console

    from results import overview_text, watch_terminal
    from results.storage import find_sweep
    from results.terminal import Terminal
    from tuner.cli.review import spoken

    place = find_sweep(sweep, storage)
    console = Console(highlight=False)
    live = console.is_interactive and sys.stdout.isatty() and not plain
    with watch_terminal.keys() as wait:
        view = watch_terminal.Follower(place, console=console, live=live).follow(wait)
    lines = overview_text.lines(view.seen, terminal=Terminal.of(sys.stdout), now=time.time(), argument=spoken(place, storage))
    print("\n".join(lines))
