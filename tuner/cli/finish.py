"""From survivors to finished models: promote."""

from pathlib import Path
from typing import Annotated

import typer

from tuner.cli.arguments import Address, Format, Output, Runs, Stored


def promote(
    sweep: Stored,
    trials: Annotated[list[str] | None, typer.Option("--trial", "-t", help="A trial to promote; may be repeated.", metavar="ID")] = None,
    top: Annotated[
        int | None, typer.Option("--top", "-k", min=1, help="Promote the first K of the leaderboard; 1 by default.", metavar="K")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Length of the final; its schedule is re-derived for it.", metavar="N")
    ] = None,
    seeds: Annotated[list[int] | None, typer.Option("--seed", min=0, help="One run for each; may be repeated.", metavar="SEED")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="Change the recipe: `-s dropout=0.2`. May be repeated.", metavar="PATH=VALUE")
    ] = None,
    storage: Runs = Path("runs"),
    address: Address = "local",
    output: Output = Format.table,
) -> None:
    """Train winners in full, test each once.

    Writes a finished model to `finals/<id>/`. The same promotion twice does nothing.
    Example: `shortlist promote digits --trial t00007 --epochs 30`
    """
    import json

    from results import journal
    from results.history import History
    from results.storage import find_sweep
    from search_spaces import checks
    from search_spaces.errors import SweepError
    from search_spaces.overrides import parse_override
    from search_spaces.sweep import FinalOptions
    from tuner import finals, ray_cluster
    from tuner.cli import review
    from tuner.errors import UsageError
    from tuner.interrupts import Interrupts, leave
    from tuner.progress import display
    from tuner.run import Workplace
    from tuner.session import stored

    if trials and top:
        raise UsageError("--trial and --top exclude each other; name the trials, or take the first K")
    place = find_sweep(sweep, storage)
    loaded = stored(place)
    history = History.of(journal.read(place))
    options = loaded.final or FinalOptions()
    changed = dict(parse_override(text) for text in overrides or ())
    if wrong := checks.override_problems(changed):
        raise SweepError.without_lines(wrong, file="-s")
    options = FinalOptions(
        top=top or options.top,
        epochs=epochs or options.epochs,
        seeds=tuple(seeds) if seeds else options.seeds,
        overrides={**options.overrides, **changed},
    )
    records = finals.choose(history, loaded, trials=trials or (), top=options.top)
    typer.echo(f"{loaded.name}: promoting {', '.join(record.trial for record in records)}", err=True)
    interrupts = Interrupts()
    interrupts.install()
    workplace = Workplace(address, display, interrupts, lambda text: typer.echo(text, err=True))
    with ray_cluster.released():
        try:
            made = finals.promote(loaded, place, history, records, options, resources=loaded.resources, workplace=workplace)
        except KeyboardInterrupt as asked:
            typer.echo(f"{str(asked) or 'interrupted'}; everything so far is kept, the same command goes on", err=True)
            leave()
    if output is Format.json:
        print(json.dumps([{"folder": str(final.storage), **final.metrics} for final in made], indent=2))
        return
    for final in made:
        review.show_final(final.storage, final.metrics, made_now=final.made_now)
