"""Pages to look at: report."""

from pathlib import Path
from typing import Annotated

import typer

from tuner.cli.arguments import Runs, Stored

NAME = "report.html"  # in the sweep's folder


def report(
    sweep: Stored,
    storage: Runs = Path("runs"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it; report.html in the sweep's folder by default.", metavar="FILE")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write a sweep as one HTML file that needs no network: findings, table, pictures, a panel per trial.

    Also while it runs. Example: `shortlist report digits -o digits.html`
    """
    import time
    import webbrowser

    from results import report as pages
    from results.storage import Storage, find_sweep

    place = find_sweep(sweep, storage)
    page = pages.render(place, now=time.time()).encode()
    if output is None:
        place.write_atomic(NAME, page)
        written = f"{place}/{NAME}"
    else:
        Storage(output.resolve().parent).write_atomic(output.name, page)
        written = str(output)
    print(f"{written}: {_size(len(page))}")
    if show:
        webbrowser.open((place.path(NAME) if output is None else output).resolve().as_uri())


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e6 else f"{num_bytes / 1e3:.0f} kB"
