"""Start and go on: run, resume."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.arguments import Address, Overrides, Runs, Stored, SweepFile
from tuner.cli.prepare import refuse_oversized_batches

SubmittedAs = Annotated[str | None, typer.Option("--submitted", hidden=True, help="The job that this is.", metavar="JOB")]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from results.storage import Storage
    from search_spaces.errors import Locate
    from search_spaces.sweep import Sweep


def run(
    sweep: SweepFile,
    overrides: Overrides = None,
    storage: Runs = Path("runs"),
    address: Address = "local",
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Try it at toy size first: four trials of a few images and epochs, as NAME-smoke.")
    ] = False,
    submitted: SubmittedAs = None,
) -> None:
    """Search: train candidates, drop the weak ones early.

    Writes the leaderboard while it runs; then trains the finals that the file asks for. A sweep that was interrupted goes on where it
    stood. Example: `shortlist run search_spaces/digits.yaml`
    """
    from results.storage import Storage
    from search_spaces.checks import warnings
    from search_spaces.load import load, places
    from tuner import shipping, slots
    from tuner.samplers import transfer
    from tuner.smoke import small

    read = load(sweep, overrides or ())
    loaded, code = shipping.packed(small(read) if smoke else read, sweep.parent)
    if loaded.final is not None:
        shipping.refuse_strangers(code)
    stored_at = Storage(storage / loaded.name)
    _expect(stored_at, submitted)
    remarks = [] if smoke else warnings(loaded)
    if not stored_at.exists("sweep.json"):  # else what earlier sweeps said lies there, and counts
        loaded, said = transfer.frozen(loaded, storage)
        remarks += said
    if address == "local":
        remarks += slots.overcommitted(loaded.resources, slots.local_cores())
    for remark in remarks:
        typer.secho(f"{sweep}: warning: {remark}", err=True, fg="yellow")
    limits_at = places(sweep, overrides or ())
    _search(
        loaded,
        stored_at,
        source=sweep.read_bytes(),
        code=code,
        limits_at=limits_at,
        address=address,
        check=lambda: refuse_oversized_batches(loaded, sweep, overrides or ()),
    )


def resume(
    sweep: Stored,
    storage: Runs = Path("runs"),
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            help="Where Ray is: local, auto, host:port, or http://host:port for a job; where it was submitted to, or local, by default.",
            metavar="ADDRESS",
            envvar="SHORTLIST_ADDRESS",
            show_envvar=False,
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Trials at once, instead of what the sweep file says.", metavar="N")
    ] = None,
    submitted: SubmittedAs = None,
) -> None:
    """Go on with a sweep that was interrupted.

    Finished trials are not run again, the others continue from their checkpoints. One that was submitted to a cluster goes on there.
    Example: `shortlist resume digits`
    """
    from results.storage import find_sweep
    from tuner import shipping, submit
    from tuner.cli import remote
    from tuner.readiness import refuse_parts
    from tuner.session import stored

    stored_at = find_sweep(sweep, storage)
    refuse_parts(stored_at)
    if address is None:
        jobs = submit.remembered(stored_at)
        address = jobs[-1].address if jobs else "local"
    if address.startswith(("http://", "https://")):
        remote.send_stored(stored_at, address, workers=workers)
        return
    _expect(stored_at, submitted)
    loaded = stored(stored_at)
    if workers is not None:
        loaded = loaded.model_copy(update={"resources": loaded.resources.model_copy(update={"workers": workers})})
    code = shipping.stored(stored_at.root)
    _search(loaded, stored_at, source=None, code=code, limits_at=lambda keys: (str(stored_at.path("sweep.json")), 0, 0), address=address)


def _expect(place: "Storage", submitted: str | None) -> None:
    """As a job: refuse a storage that is not the one the sweep was sent from."""
    from tuner import submit

    if submitted is not None:
        submit.expect(place, submitted)


def _search(
    sweep: "Sweep",
    place: "Storage",
    *,
    source: bytes | None,
    code: "Mapping[str, bytes]",
    limits_at: "Locate",
    address: str,
    check: "Callable[[], None]" = lambda: None,
) -> None:
    """Search to the end, train the finals that the file asks for, show the table and what to type next."""
    from results import journal, ranking
    from results.history import History
    from tuner import finals, ray_cluster
    from tuner import run as running
    from tuner.cli import ensemble, last_stage, review
    from tuner.errors import GateRefused, SweepFailed
    from tuner.interrupts import Interrupts, leave
    from tuner.progress import display

    interrupts = Interrupts()
    interrupts.install()
    workplace = running.Workplace(address, display, interrupts, lambda text: typer.echo(text, err=True))
    typer.echo(f"{sweep.name}: counting networks, starting workers", err=True)
    with ray_cluster.released():
        try:
            check()
            ending = running.search(sweep, place, source=source, code=code, place=limits_at, workplace=workplace)
            history = History.of(journal.read(place))
            done, refused, confirmed = last_stage.Done([], []), None, None
            if sweep.final is not None and any(map(ranking.eligible, history.trials.values())):
                if sweep.final.confirm is not None:
                    confirmed = last_stage.confirm_leaders(sweep, place, history, sweep.final.confirm, workplace)
                    history = History.of(journal.read(place))
                records = finals.choose(history, sweep, trials=(), top=sweep.final.top)
                try:
                    last_stage.announce(sweep, records)
                    done = last_stage.train(sweep, place, history, records, sweep.final, workplace)
                    refused = done.refused
                except GateRefused as error:  # told at the end, below the table
                    refused = error
        except KeyboardInterrupt as asked:
            begun = f"everything so far is kept, go on with: shortlist resume {review.spoken(place)}"
            typer.echo(f"{str(asked) or 'interrupted'}; {begun if place.exists('sweep.json') else 'nothing was started'}", err=True)
            leave()
    if ending.reason == "nothing to do":
        typer.echo(f"{sweep.name} had ended already, nothing was trained")
    review.show_top(place, ending, promoted=bool(done.finals))
    if confirmed is not None:
        print("\n" + "\n".join(confirmed))
    for final in done.finals:
        review.show_final(final.storage, final.metrics, made_now=final.made_now)
    for made in done.ensembles:
        ensemble.show(made)
    if failure := running.failure(history):
        raise SweepFailed(failure)
    if refused is not None:
        raise refused
