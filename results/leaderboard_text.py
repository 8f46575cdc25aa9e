"""The leaderboard as people read it: few columns, the parameters in which trials differ, and what to do next. Prints nothing."""

import shlex
import textwrap
from collections import Counter
from typing import Any

import pyarrow as pa

from results.derived import About
from results.history import STATUSES
from results.tables import TextColumn, aligned, figures, fit
from results.terminal import BOLD, FAINT, Terminal

# Statuses whose reason a reader wants to know.
_UNHAPPY = frozenset({"diverged", "out_of_memory", "failed"})
_LONGEST_REASON = 80
_FEW_PARAMETERS = 6  # names listed of what gave way, before a number says it


def visible(table: pa.Table) -> pa.Table:
    """Return the rows that nobody has hidden."""
    if "hidden" not in table.column_names or not any(table["hidden"].to_pylist()):  # an older release wrote no such column
        return table
    import pyarrow.compute as pc  # 0.1 s, and mostly nothing is hidden

    return table.filter(pc.invert(table["hidden"]))


def lines(
    table: pa.Table,
    *,
    terminal: Terminal,
    n: int | None = None,
    argument: str = "",
    at_epoch: int | None = None,
    num_tied: int = 1,
    hidden: bool = False,
) -> list[str]:
    """Return the whole answer, a line each.

    Args:
        table: What `leaderboard.read_table` gave.
        terminal: What can be shown.
        n: Rows at most; None for all.
        argument: How the user calls the sweep, for the command to type next; its name by default.
        at_epoch: The epoch at which trials are compared; None where each stands at its own rung.
        num_tied: How many of the first rows are within noise of each other.
        hidden: Whether rows that a person has hidden are shown.
    """
    about = About.of(table)
    argument = argument or about.sweep
    kept = table if hidden else visible(table)
    shown = kept if n is None else kept.slice(0, n)
    if not table.num_rows:
        return [_headline(table, about), "no trial yet"]
    if not shown.num_rows:
        return [_headline(table, about), f"every trial is hidden: shortlist leaderboard {shlex.quote(argument)} --all"]
    columns, dropped = fit(text_columns(shown, whole=table, unicode=terminal.unicode), terminal.width)
    header, *rows = aligned(columns)
    ranks = shown["rank"].to_pylist()
    styled = [terminal.styled(row, _style(rank)) if _style(rank) else row for row, rank in zip(rows, ranks, strict=True)]
    said = [*_luck(kept, about), *_ties(num_tied, about), *_rest(table, kept, shown, dropped, argument)]
    rest = [terminal.styled(line, FAINT) for text in said for line in _wrapped(text, terminal)]
    step = next_command(table, argument)
    return [
        *_wrapped(_headline(table, about), terminal),
        *_wrapped(_explanation(about, at_epoch), terminal),
        "",
        terminal.styled(header, FAINT),
        *styled,
        *(["", *rest] if rest else []),
        *(["", f"next: {step}"] if step else []),
    ]


def text_columns(shown: pa.Table, *, whole: pa.Table, unicode: bool = True) -> list[TextColumn]:
    """Return the columns for people of some rows; which parameters differ is judged by all rows."""
    about = About.of(whole)
    percent = about.metric.endswith("accuracy")
    unit = " %" if percent else ""

    def scores(name: str) -> list[str]:
        return [_score(value, percent) for value in shown[name].to_pylist()]

    rungs = shown["rung_epochs"].to_pylist()
    statuses = [status.replace("_", " ") for status in shown["status"].to_pylist()]
    columns = [
        TextColumn("rank", [_text(rank) for rank in shown["rank"].to_pylist()], right=True),
        TextColumn("trial", shown["trial"].to_pylist()),
        TextColumn(f"score{unit}", scores("score"), right=True),
        TextColumn(f"best{unit}", scores("best_score"), right=True, spare=3),
        *_confirmed_columns(shown, percent),
        TextColumn("rung", [_rung(rung, about, unicode) for rung in rungs]),
        TextColumn("epochs", [_text(epochs) for epochs in shown["epochs"].to_pylist()], right=True, spare=4),
        TextColumn("parameters", [_text(count) for count in shown["parameters"].to_pylist()], right=True, spare=2),
        TextColumn("status", statuses),
        *_config_columns(shown, whole),
        *_remarks(shown),
    ]
    reasons = [
        " ".join((reason or "").split()) if status in _UNHAPPY else ""
        for reason, status in zip(shown["reason"].to_pylist(), shown["status"].to_pylist(), strict=True)
    ]
    if any(reasons):
        columns.append(TextColumn("reason", reasons, spare=5, longest=_LONGEST_REASON))
    return [column for column in columns if any(column.cells)]


def next_command(table: pa.Table, argument: str) -> str:
    """Return the command that a reader is likely to type next; empty where there is none (a running sweep is left alone)."""
    about = About.of(table)
    if about.state in ("interrupted", "stopped", "extended", "failed", "new"):
        return f"shortlist resume {shlex.quote(argument)}"
    shown = visible(table)
    if about.state == "running" or not shown.num_rows or shown["rank"][0].as_py() is None:
        return ""
    return f"shortlist promote {shlex.quote(argument)} --trial {_leader(shown, about)}"


def duration(seconds: float) -> str:
    """Return a time as people say it: `48s`, `1m 20s`, `3h 05m`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"


def _headline(table: pa.Table, about: About) -> str:
    seen = Counter(table["status"].to_pylist())
    counts = ", ".join(f"{seen[status]} {status.replace('_', ' ')}" for status in STATUSES if seen[status])
    asked = f"{table.num_rows} of {about.num_trials}" if table.num_rows < about.num_trials else f"{table.num_rows}"
    return f"{about.sweep}: {about.state}, {asked} trial{'s' if asked != '1' else ''}" + (f" ({counts})" if counts else "")


def _explanation(about: About, at_epoch: int | None) -> str:
    unit = " in %" if about.metric.endswith("accuracy") else ""
    better = "higher" if about.mode == "max" else "lower"
    order = "by rung reached, then by score there" if at_epoch is None else f"all at epoch {at_epoch}"
    return f"{about.metric}{unit}, {better} is better; {order}"


def _ties(num_tied: int, about: About) -> list[str]:
    if num_tied < 2:
        return []
    return [f"the first {num_tied} are within noise of each other: {about.metric} moves as much between neighbouring epochs"]


def _rest(table: pa.Table, kept: pa.Table, shown: pa.Table, dropped: list[TextColumn], argument: str) -> list[str]:
    """Return what the table does not show, in words."""
    said = []
    same = [(name, values) for name in _config_names(table) if table.num_rows > 1 and len(values := set(table[name].to_pylist())) == 1]
    if same:
        said.append("in all trials: " + ", ".join(f"{_short(name, table)} {_constant(values)}" for name, values in same))
    if kept.num_rows > shown.num_rows:
        more = kept.num_rows - shown.num_rows
        said.append(f"{more:,} more row{'s' if more > 1 else ''}: shortlist leaderboard {shlex.quote(argument)} -n 0")
    if table.num_rows > kept.num_rows:
        number = table.num_rows - kept.num_rows
        said.append(f"{number:,} hidden: shortlist leaderboard {shlex.quote(argument)} --all")
    if dropped:
        names = [column.header.removesuffix(" %") for column in dropped]
        listed = ", ".join(names) if len(names) <= _FEW_PARAMETERS else f"{len(names)} columns"
        said.append(f"left out at this width: {listed}")
    return said


def _confirmed_columns(shown: pa.Table, percent: bool) -> list[TextColumn]:
    """Return what the trials came to over fresh seeds, where they have been confirmed."""
    if "confirmed_score" not in shown.column_names:  # an older release wrote no such column
        return []
    names = ("confirmed_score", "confirmed_low", "confirmed_seeds", "p_best")
    rows = list(zip(*(shown[name].to_pylist() for name in names), strict=True))

    def cell(mean: float | None, low: float | None, seeds: int | None) -> str:
        if mean is None:
            return ""
        around = "" if low is None else f" ±{_score(mean - low, percent)}"
        return f"{_score(mean, percent)}{around} ({seeds})"

    return [
        TextColumn(f"confirmed{' %' if percent else ''}", [cell(mean, low, seeds) for mean, low, seeds, _ in rows], right=True),
        TextColumn("best with", ["" if share is None else f"{share:.0%}" for *_, share in rows], right=True, spare=2),
    ]


def _luck(kept: pa.Table, about: About) -> list[str]:
    """Return how much of the first row's score was luck, where fresh seeds have told."""
    if "rung_mean" not in kept.column_names or (there := kept["rung_mean"][0].as_py()) is None:
        return []
    score, trial, seeds = kept["score"][0].as_py(), kept["trial"][0].as_py(), kept["confirmed_seeds"][0].as_py()
    percent = about.metric.endswith("accuracy")
    luck = f"{(score - there) * 100:+.1f} points" if percent else f"{score - there:+.4f}"
    said = [f"{trial} has {_score(score, percent)}; {seeds} fresh seeds give {_score(there, percent)} there: {luck} of it was luck"]
    if (leader := _leader(kept, about)) != trial:
        said.append(f"fresh seeds prefer {leader}: of the first rows, the best confirmed one is promoted")
    return said


def _leader(shown: pa.Table, about: About) -> str:
    """Return the trial that would be promoted: of the first rows, as far as one confirmation has seen them, the best mean."""
    trials = shown["trial"].to_pylist()
    if "confirmation" not in shown.column_names:
        return str(trials[0])
    sign = 1 if about.mode == "max" else -1
    best, named = 0, shown["confirmation"][0].as_py()
    means = shown["confirmed_score"].to_pylist()
    for row, other in enumerate(shown["confirmation"].to_pylist()):
        if named is None or other != named or means[row] is None:
            break
        best = row if sign * means[row] > sign * means[best] else best
    return str(trials[best])


def _remarks(shown: pa.Table) -> list[TextColumn]:
    """Return what people have put on the trials, where they have."""
    known = [name for name in ("tags", "notes") if name in shown.column_names]
    columns = [TextColumn(name, [" ".join((text or "").split()) for text in shown[name].to_pylist()], spare=4) for name in known]
    if "hidden" in shown.column_names:
        columns.append(TextColumn("hidden", ["hidden" if hidden else "" for hidden in shown["hidden"].to_pylist()], spare=4))
    return columns


def _config_columns(shown: pa.Table, whole: pa.Table) -> list[TextColumn]:
    names = [name for name in _config_names(whole) if whole.num_rows == 1 or len(set(whole[name].to_pylist())) > 1]
    return [_config_column(_short(name, whole), shown[name]) for name in names]


def _config_column(header: str, values: pa.ChunkedArray) -> TextColumn:
    if pa.types.is_floating(values.type):
        return TextColumn(header, figures(values.to_pylist()), right=True, spare=1)
    return TextColumn(header, [_text(value) for value in values.to_pylist()], right=pa.types.is_integer(values.type), spare=1)


def _config_names(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if name.startswith("config.")]


def _short(name: str, table: pa.Table) -> str:
    """Return the shortest ending of a parameter's path that means no other one."""
    paths = [other.removeprefix("config.").split(".") for other in _config_names(table)]
    path = name.removeprefix("config.").split(".")
    for length in range(1, len(path)):
        if sum(other[-length:] == path[-length:] for other in paths) == 1:
            return ".".join(path[-length:])
    return ".".join(path)


def _constant(values: set[Any]) -> str:
    value = next(iter(values))
    return f"{value:.3g}" if isinstance(value, float) else _text(value) or "none"


def _rung(rung_epochs: int | None, about: About, unicode: bool) -> str:
    """Return the rungs as dots, filled up to the one reached, and its epochs."""
    if rung_epochs is None:
        return ""
    filled, empty = "●○" if unicode else "*-"
    steps = [*about.ladder, about.max_epochs]
    dots = "".join(filled if rung <= rung_epochs else empty for rung in steps)
    return f"{dots} {rung_epochs:>{len(str(about.max_epochs))}}"


def _score(value: float | None, percent: bool) -> str:
    if value is None:
        return ""
    return f"{value * 100:.1f}" if percent else f"{value:.3f}"


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _style(rank: int | None) -> str:
    return {None: FAINT, 1: BOLD}.get(rank, "")


def _wrapped(text: str, terminal: Terminal) -> list[str]:
    return [text] if terminal.width is None else textwrap.wrap(text, max(terminal.width, 40), break_long_words=False)
