"""Looking after it: doctor, gc."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.arguments import Address, Format, Output, Runs

if TYPE_CHECKING:
    from trainable.config.data import DataConfig
    from tuner.doctor import Check
    from tuner.reclaim import Leftover


def doctor(
    sweep: Annotated[
        Path | None, typer.Argument(help="A sweep file, to look for its data, too.", metavar="[SWEEP.yaml]", show_default=False)
    ] = None,
    storage: Runs = Path("runs"),
    address: Address = "local",
    output: Output = Format.table,
) -> None:
    """Say whether this machine, and the nodes of a cluster, are fit to run a sweep.

    Each line is ok, a warning or an error with its remedy; exit 1 where there is an error.
    Example: `shortlist doctor sweep.yaml --address 10.0.0.1:6379 --storage /shared/runs`
    """
    import json
    from dataclasses import asdict

    from tuner import doctor as examination

    checks = list(_checks(sweep, storage, address))
    if output is Format.json:
        print(json.dumps({"state": examination.worst(checks), "checks": [asdict(check) for check in checks]}, indent=2, ensure_ascii=False))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            print(
                f"{check.state:<8}{check.name:<{width}}  {check.seen}"
                + (f"\n{'':<8}{'':<{width}}  -> {check.remedy}" if check.remedy else "")
            )
    if examination.worst(checks) == "error":
        raise typer.Exit(1)


def gc(
    sweeps: Annotated[list[str] | None, typer.Argument(help="Sweeps; all under --storage without.", metavar="[SWEEP]...")] = None,
    storage: Runs = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be freed.")] = False,
    caches: Annotated[
        float | None,
        typer.Option("--caches", min=0.0, help="Also decoded data sets of this machine not opened for so many days.", metavar="DAYS"),
    ] = None,
    output: Output = Format.table,
) -> None:
    """Free what no sweep needs any more.

    Checkpoints of trials that never go on, and what killed processes have left; never a journal, a final, or the checkpoint of a survivor.
    A sweep that runs is left alone. Example: `shortlist gc --dry-run`
    """
    import json
    import time

    from results.errors import Locked
    from results.storage import Storage, find_sweep, stored_sweeps
    from tuner import reclaim

    named = [find_sweep(sweep, storage) for sweep in sweeps or ()]
    rows: list[dict[str, object]] = []
    for place in named or [Storage(storage / name) for name in stored_sweeps(storage)]:
        if place.exists("journal"):
            try:
                found = reclaim.look(place) if dry_run else reclaim.free(place)
            except Locked as busy:
                if named:
                    raise
                typer.echo(f"left alone: {busy}", err=True)
                continue
            rows += _rows(str(place), found)
    if caches is not None:
        from trainable.data.locations import cache_root

        clear = reclaim.caches if dry_run else reclaim.free_caches
        rows += _rows(str(cache_root()), clear(cache_root(), time.time(), caches))
    total = sum(int(str(row["bytes"])) for row in rows)
    if output is Format.json:
        print(json.dumps({"freed": not dry_run, "bytes": total, "leftovers": rows}, indent=2))
        return
    for row in rows:
        print(f"{_megabytes(int(str(row['bytes']))):>10}  {row['place']}/{row['name']}  {row['reason']}")
    print(f"{_megabytes(total)} {'could be freed' if dry_run else 'freed'}" + ("; free it with: shortlist gc" if dry_run and rows else ""))


def _checks(file: Path | None, runs: Path, address: str) -> "list[Check]":
    """Look at this machine, at its storage and tokens, at the sweep's data, at a cluster's nodes."""
    import time

    from results.storage import Storage
    from search_spaces.load import load
    from tuner import doctor as examination
    from tuner import machine, ray_cluster, storage_probe
    from tuner.doctor import Check

    sweep = load(file, ()) if file is not None else None
    data = sweep.data.path if sweep is not None else None
    place = Storage(runs)
    here = machine.look(None, data, "here")
    checks = [*examination.machine("", here), *examination.storage(place), *examination.own_token()]
    if sweep is not None:
        checks.append(_data_check(sweep.data, here.sees_data))
    if address == "local":
        return checks
    with ray_cluster.released():
        ray_cluster.connect(address, num_cpus=0)
        from tuner import ray_nodes

        asked_at = time.time()
        if all(check.state != "error" for check in checks if check.name == "storage"):
            with storage_probe.token(place) as (name, content):
                visited = ray_nodes.look((place.address, name, content), data)
                answers = sum(storage_probe.answered(place, name, content, node) for node, _ in visited.values())
        else:
            visited, answers = ray_nodes.look(None, data), None
        lent = ray_nodes.num_gpus()
    checks.append(Check("cluster", "ok", f"{address}: {len(visited)} nodes"))
    found = {name: seen for name, (_, seen) in visited.items()}
    told = examination.nodes(found, here, asked_at=asked_at, answered_at=time.time(), answers=answers, num_gpus=lent)
    return [*checks, *told]


def _data_check(data: "DataConfig", missing: str | None) -> "Check":
    from trainable.data.sizes import num_images
    from trainable.errors import DataError
    from tuner.doctor import Check

    if missing is not None:
        return Check("data", "error", missing, "put the data set there, or mend data.path")
    try:
        train, validation = num_images(data)
    except DataError as error:
        return Check("data", "error", str(error), "see the message; shortlist plan reads them, too")
    return Check("data", "ok", f"{data.name}: {train:,} images to train on, {validation:,} held out")


def _rows(place: str, found: "list[Leftover]") -> list[dict[str, object]]:
    return [{"place": place, "name": one.name, "bytes": one.size, "reason": one.reason} for one in found]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
