"""Look at what came out: leaderboard, show, compare, winners, replay; and what `run` and `promote` show at their end."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli.arguments import Format as Plain
from tuner.cli.arguments import Output, Runs, Stored

if TYPE_CHECKING:
    import pyarrow as pa

    from results.history import History, TrialRecord
    from results.storage import Storage
    from tuner.run import Ending

TOP = 5  # rows shown at the end of a run


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    parquet = "parquet"


def leaderboard(
    sweep: Stored,
    storage: Runs = Path("runs"),
    n: Annotated[int | None, typer.Option("-n", min=0, help="Rows shown; 20 in a table, else all. 0 for all.", metavar="N")] = None,
    at_epoch: Annotated[
        int | None, typer.Option("--at-epoch", min=1, help="Rank by the metric at this epoch: like with like.", metavar="N")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", help="Only trials of which this holds: \"parameters < 2e6 and optimizer == 'sgd'\".", metavar="CONDITION"),
    ] = None,
    pareto: Annotated[
        str | None, typer.Option("--pareto", help="Only trials that none beats in all of these: score,parameters.", metavar="A,B,...")
    ] = None,
    sort: Annotated[str | None, typer.Option("--sort", help="Order by a column; -COLUMN is descending.", metavar="COLUMN")] = None,
    columns: Annotated[str | None, typer.Option("--columns", help="Only these columns of the file.", metavar="A,B,...")] = None,
    hidden: Annotated[bool, typer.Option("--all", help="Show hidden trials, too.")] = False,
    output: Annotated[
        Format, typer.Option("--output", "-o", help="table, json, csv, markdown or parquet.", metavar="FORMAT")
    ] = Format.table,
) -> None:
    """Show a sweep's trials, best first.

    Ordered by the rung reached, then by the score there; also while it runs. Example: `shortlist leaderboard digits -n 10` or
    `shortlist leaderboard digits --pareto score,parameters -o csv > digits.csv`
    """
    import sys

    from results import curves, leaderboard, leaderboard_text, selection, tables
    from results.storage import find_sweep
    from results.terminal import Terminal

    place = find_sweep(sweep, storage)
    whole = leaderboard.read_table(place)
    table = whole if at_epoch is None else selection.at_epoch(whole, curves.read_table(place), at_epoch)
    if where is not None:
        table = selection.where(table, *_condition(where))
    if pareto is not None:
        table = selection.pareto(table, _listed(pareto))
    if sort is not None:
        table = selection.sort(table, sort)
    if whole.num_rows and not table.num_rows and output is Format.table:
        print(f"none of the {whole.num_rows:,} trials fits")
        return
    terminal = Terminal.of(sys.stdout)
    if n is None and output is Format.table and terminal.width is not None:
        n = 20
    kept = table if hidden else leaderboard_text.visible(table)
    shown = kept.slice(0, n) if n else kept
    if columns is not None:
        shown = selection.pick(shown, _listed(columns))
    match output:
        case Format.json:
            print(tables.json_text(shown), end="")
        case Format.csv:
            print(tables.csv_text(shown), end="")
        case Format.parquet:
            _write_parquet(shown)
        case Format.markdown if columns is not None:
            print(tables.markdown(tables.plain_columns(shown)), end="")
        case Format.markdown:
            print(tables.markdown(leaderboard_text.text_columns(shown, whole=whole)), end="")
        case Format.table if columns is not None:
            print("\n".join(tables.aligned(tables.fit(tables.plain_columns(shown), terminal.width)[0])))
        case Format.table:
            tied = _num_tied(kept, place) if table is whole else 1
            lines = leaderboard_text.lines(
                table, terminal=terminal, n=n or None, argument=spoken(place, storage), at_epoch=at_epoch, num_tied=tied, hidden=hidden
            )
            print("\n".join(lines))


def show(
    sweep: Stored,
    trial: Annotated[str, typer.Argument(help="Id of a trial, such as t00007, or 7.", metavar="TRIAL", show_default=False)],
    storage: Runs = Path("runs"),
    output: Output = Plain.table,
) -> None:
    """Show one trial: configuration, curve, decisions, failures, files.

    Example: `shortlist show digits t00007`
    """
    import json
    import sys

    from results import trial_text
    from results.storage import find_sweep
    from results.terminal import Terminal

    place = find_sweep(sweep, storage)
    history, [record], ranks = _told(place, [trial], sweep)
    if output is Plain.json:
        print(json.dumps(trial_text.as_data(record, ranks[record.trial]), indent=2))
        return
    lines = trial_text.lines(history, record, rank=ranks[record.trial], terminal=Terminal.of(sys.stdout), argument=spoken(place, storage))
    print("\n".join(lines))


def compare(
    sweep: Stored,
    trials: Annotated[list[str], typer.Argument(help="Ids of two trials or more.", metavar="TRIAL...", show_default=False)],
    storage: Runs = Path("runs"),
    output: Output = Plain.table,
) -> None:
    """Show trials side by side: what differs first, then how they did.

    Example: `shortlist compare digits t00001 t00007`
    """
    import json
    import sys

    from results import compare as comparing
    from results import trial_text
    from results.storage import find_sweep
    from results.terminal import Terminal
    from tuner.errors import UsageError

    if len(trials) < 2:
        raise UsageError(f"one trial alone cannot be compared; name another, or: shortlist show {sweep} {trials[0]}")
    place = find_sweep(sweep, storage)
    history, records, ranks = _told(place, trials, sweep)
    if output is Plain.json:
        differing = comparing.differing(records)
        print(json.dumps({"differing": differing, "trials": [trial_text.as_data(r, ranks[r.trial]) for r in records]}, indent=2))
        return
    print("\n".join(comparing.lines(history, records, ranks, terminal=Terminal.of(sys.stdout), argument=spoken(place, storage))))


def winners(storage: Runs = Path("runs"), output: Output = Plain.table) -> None:
    """List every sweep under the storage with its leader and its finals.

    Example: `shortlist winners --storage /shared/runs`
    """
    import json
    import sys
    from dataclasses import asdict

    from results import winners as found
    from results.terminal import Terminal

    everyone = found.winners(storage)
    if output is Plain.json:
        print(json.dumps([asdict(winner) for winner in everyone], indent=2))
        return
    print("\n".join(found.lines(everyone, runs=storage, terminal=Terminal.of(sys.stdout))))


def export(
    sweep: Stored,
    to: Annotated[str, typer.Option("--to", help="csv, json, parquet, tensorboard or mlflow.", metavar="FORM", show_default=False)],
    folder: Annotated[
        Path,
        typer.Option("--folder", "-o", help="Where to; the sweep gets a folder of its own in it.", metavar="FOLDER", show_default=False),
    ],
    storage: Runs = Path("runs"),
) -> None:
    """Write a sweep for other tools: CSV, JSON, Parquet, TensorBoard, MLflow.

    As it is now, also while it runs; again replaces what was exported before.
    Example: `shortlist export digits --to tensorboard -o exported`
    """
    from results import exchange
    from results.storage import find_sweep
    from tuner.errors import UsageError

    if to not in list(exchange.Form):
        raise UsageError(f"--to {to}: must be one of {', '.join(exchange.Form)}")
    done = exchange.export(find_sweep(sweep, storage), exchange.Form(to), folder)
    print(f"{'replaced' if done.replaced else 'wrote'} {done.folder}/: {done.trials:,} trials, {done.epochs:,} epochs")
    if done.look:
        print(f"next: {done.look}")


def replay(
    sweep: Stored,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            help="A setting: `-s scheduler.asha.eta=2`. May be repeated; a table of settings by default.",
            metavar="PATH=VALUE",
        ),
    ] = None,
    storage: Runs = Path("runs"),
    output: Output = Plain.table,
) -> None:
    """Say what other settings would have cost and found.

    Computed from the curves that there are: nothing is trained, and what cannot be known is said.
    Example: `shortlist replay digits -s scheduler.asha.eta=2 -s resources.workers=8`
    """
    import json
    from dataclasses import asdict

    from results import journal
    from results.events import DriverStarted
    from results.history import History
    from results.storage import find_sweep
    from tuner import replay as replaying
    from tuner import replay_text, requests
    from tuner.session import stored

    place = find_sweep(sweep, storage)
    events = list(journal.read(place))
    history = History.of(events)
    loaded = requests.as_extended(history, stored(place))
    slots = [event.slots for event in events if isinstance(event, DriverStarted)] or [1]
    rows = [("as it was set", []), (", ".join(overrides), overrides)] if overrides else replaying.variants(loaded, workers=slots[-1])
    found = []
    for words, changes in rows:
        options = replaying.changed(loaded, changes, num_recorded=len(history.trials))
        workers = (options.resources.workers if options.resources != loaded.resources else None) or slots[-1]
        found.append(replaying.replay(options, history, setting=words, workers=workers))
    print(
        json.dumps([asdict(one) for one in found], indent=2) if output is Plain.json else "\n".join(replay_text.lines(loaded.name, found))
    )


def _told(place: "Storage", trials: "Sequence[str]", sweep: str) -> "tuple[History, list[TrialRecord], dict[str, int | None]]":
    """Return what happened to some trials, named by their ids or numbers, their records in that order, and the rank of each.

    Raises:
        UsageError: There is none of that name; the message says how far the ids go.
    """
    from results import leaderboard
    from results.excerpt import excerpt
    from tuner.errors import UsageError

    ids = [f"t{int(trial):05d}" if trial.isdecimal() else trial for trial in trials]
    history = excerpt(place, ids)
    board = leaderboard.read_table(place, columns=["rank", "trial"])
    ranks = dict(zip(board["trial"].to_pylist(), board["rank"].to_pylist(), strict=True))
    if unknown := [named for named, trial in zip(trials, ids, strict=True) if trial not in history.trials]:
        last = max(ranks, key=lambda trial: (len(trial), trial), default="none yet")
        raise UsageError(f"{sweep} has no trial {unknown[0]}, its trials go up to {last}; see: shortlist leaderboard {sweep}")
    return history, [history.trials[trial] for trial in ids], {trial: ranks.get(trial) for trial in ids}


def _condition(text: str) -> tuple[Sequence[str], Callable[[Callable[[str], Any]], bool]]:
    """Return the names that a condition asks for, and the condition, which is given what looks a name up.

    Raises:
        UsageError: It is not understood; the message says at which character.
    """
    from search_spaces import expressions
    from search_spaces.operations import Inapplicable
    from tuner.errors import UsageError

    parsed = expressions.parse(text)
    if isinstance(parsed, expressions.Fault):
        raise UsageError(f"--where {text!r}, character {parsed.column}: {parsed.seen}, {parsed.required}")

    def holds(lookup: Callable[[str], Any]) -> bool:
        try:
            return parsed.value(lookup) is True
        except Inapplicable as error:
            raise UsageError(f"--where {text!r}: {error}") from error

    return parsed.names, holds


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _num_tied(board: "pa.Table", place: "Storage") -> int:
    """Return how many of the first rows chance alone may have ordered."""
    from results import curves
    from results.analysis import noise
    from results.derived import About

    return noise.tied(board, curves.read_table(place, columns=["trial", "epoch", About.of(board).metric]))


def _write_parquet(table: "pa.Table") -> None:
    """Write a table to standard output as Parquet; a terminal is spared the bytes."""
    import sys

    import pyarrow as pa
    import pyarrow.parquet as pq

    from tuner.errors import UsageError

    if sys.stdout.isatty():
        raise UsageError("-o parquet writes bytes, which a terminal cannot show; send them to a file: ... -o parquet > table.parquet")
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    sys.stdout.buffer.write(sink.getvalue())


def show_top(place: "Storage", ending: "Ending", *, promoted: bool = False) -> None:
    """Print how a search ended, its best trials and, where nothing was promoted yet, what to type next."""
    import sys

    from results import leaderboard, leaderboard_text
    from results.terminal import Terminal

    if ending.wall_s:
        workers = f"{ending.slots} worker{'s' if ending.slots != 1 else ''}"
        print(f"{workers}, training {ending.training:.0%} of the time, {ending.training_after_start:.0%} after the start\n")
    table = leaderboard.read_table(place)
    lines = leaderboard_text.lines(table, terminal=Terminal.of(sys.stdout), n=TOP, argument=spoken(place))
    print("\n".join(lines[:-2] if promoted and lines[-1].startswith("next: ") else lines))


def show_final(place: "Storage", metrics: Mapping[str, Any], *, made_now: bool) -> None:
    """Print the figures of a finished model and where it lies."""
    spread = metrics.get("test_accuracy_sd")
    runs = f" (mean of {len(metrics['runs'])} seeds {metrics['test_accuracy_mean']:.1%}, sd {spread:.1%})" if spread is not None else ""
    validated = "validation none" if metrics["val_accuracy"] is None else f"validation {metrics['val_accuracy']:.1%}"
    print(f"\n{metrics['final']}: test accuracy {metrics['test_accuracy']:.1%}{runs}, {validated}")
    print(f"{place}/: model.safetensors, model.py, metrics.json" + ("" if made_now else "; was there already, nothing was trained"))


def spoken(place: "Storage", runs: Path = Path("runs")) -> str:
    """Return how a user calls a stored sweep: by its name where it lies in the storage folder, else by its folder."""
    return place.root.name if place.root.parent == runs == Path("runs") else str(place)
