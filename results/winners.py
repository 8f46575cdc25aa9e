"""Every sweep under a storage folder with its leader and its finals: where the best model is. Prints nothing."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from results import leaderboard, places
from results.derived import About
from results.errors import ResultsError
from results.storage import Storage, stored_sweeps
from results.tables import TextColumn, aligned, fit
from results.terminal import BOLD, FAINT, Terminal
from results.trial_text import score_text

_COLUMNS = ("rank", "trial", "score", "rung_epochs", "parameters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner:
    """The leader of a sweep, or one of its finals.

    Attributes:
        sweep: The sweep's name.
        final: The final's id; None for the leader of the search.
        state: How far the sweep is; `final` for a final.
        trials: Trials of the search.
        metric: The objective.
        trial: The leader; None where nothing is ranked.
        score: The metric at its rung, or of the exported weights; None where nothing is ranked.
        epochs: The leader's rung, or the final's length.
        parameters: Of its network.
        test_accuracy: 0..1; finals only.
        remark: Why nothing can be said; empty where something can.
    """

    sweep: str
    final: str | None = None
    state: str = ""
    trials: int | None = None
    metric: str = ""
    trial: str | None = None
    score: float | None = None
    epochs: int | None = None
    parameters: int | None = None
    test_accuracy: float | None = None
    remark: str = ""


def winners(runs: Path) -> list[Winner]:
    """Return the leaders of all sweeps under a folder, by name, each followed by its finals, the best tested first.

    A sweep that cannot be read is listed with the reason: one damaged file hides nobody else.
    """
    return [winner for name in stored_sweeps(runs) for winner in _of_sweep(Storage(runs / name))]


def lines(found: Sequence[Winner], *, runs: Path, terminal: Terminal) -> list[str]:
    """Return the table for people, a line each."""
    if not found:
        return [f"no sweep under {places.address(runs)}/; start one with: shortlist run SWEEP.yaml"]
    columns = [
        TextColumn("sweep", [winner.sweep if winner.final is None else f"  {winner.final}" for winner in found], longest=40),
        TextColumn("state", [winner.state for winner in found]),
        TextColumn("trials", ["" if winner.trials is None else f"{winner.trials:,}" for winner in found], right=True, spare=2),
        TextColumn("leader", [winner.trial or "" for winner in found]),
        TextColumn("validation", [_score(winner) for winner in found], right=True),
        TextColumn("epochs", ["" if winner.epochs is None else f"{winner.epochs:,}" for winner in found], right=True, spare=1),
        TextColumn("parameters", ["" if winner.parameters is None else f"{winner.parameters:,}" for winner in found], right=True, spare=3),
        TextColumn("test %", ["" if winner.test_accuracy is None else f"{winner.test_accuracy * 100:.1f}" for winner in found], right=True),
        TextColumn("remark", [winner.remark for winner in found], spare=4, longest=80),
    ]
    kept, _ = fit([column for column in columns if any(column.cells)], terminal.width)
    header, *rows = aligned(kept)
    best = max((winner.test_accuracy for winner in found if winner.test_accuracy is not None), default=None)
    styled = [
        terminal.styled(row, BOLD) if best is not None and winner.test_accuracy == best else row
        for row, winner in zip(rows, found, strict=True)
    ]
    return [terminal.styled(header, FAINT), *styled]


def _of_sweep(storage: Storage) -> Iterator[Winner]:
    name = storage.root.name
    try:
        table = leaderboard.read_table(storage, columns=_COLUMNS)
    except (ResultsError, OSError) as error:
        yield Winner(sweep=name, remark=str(error))
        return
    about = About.of(table)
    first = table.slice(0, 1).to_pylist()[0] if table.num_rows else {"rank": None}
    if first["rank"] is None:
        yield Winner(sweep=name, state=about.state, trials=table.num_rows, metric=about.metric, remark="no trial has a rank")
    else:
        yield Winner(
            sweep=name,
            state=about.state,
            trials=table.num_rows,
            metric=about.metric,
            trial=first["trial"],
            score=first["score"],
            epochs=first["rung_epochs"],
            parameters=first["parameters"],
        )
    finals = [_of_final(name, folder) for folder in sorted(storage.root.glob("finals/*")) if (folder / "metrics.json").is_file()]
    yield from sorted(finals, key=lambda winner: (-(winner.test_accuracy or 0.0), winner.final or ""))


def _of_final(sweep: str, folder: Path) -> Winner:
    try:
        metrics = json.loads((folder / "metrics.json").read_bytes())
        return Winner(
            sweep=sweep,
            final=folder.name,
            state="final",
            metric=metrics["chosen_by"],
            trial=folder.name.partition("-")[0],
            score=metrics[metrics["chosen_by"]],
            epochs=metrics["epochs"],
            parameters=metrics["parameters"],
            test_accuracy=metrics["test_accuracy"],
        )
    except (ValueError, KeyError, TypeError, OSError) as error:
        return Winner(sweep=sweep, final=folder.name, state="final", remark=f"{folder / 'metrics.json'} is damaged ({error})")


def _score(winner: Winner) -> str:
    percent = winner.metric.endswith("accuracy")
    return "" if winner.score is None else score_text(winner.score, percent) + (" %" if percent else "")
