"""Before anything runs: init, validate, plan, schema."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.arguments import Address, Format, Output, Overrides, Runs, SweepFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search_spaces.sweep import Sweep


def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("sweep.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented starter sweep.

    It runs as it is, on digits. Example: `shortlist init my.yaml && shortlist run my.yaml`
    """
    import search_spaces.load
    from tuner.errors import UsageError

    if path.exists() and not force:
        raise UsageError(f"{path} is there already; choose another name or overwrite it with --force")
    starter = Path(search_spaces.load.__file__).with_name("starter.yaml")
    path.write_bytes(starter.read_bytes())
    print(f"wrote {path}; next: shortlist run {path}")


def validate(sweep: SweepFile, overrides: Overrides = None, output: Output = Format.table) -> None:
    """Check a sweep file: every mistake at once.

    Each as file:line:column: path: what was seen, what is required. Example: `shortlist validate search_spaces/digits.yaml`
    """
    import json

    from search_spaces import feasible
    from search_spaces.checks import warnings
    from search_spaces.load import load, places
    from search_spaces.space import Space

    loaded = load(sweep, overrides or ())
    feasible.check_configurations(loaded, position=places(sweep, overrides or ()))
    space = Space.parse(loaded.trial)
    remarks = warnings(loaded)
    if output is Format.json:
        print(json.dumps({"name": loaded.name, "hash": loaded.hash(), "searched": space.searched, "warnings": remarks}, indent=2))
        return
    for remark in remarks:
        typer.secho(f"{sweep}: warning: {remark}", err=True, fg="yellow")
    size = space.size()
    print(f"{sweep}: no mistakes; searches {', '.join(space.searched)} ({'continuous' if size is None else f'{size:,} combinations'})")


def plan(
    sweep: SweepFile,
    overrides: Overrides = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Trials at once; what the file says or the machine holds by default.", metavar="N"),
    ] = None,
    calibrate: Annotated[bool, typer.Option("--calibrate", help="Measure how fast the machine is, for about a minute.")] = False,
    calibrate_seconds: Annotated[float, typer.Option("--calibrate-seconds", min=1.0, help="How long to measure.", metavar="S")] = 60.0,
    price: Annotated[float | None, typer.Option("--price", min=0.0, help="Of an hour of one device, in any currency.", metavar="X")] = None,
    storage: Runs = Path("runs"),
    address: Address = "local",
    output: Output = Format.table,
) -> None:
    """Say what a sweep will do and cost, before it does.

    Architectures, trials at each rung, epochs; with --calibrate, or after an earlier sweep on the same images, hours and money as well.
    Example: `shortlist plan search_spaces/digits.yaml --calibrate --price 2.5`
    """
    import json
    from dataclasses import asdict

    from search_spaces.checks import warnings
    from search_spaces.load import load, places
    from tuner import calibrate as calibration
    from tuner import plan_text, ray_cluster, shipping, slots
    from tuner.plan import likely
    from tuner.plan import plan as expect
    from tuner.run import cost_counter
    from tuner.samplers import transfer

    loaded, code = shipping.packed(load(sweep, overrides or ()), sweep.parent)
    if workers is not None:
        loaded = loaded.model_copy(update={"resources": loaded.resources.model_copy(update={"workers": workers})})
    loaded, remarks = transfer.frozen(loaded, storage)
    if address == "local":
        remarks = [*remarks, *slots.overcommitted(loaded.resources, slots.local_cores())]
    for remark in [*warnings(loaded), *remarks]:
        typer.secho(f"{sweep}: warning: {remark}", err=True, fg="yellow")
    refuse_oversized_batches(loaded, sweep, overrides or ())
    cost = cost_counter(loaded.data)
    at_once = loaded.resources.workers or max(1, slots.local_cores() // loaded.resources.cpus)
    speed = None if calibrate else calibration.remembered(loaded, storage, workers=at_once)
    if calibrate:
        typer.echo(f"{loaded.name}: measuring for about {calibrate_seconds:.0f} s", err=True)
        with ray_cluster.released():
            candidates = likely(loaded, cost, workers=at_once)
            speed, planned = calibration.measured(loaded, candidates, address=address, code=code, total_s=calibrate_seconds)
        at_once = planned.count
    found = expect(loaded, cost, workers=at_once, place=places(sweep, overrides or ()), speed=speed, price=price)
    print(json.dumps(asdict(found), indent=2) if output is Format.json else "\n".join(plan_text.lines(found)))


def refuse_oversized_batches(loaded: "Sweep", sweep: Path, overrides: "Sequence[str]") -> None:
    """Raise where a batch would be larger than the training data; the images are decoded first, if nobody has yet."""
    from search_spaces.batches import oversized
    from search_spaces.load import refusal
    from trainable.data.sizes import num_images

    if problems := oversized(loaded, num_images(loaded.data)[0]):
        raise refusal(sweep, problems, overrides)


def schema() -> None:
    """Print the JSON Schema of the sweep file.

    Editors complete and check with it. Example: `shortlist schema > sweep.schema.json`
    """
    import json

    from search_spaces.schema import json_schema

    print(json.dumps(json_schema(), indent=2))
