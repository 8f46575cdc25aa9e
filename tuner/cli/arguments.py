"""Arguments and options that several commands share, so that they mean and look the same everywhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a command prints data."""

    table = "table"
    json = "json"


def _runs(folder: object) -> Path:
    """Return the folder that stands for a storage folder or an `s3://` address on this machine."""
    from results.places import local

    try:
        return local(str(folder))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


SweepFile = Annotated[Path, typer.Argument(help="The sweep file, YAML.", metavar="SWEEP.yaml", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Override one value: `-s scheduler.asha.max_epochs=9`. May be repeated.", metavar="PATH=VALUE"),
]
Output = Annotated[Format, typer.Option("--output", "-o", help="table or json.", metavar="FORMAT")]
Runs = Annotated[
    Path,
    typer.Option(
        "--storage",
        help="Folder of all sweeps, which every node must see, or s3://bucket/prefix.",
        metavar="DIR",
        envvar="SHORTLIST_STORAGE",
        show_envvar=False,
        parser=_runs,
    ),
]
Address = Annotated[
    str,
    typer.Option(
        "--address", help="Where Ray is: local, auto, or host:port.", metavar="ADDRESS", envvar="SHORTLIST_ADDRESS", show_envvar=False
    ),
]
Stored = Annotated[str, typer.Argument(help="Name of a sweep, or its folder.", metavar="SWEEP", show_default=False)]
