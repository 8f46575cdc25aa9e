"""Some trials side by side: first what differs in them, then how they did. Prints nothing."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from results.history import History, TrialRecord
from results.tables import TextColumn, aligned
from results.terminal import BOLD, Terminal
from results.terminal_plot import sparkline
from results.trial_text import figures, score_text, value_text

CURVE_WIDTH = 24


def differing(records: Sequence[TrialRecord]) -> dict[str, list[Any]]:
    """Return path -> value in each trial (None where absent) of the searched parameters and recipe fields that are not the same in all."""
    flat = [_flat(record.config) | dict(record.values) for record in records]
    paths = list(dict.fromkeys(path for content in flat for path in content))
    rows = {path: [content.get(path) for content in flat] for path in paths}
    below = [path for record in records for path in record.values]  # an option's own fields say what its label says
    return {
        path: values
        for path, values in rows.items()
        if any(value != values[0] for value in values) and not any(path.startswith(f"{name}.") and path not in below for name in below)
    }


def lines(
    history: History, records: Sequence[TrialRecord], ranks: Mapping[str, int | None], *, terminal: Terminal, argument: str
) -> list[str]:
    """Return the whole answer, a line each; one column a trial."""
    assert history.started is not None
    percent = history.started.metric.endswith("accuracy")
    unit = " in %" if percent else ""
    rows: list[tuple[str, list[str]]] = [
        (path, ["" if v is None else value_text(v) for v in vs]) for path, vs in differing(records).items()
    ]
    split = len(rows)
    rows.append(("rank", [str(ranks[record.trial] or "-") for record in records]))
    rows.append(("status", [record.status.replace("_", " ") for record in records]))
    for rung in sorted({rung for record in records for rung in record.rungs}):
        rows.append((f"{history.started.metric}{unit} at {rung}", [score_text(_at(record, rung), percent) for record in records]))
    if (common := min(record.epochs for record in records)) and not any(name.endswith(f" at {common}") for name, _ in rows):
        rows.append((f"{history.started.metric}{unit} at {common}", [score_text(_at(record, common), percent) for record in records]))
    told = [dict(figures(record)) for record in records]
    for name in dict.fromkeys(name for each in told for name in each):
        rows.append((name, [each.get(name, "") for each in told]))
    scores = [report.score for record in records for report in record.curve.values() if report.score is not None]
    if scores:
        rows.append(("curve", [_spark(record, min(scores), max(scores), terminal.unicode) for record in records]))
    header, *body = aligned(
        [
            TextColumn("", [name for name, _ in rows]),
            *(TextColumn(record.trial, [cells[i] for _, cells in rows], right=True) for i, record in enumerate(records)),
        ]
    )
    same = f"{history.started.sweep}: {len(records)} trials" + ("" if split else "; their configurations are the same")
    leader = min((r for r in records if ranks[r.trial]), key=lambda record: ranks[record.trial] or 0, default=None)
    following = [] if leader is None else ["", f"next: shortlist show {shlex.quote(argument)} {leader.trial}"]
    return [
        same,
        "",
        terminal.styled(header, BOLD),
        *body[:split],
        *([""] if split else []),
        *body[split:],
        *following,
    ]


def _spark(record: TrialRecord, low: float, high: float, unicode: bool) -> str:
    scores = [report.score for report in record.curve.values()]
    return sparkline(scores, low=low, high=high, width=CURVE_WIDTH, unicode=unicode)


def _at(record: TrialRecord, epoch: int) -> float | None:
    report = record.curve.get(epoch)
    return None if report is None else report.score


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested mapping as dotted paths; lists are values."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
