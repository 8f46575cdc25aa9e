"""On a cluster, as a job: submit, logs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.arguments import Format, Output, Overrides, Runs, Stored
from tuner.cli.attend import author

if TYPE_CHECKING:
    from results.storage import Storage
    from tuner.ray_jobs import JobServer
    from tuner.sending import Parcel

Cluster = Annotated[
    str,
    typer.Option(
        "--address",
        help="The cluster: its dashboard, http://host:8265, or host:port, or auto.",
        metavar="ADDRESS",
        envvar="SHORTLIST_ADDRESS",
        show_envvar=False,
    ),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show the job's log until it ends; exit 0 where it succeeded.")]


def submit(
    sweep: Annotated[str, typer.Argument(help="The sweep file, or a stored sweep to go on with.", metavar="SWEEP", show_default=False)],
    overrides: Overrides = None,
    storage: Runs = Path("runs"),
    address: Cluster = "auto",
    smoke: Annotated[bool, typer.Option("--smoke", help="Try it there at toy size first, as NAME-smoke.")] = False,
    follow: Follow = False,
    output: Output = Format.table,
) -> None:
    """Send a sweep to a cluster, to be run there as a job.

    The storage folder must be one that this machine and every node see under the same path. A sweep that is sent twice is one job; one
    whose job has ended is gone on with. Example: `shortlist submit sweep.yaml --address http://head:8265 --storage /shared/runs`
    """
    if not sweep.endswith((".yaml", ".yml")) or not Path(sweep).is_file():
        from results.storage import find_sweep

        if overrides or smoke:
            from tuner.errors import UsageError

            raise UsageError(
                f"-s and --smoke change a sweep file, and {sweep} is a stored sweep, or no file; name the file, or leave them out"
            )
        send_stored(find_sweep(sweep, storage), address, follow=follow, output=output)
        return
    from results.storage import Storage
    from search_spaces.load import load
    from tuner import shipping
    from tuner.errors import UsageError
    from tuner.sending import Parcel
    from tuner.session import stored
    from tuner.smoke import small
    from tuner.submit import FILE

    file = Path(sweep)
    read = load(file, overrides or ())
    loaded, code = shipping.packed(small(read) if smoke else read, file.parent)
    if loaded.final is not None:
        shipping.refuse_strangers(code)
    place = Storage(storage / loaded.name)
    if place.exists("sweep.json") and (earlier := stored(place).hash()) != loaded.hash():
        raise UsageError(
            f"another sweep named {loaded.name} lies in {place} (hash {earlier}, this file has {loaded.hash()}); "
            f"give this one another name, e.g. -s name={loaded.name}-2"
        )
    # What is relative to this folder here would be relative to another one there.
    changes = [*(overrides or ()), *([f"data.path={loaded.data.path}"] if loaded.data.path is not None else [])]
    arguments = [
        "run",
        FILE,
        "--address",
        "auto",
        "--storage",
        place.address.rpartition("/")[0],
        *(part for one in changes for part in ("-s", one)),
    ]
    arguments += ["--smoke"] if smoke else []
    _send(Parcel(loaded.name, loaded.hash(), file, code, arguments), place, address, follow=follow, output=output)


def logs(
    sweep: Stored,
    storage: Runs = Path("runs"),
    address: Annotated[
        str | None, typer.Option("--address", help="Where the cluster is now, if not where it was.", metavar="ADDRESS", show_default=False)
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines from the end; 0 shows all.", metavar="N")] = 100,
    follow: Follow = False,
) -> None:
    """Show the log of a sweep that was submitted.

    It lies on the cluster and goes with it; what happened to the trials is in the journal. Example: `shortlist logs digits --follow`
    """
    from results.storage import find_sweep
    from tuner import sending
    from tuner.ray_jobs import JobServer

    job = sending.latest(find_sweep(sweep, storage))
    server = JobServer(address or job.address)
    if follow:
        _follow(server, job.job)
        return
    text = server.log(job.job).splitlines()
    print("\n".join(text[-lines:] if lines else text))


def send_stored(place: "Storage", address: str, *, workers: int | None = None, follow: bool = False, output: Format = Format.table) -> None:
    """Send a stored sweep, to be gone on with."""
    from tuner.sending import Parcel
    from tuner.session import stored

    loaded = stored(place)
    arguments = ["resume", place.address, "--address", "auto", *(["--workers", str(workers)] if workers else [])]
    _send(Parcel(loaded.name, loaded.hash(), None, {}, arguments), place, address, follow=follow, output=output)


def _send(parcel: "Parcel", place: "Storage", address: str, *, follow: bool, output: Format) -> None:
    """Send it, say so, and what to type next."""
    import json
    import shlex

    from tuner import sending

    sent = sending.send(parcel, place, address, author())
    job = sent.submitted
    folder = shlex.quote(str(place))
    if sent.open:
        warning = f"warning: {job.address} takes jobs from anyone who reaches it; start its Ray with RAY_AUTH_MODE=token"
        typer.secho(warning, err=True, fg="yellow")
    if output is Format.json:
        print(json.dumps({"job": job.job, "address": job.address, "state": sent.state, "new": sent.new, "sweep": str(place)}, indent=2))
    elif sent.state == "succeeded":
        print(f"{parcel.name} has ended, as job {job.job}: nothing was sent")
        print(f"to add to it: shortlist extend {folder} --trials +10, then shortlist resume {folder}")
        return
    else:
        print(f"{parcel.name} {'was sent to' if sent.new else 'is at'} {job.address} as job {job.job} ({sent.state})")
        for command in ("status", "logs", "stop"):
            print(f"  shortlist {command} {folder}")
    if follow:
        from tuner.ray_jobs import JobServer

        _follow(JobServer(job.address), job.job)


def _follow(server: "JobServer", job: str) -> None:
    """Show a log to its end; leave with an exit code that says how the job ended."""
    import sys

    from tuner.interrupts import INTERRUPTED

    def show(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    server.follow(job, show)
    ended = server.job(job)
    if ended.state == "stopped" or ended.exit_code == INTERRUPTED:
        raise typer.Exit(INTERRUPTED)
    if ended.state != "succeeded":
        raise typer.Exit(ended.exit_code or 1)
