"""Several finals as one: ensemble."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli.arguments import Address, Format, Output, Runs, Stored
from tuner.cli.finish import DryRun
from tuner.cli.last_stage import at_work, latency_ms, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.storage import Storage
    from search_spaces.final_options import FinalOptions
    from search_spaces.sweep import Sweep
    from tuner.ensembles import Outcome
    from tuner.run import Workplace


def ensemble(
    sweep: Stored,
    max_members: Annotated[
        int | None,
        typer.Option("--max-members", min=2, max=25, help="Most networks; what the sweep file says, or 25, by default.", metavar="N"),
    ] = None,
    dry_run: DryRun = False,
    storage: Runs = Path("runs"),
    address: Address = "local",
    output: Output = Format.table,
) -> None:
    """Put a sweep's finals together: the mean of their probabilities.

    Which of their runs, and with which shares, validation alone selects from all of them; the result is a final of its own, tested once.
    Where no mean is better than the best run alone, that is said and nothing is made. The same call twice does nothing.
    Example: `shortlist ensemble digits --max-members 3`
    """
    import json

    from search_spaces.final_options import EnsembleOptions, FinalOptions
    from tuner import ensemble_pool, ensemble_text, finish_text, lineage
    from tuner.cli import review
    from tuner.readiness import refuse_while_running

    place, loaded, _ = opened(sweep, storage)
    refuse_while_running(place, review.spoken(place, storage), to="put its finals together")
    final = loaded.final or FinalOptions()
    options = final.ensemble or EnsembleOptions()
    if max_members is not None:
        options = EnsembleOptions.model_validate({"max_members": max_members})
    pool = ensemble_pool.offered(place)
    ensemble_pool.require_two(pool, review.spoken(place, storage))
    if dry_run:
        if output is Format.json:
            print(json.dumps({"candidates": ensemble_text.as_data(pool), "left_out": pool.left_out}, indent=2))
        else:
            print(
                "\n".join([*ensemble_text.dry_run(pool, max_members=options.max_members), *finish_text.looked_at(lineage.readings(place))])
            )
        return
    made = at_work(
        address,
        lambda workplace: together(loaded, place, final.model_copy(update={"ensemble": options}), workplace),
    )
    if output is Format.json:
        print(json.dumps(as_data(made), indent=2))
        return
    show(made)
    if made.made_now:
        print("\n".join(finish_text.looked_at(lineage.readings(place))))


def together(
    sweep: "Sweep", place: "Storage", final: "FinalOptions", workplace: "Workplace", finals: "Sequence[str] | None" = None
) -> "Outcome | None":
    """Return what came of the ensemble that `final.ensemble` asks for; None where there is nothing to put together, which is said.

    Args:
        sweep: The sweep.
        place: Its folder.
        final: What is wanted of its finals.
        workplace: Where it runs.
        finals: Names of those to choose from; all that there are by default.
    """
    from results import journal
    from results.history import History
    from tuner import ensemble_pool, ensembles
    from tuner.cli.attend import author

    assert final.ensemble is not None
    pool = ensemble_pool.offered(place, finals)
    if len(pool.candidates) < 2:
        workplace.say(f"one run was trained, so that there is nothing to put together; from all finals: shortlist ensemble {sweep.name}")
        return None
    history = History.of(journal.read(place))
    return ensembles.make(
        sweep, place, history, pool, final.ensemble, final.gates, latency_ms=latency_ms, workplace=workplace, author=author()
    )


def show(made: "Outcome") -> None:
    """Print what came of an ensemble."""
    from tuner import ensemble_text
    from tuner.cli import review

    print("\n" + "\n".join(ensemble_text.selected(made)))
    if made.storage is not None:
        review.show_final(made.storage, made.metrics, made_now=made.made_now)


def as_data(made: "Outcome") -> dict[str, Any]:
    """Return the same as plain data."""
    folder = None if made.storage is None else str(made.storage)
    members = [{"final": one.final, "trial": one.trial, "seed": one.seed, "share": share} for one, share in made.members]
    selection = {"members": members, "left_out": made.pool.left_out, **made.selection["validation"]}
    return {"folder": folder, "selection": selection, **made.metrics}
