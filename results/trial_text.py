"""One trial as people read it: what it is, how it went, what was decided about it and why. Prints nothing."""

import json
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from results.events import seconds
from results.history import History, TrialRecord
from results.leaderboard_text import duration
from results.tables import TextColumn, aligned, shorten
from results.terminal import BOLD, FAINT, Terminal
from results.terminal_plot import plot

WIDTH = 80  # where nobody says how wide the terminal is
LEAST_EPOCHS = 3  # of a curve worth drawing


def lines(history: History, record: TrialRecord, *, rank: int | None, terminal: Terminal, argument: str) -> list[str]:
    """Return the whole answer, a line each.

    Args:
        history: The sweep; only what it says of itself and of this trial is read.
        record: The trial.
        rank: Its place in the leaderboard; None where it has none.
        terminal: What can be shown.
        argument: How the user calls the sweep, for the commands to type next.
    """
    assert history.started is not None
    metric, percent = history.started.metric, history.started.metric.endswith("accuracy")
    parts = [
        [*_head(history, record, rank, percent, terminal)],
        _configuration(record),
        _curve(history, record, metric, percent, terminal),
        _decisions(record, percent),
        _segments(record),
        _remarks(record, terminal),
        _log(record),
        _files(record),
    ]
    said = [line for part in parts if part for line in ["", *_titled(part, terminal)]][1:]
    quoted = shlex.quote(argument)
    following = f"next: shortlist promote {quoted} --trial {record.trial}" if rank is not None else f"next: shortlist leaderboard {quoted}"
    return [*said, "", following]


def as_data(record: TrialRecord, rank: int | None) -> dict[str, Any]:
    """Return everything that is known of a trial, as JSON would have it."""
    return {
        "trial": record.trial,
        "rank": rank,
        "status": record.status,
        "reason": record.reason or None,
        "values": dict(record.values),
        "config": dict(record.config),
        "config_hash": record.config_hash,
        "cost": dict(record.cost),
        "source": record.source,
        "draw": record.draw,
        "rungs": {str(rung): score for rung, score in record.rungs.items()},
        "curve": [
            {
                "epoch": report.epoch,
                "score": report.score,
                "val_accuracy": report.val_accuracy,
                "val_loss": report.val_loss,
                "train_accuracy": report.train_accuracy,
                "train_loss": report.train_loss,
                "lr": report.lr,
                "wall_s": report.wall_s,
            }
            for report in record.curve.values()
        ],
        "decisions": [
            {"epoch": fact.epoch, "rung_epochs": fact.rung_epochs, "score": fact.score, "cutoff": fact.cutoff}
            | {"action": fact.action, "reason": fact.reason, "at": fact.at}
            for fact in record.decisions
        ],
        "segments": [
            {"attempt": launch.attempt, "from_epoch": launch.from_epoch, "until_epoch": launch.until_epoch, "why": launch.why}
            | {"at": launch.at}
            for launch in record.attempts
        ],
        "losses": [{"attempt": loss.attempt, "reason": loss.reason, "at": loss.at} for loss in record.losses],
        "log_tail": list(record.ended.log_tail) if record.ended is not None else [],
        "checkpoint": record.checkpoint,
        "hidden": record.hidden,
        "tags": list(record.tags),
        "notes": [{"at": note.at, "author": note.author, "text": note.text} for note in record.notes],
        "tested": None if record.tested is None else dict(record.tested.metrics),
    }


def value_text(value: Any) -> str:
    """Return a value of a configuration for people."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
        case None:
            return "none"
        case str():
            return value
        case _:
            return json.dumps(value)


def score_text(score: float | None, percent: bool) -> str:
    """Return a score for people; a dash where there is none."""
    if score is None:
        return "-"
    return f"{score * 100:.1f}" if percent else f"{score:.3f}"


def figures(record: TrialRecord) -> Iterator[tuple[str, str]]:
    """Yield what a trial costs and took, name and text."""
    yield "epochs", f"{record.epochs:,}"
    if parameters := record.cost.get("parameters"):
        yield "parameters", f"{parameters:,}"
    if flops := record.cost.get("flops_per_image"):
        yield "MFLOPs/image", f"{flops / 1e6:,.1f}"
    if record.last is not None:
        yield "time", duration(record.wall_s)
        yield "images/s", f"{record.last.images_per_s:,.0f}"
        yield "peak memory", f"{max(report.peak_memory_bytes for report in record.curve.values()) / 2**20:,.0f} MiB"


def _titled(part: list[str], terminal: Terminal) -> list[str]:
    return [terminal.styled(part[0], BOLD), *part[1:]]


def _head(history: History, record: TrialRecord, rank: int | None, percent: bool, terminal: Terminal) -> Iterator[str]:
    assert history.started is not None
    place = "unranked" if rank is None else f"rank {rank}"
    yield f"{history.started.sweep} {record.trial}: {record.status.replace('_', ' ')}, {place}"
    if record.reason:
        yield f"because  {record.reason}"
    unit = " %" if percent else ""
    best = _best(history, record)
    if best is not None and record.last is not None:
        metric = history.started.metric
        yield (
            f"{metric}  {score_text(record.last.score, percent)}{unit} at epoch {record.last.epoch}, best {score_text(best[1], percent)}"
            f"{unit} at epoch {best[0]}"
        )
    where = "" if record.host is None else f", on {record.host} ({record.device})"
    yield terminal.styled(
        ", ".join(f"{text} {name}" for name, text in figures(record) if name not in {"time", "peak memory"}) + where, FAINT
    )


def _best(history: History, record: TrialRecord) -> tuple[int, float] | None:
    assert history.started is not None
    sign = 1 if history.started.mode == "max" else -1
    scored = [(report.epoch, report.score) for report in record.curve.values() if report.score is not None]
    return max(scored, key=lambda item: (sign * item[1], -item[0]), default=None)


def _configuration(record: TrialRecord) -> list[str]:
    if not record.values:
        return []
    width = max(map(len, record.values))
    rows = [f"  {path:<{width}}  {value_text(value)}" for path, value in record.values.items()]
    return [f"searched parameters (proposed by {record.source}, draw {record.draw})", *rows]


def _curve(history: History, record: TrialRecord, metric: str, percent: bool, terminal: Terminal) -> list[str]:
    if len(record.curve) < LEAST_EPOCHS:
        return []
    assert history.started is not None
    values = [None if report.score is None else report.score * (100 if percent else 1) for report in record.curve.values()]
    picture = plot(
        values,
        width=min(terminal.width or WIDTH, 100) - 2,
        marks=[rung for rung in history.started.ladder if rung <= record.epochs],
        unicode=terminal.unicode,
        decimals=1 if percent else 3,
    )
    return [f"{metric}{' in %' if percent else ''} over epochs, rungs dotted", *(f"  {line}" for line in picture)]


def _decisions(record: TrialRecord, percent: bool) -> list[str]:
    if not record.decisions:
        return []
    rows = record.decisions
    columns = [
        TextColumn("epoch", [f"{fact.epoch}" for fact in rows], right=True),
        TextColumn("score", [score_text(fact.score, percent) for fact in rows], right=True),
        TextColumn("cut-off", [score_text(fact.cutoff, percent) for fact in rows], right=True),
        TextColumn("decision", [fact.action for fact in rows]),
        TextColumn("why", [shorten(fact.reason, 60) for fact in rows]),
    ]
    return ["decisions", *(f"  {line}" for line in aligned(columns))]


def _segments(record: TrialRecord) -> list[str]:
    if not record.attempts:
        return []
    lost: Mapping[int, str] = {loss.attempt: loss.reason for loss in record.losses}
    rows = record.attempts
    columns = [
        TextColumn("segment", [f"{launch.attempt}" for launch in rows], right=True),
        TextColumn("epochs", [f"{launch.from_epoch + 1} to {launch.until_epoch}" for launch in rows]),
        TextColumn("why", [launch.why for launch in rows]),
        TextColumn("started", [launch.at[:19].replace("T", " ") for launch in rows]),
        TextColumn("after", [duration(seconds(launch.at) - seconds(rows[0].at)) for launch in rows], right=True),
        TextColumn("lost", [shorten(lost.get(launch.attempt, ""), 40) for launch in rows]),
    ]
    return ["segments (UTC)", *(f"  {line}" for line in aligned([column for column in columns if any(column.cells)]))]


def _remarks(record: TrialRecord, terminal: Terminal) -> list[str]:
    """Return what people have put on it."""
    said = [f"tags  {' '.join(record.tags)}"] if record.tags else []
    said += [f"{note.at[:10]} {note.author}: {' '.join(note.text.split())}" for note in record.notes]
    said += ["hidden from the leaderboard"] if record.hidden else []
    width = (terminal.width or WIDTH) - 4
    return ["remarks", *(f"  {line}" for text in said for line in textwrap.wrap(text, max(width, 40)))] if said else []


def _log(record: TrialRecord) -> list[str]:
    tail = record.ended.log_tail if record.ended is not None else ()
    return ["last lines of its log", *(f"  {line.rstrip()}" for line in tail)] if tail else []


def _files(record: TrialRecord) -> list[str]:
    return ["files", f"  {record.checkpoint}"] if record.checkpoint else []
