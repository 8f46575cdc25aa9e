"""From survivors to finished models: confirm, promote."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli.arguments import Address, Format, Output, Runs, Stored
from tuner.cli.last_stage import at_work, check_gates, opened, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.storage import Storage
    from search_spaces.final_options import FinalOptions
    from search_spaces.sweep import Sweep

Trials = Annotated[list[str] | None, typer.Option("--trial", "-t", help="A trial; may be repeated.", metavar="ID")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen and what it would cost; train nothing.")]


def confirm(
    sweep: Stored,
    trials: Trials = None,
    top: Annotated[
        int | None, typer.Option("--top", "-k", min=1, help="The first K of the leaderboard; 3 by default.", metavar="K")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Fresh seeds for each, on average.", metavar="N")] = 3,
    dry_run: DryRun = False,
    storage: Runs = Path("runs"),
    address: Address = "local",
    output: Output = Format.table,
) -> None:
    """Train the leaders again over fresh seeds, in full.

    Says how good they are on average, which is probably the best, and how much of the first row's score was luck. Seeds go where they
    decide something; when the best is clear, no more are spent. Again with more seeds, it goes on.
    Example: `shortlist confirm digits --top 3 --seeds 5`
    """
    import json
    from dataclasses import asdict

    from results import ranking
    from results.leaderboard_text import duration
    from tuner import confirmations, finals, finish_text
    from tuner.cli.attend import author
    from tuner.cli.review import spoken
    from tuner.readiness import refuse_while_running

    if trials and top:
        _refuse_both()
    place, loaded, history = opened(sweep, storage)
    refuse_while_running(place, spoken(place, storage), to="confirm its leaders")
    records = finals.choose(history, loaded, trials=trials or (), top=top or 3)
    first = next(iter(ranking.order(history))).trial
    options = confirmations.confirmation_sweep(loaded, history, records, seeds=seeds, resources=loaded.resources)
    names = ", ".join(record.trial for record in records)
    if dry_run:
        runs = options.search.trials or 0
        epochs = runs * loaded.max_epochs
        work_s = epochs * sum(record.device_s for record in records) / max(1, sum(len(record.curve) for record in records))
        content = {
            "trials": names,
            "runs_at_most": runs,
            "epochs_at_most": epochs,
            "work_s": work_s,
        }
        text = f"{loaded.name}: {names}, at most {runs} runs of {loaded.max_epochs} epochs; "
        text += f"about {duration(work_s)} of work, at their pace in the search; nothing was trained: --dry-run"
        print(json.dumps(content, indent=2) if output is Format.json else text)
        return
    typer.echo(f"{loaded.name}: confirming {names}", err=True)
    outcome = at_work(
        address, lambda workplace: confirmations.confirm(loaded, place, history, records, options, workplace, author=author())
    )
    if output is Format.json:
        print(json.dumps({"confirmation": outcome.id, "runs": outcome.num_runs, "trials": [asdict(row) for row in outcome.rows]}, indent=2))
        return
    print("\n".join(finish_text.confirmation(outcome, metric=loaded.objective.metric, first=first, argument=spoken(place, storage))))


def promote(
    sweep: Stored,
    trials: Trials = None,
    top: Annotated[
        int | None, typer.Option("--top", "-k", min=1, help="Promote the first K of the leaderboard; 1 by default.", metavar="K")
    ] = None,
    pareto: Annotated[
        str | None,
        typer.Option("--pareto", help="Promote the trials that none beats in all of these: score,parameters.", metavar="A,B,..."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Length of the final; its schedule is re-derived for it.", metavar="N")
    ] = None,
    seeds: Annotated[list[int] | None, typer.Option("--seed", min=0, help="One run for each; may be repeated.", metavar="SEED")] = None,
    train_on: Annotated[
        str | None, typer.Option("--train-on", help="train, or all: learn from the validation images, too.", metavar="WHICH")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="Change the recipe: `-s dropout=0.2`. May be repeated.", metavar="PATH=VALUE")
    ] = None,
    dry_run: DryRun = False,
    storage: Runs = Path("runs"),
    address: Address = "local",
    output: Output = Format.table,
) -> None:
    """Train winners in full, test each once.

    Writes a finished model to `finals/<id>/`. The same promotion twice does nothing; one that was interrupted goes on.
    Example: `shortlist promote digits --trial t00007 --epochs 30`
    """
    import json

    from tuner import final_plan, finals, finish_text, gates, lineage
    from tuner.cli import ensemble, review
    from tuner.readiness import refuse_while_running

    if sum(map(bool, (trials, top, pareto))) > 1:
        _refuse_both()
    place, loaded, history = opened(sweep, storage)
    if not trials:
        refuse_while_running(place, review.spoken(place, storage), to="promote its first trials")
    given: dict[str, Any] = {"top": top, "epochs": epochs, "seeds": seeds, "train_on": train_on}
    options = _options(loaded, {name: value for name, value in given.items() if value}, overrides or ())
    names = _undominated(place, pareto) if pareto else trials or ()
    records = finals.choose(history, loaded, trials=names, top=options.top)
    plans = [final_plan.plan(loaded, record, options, loaded.resources) for record in records]
    checks = check_gates(plans, options)
    readings = lineage.readings(place)
    if dry_run:
        made = [finals.place_of(place, plan).exists("metrics.json") for plan in plans]
        if output is Format.json:
            told = [finish_text.as_data(plan, made=there) for plan, there in zip(plans, made, strict=True)]
            print(json.dumps({"finals": told, "gates": gates.as_data(checks), "test_split_readings": len(readings)}, indent=2))
        else:
            print("\n".join(finish_text.dry_run(plans, made, checks, readings)))
        gates.refuse(checks, loaded.name)
        return
    gates.refuse(checks, loaded.name)
    for line in [
        f"{loaded.name}: promoting {', '.join(record.trial for record in records)}",
        *(s for p in plans for s in finish_text.promotion(p)),
    ]:
        typer.echo(line, err=True)
    done = at_work(address, lambda workplace: train(loaded, place, history, records, options, workplace))
    if output is Format.json:
        told = [{"folder": str(final.storage), **final.metrics} for final in done.finals]
        print(json.dumps(told + [ensemble.as_data(made) for made in done.ensembles], indent=2))
    else:
        for final in done.finals:
            review.show_final(final.storage, final.metrics, made_now=final.made_now)
        for made in done.ensembles:
            ensemble.show(made)
        if len(looks := lineage.readings(place)) > max(1, len(readings)):
            print("\n".join(finish_text.looked_at(looks)))
    if done.refused is not None:
        raise done.refused


def _refuse_both() -> None:
    from tuner.errors import UsageError

    raise UsageError("--trial, --top and --pareto exclude each other; name the trials, or take the first K, or those that none beats")


def _options(sweep: "Sweep", given: "dict[str, Any]", overrides: "Sequence[str]") -> "FinalOptions":
    """Return what the sweep file says under `final`, changed by the options of the command."""
    from search_spaces import final_checks
    from search_spaces.errors import SweepError
    from search_spaces.final_options import FinalOptions
    from search_spaces.overrides import parse_override
    from tuner.errors import UsageError

    options = sweep.final or FinalOptions()
    changed = dict(parse_override(text) for text in overrides)
    if wrong := final_checks.override_problems(changed):
        raise SweepError.without_lines(wrong, file="-s")
    if given.get("train_on", "train") not in ("train", "all"):
        raise UsageError(f"--train-on is {given['train_on']}, must be train or all")
    if options.ensemble is not None and given.get("train_on") == "all":
        raise UsageError("--train-on is all, must be train with final.ensemble, which leaves no image to select by")
    if given.get("epochs") and options.stages:
        raise UsageError("--epochs cannot be given beside final.stages, whose lengths are their own; change the sweep file's final.stages")
    return FinalOptions.model_validate({**options.model_dump(), **given, "overrides": {**options.overrides, **changed}})


def _undominated(place: "Storage", columns: str) -> list[str]:
    """Return the trials that none beats in all of these columns, of those that were trained the longest: like with like."""
    import pyarrow.compute as pc

    from results import leaderboard, leaderboard_text, selection

    table = leaderboard_text.visible(leaderboard.read_table(place))
    longest = pc.max(table["rung_epochs"])
    rows = selection.pareto(
        table.filter(pc.equal(table["rung_epochs"], longest)), [name.strip() for name in columns.split(",") if name.strip()]
    )
    return [str(trial) for trial in rows["trial"].to_pylist()]
