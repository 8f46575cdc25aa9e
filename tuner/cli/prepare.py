"""Before anything runs: init, validate, plan, schema."""

from pathlib import Path
from typing import Annotated

import typer

from tuner.cli.arguments import Format, Output, Overrides, Runs, SweepFile


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
    workers: Annotated[int, typer.Option("--workers", min=1, help="Trials at once to reckon with.", metavar="N")] = 2,
    storage: Runs = Path("runs"),
    output: Output = Format.table,
) -> None:
    """Say what a sweep will do, before it costs anything.

    Architectures with their parameters, rungs, expected epochs. Example: `shortlist plan search_spaces/resnet_combinations.yaml`
    """
    import json
    from dataclasses import asdict

    from search_spaces.checks import warnings
    from search_spaces.load import load, places
    from tuner import shipping
    from tuner.plan import plan as expect
    from tuner.run import cost_counter
    from tuner.samplers import transfer

    loaded, _ = shipping.packed(load(sweep, overrides or ()), sweep.parent)
    loaded, remarks = transfer.frozen(loaded, storage)
    limits_at = places(sweep, overrides or ())
    found = expect(loaded, cost_counter(loaded.data), workers=loaded.resources.workers or workers, place=limits_at)
    if output is Format.json:
        print(json.dumps(asdict(found), indent=2))
        return
    for remark in [*warnings(loaded), *remarks]:
        typer.secho(f"{sweep}: warning: {remark}", err=True, fg="yellow")
    print(f"{loaded.name}: {found.trials} trials, at most {found.max_epochs} epochs each")
    print(f"rungs at epochs  {', '.join(map(str, found.ladder)) or 'none'}")
    saved = 1 - found.epochs_mean / found.epochs_in_full
    print(
        f"epochs expected  {found.epochs_mean:,.0f} ({found.epochs_low:,} to {found.epochs_high:,} over simulated orders of scores), "
        f"{saved:.0%} less than the {found.epochs_in_full:,} of training everything"
    )
    size = "continuous" if found.combinations is None else f"{found.combinations:,} combinations"
    print(f"space            {size}, {100 * found.feasible:.3g}% of candidates fit the constraints")
    print()
    width = max(map(len, found.architectures))
    print(f"{'architecture':<{width}}  {'parameters':>12}  {'MFLOPs/image':>12}  {'activations/image':>17}")
    for name, cost in found.architectures.items():
        memory = f"{cost.activation_bytes_per_image / 2**20:.2f} MiB"
        print(f"{name:<{width}}  {cost.parameters:>12,}  {cost.flops_per_image / 1e6:>12,.1f}  {memory:>17}")


def schema() -> None:
    """Print the JSON Schema of the sweep file.

    Editors complete and check with it. Example: `shortlist schema > sweep.schema.json`
    """
    import json

    from search_spaces.schema import json_schema

    print(json.dumps(json_schema(), indent=2))
