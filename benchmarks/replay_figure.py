"""A record of `benchmarks.replay` as a figure: regret against training, one panel for each table, one line for each method.

    python -m benchmarks.replay_figure RECORD.json -o FIGURE.svg

Both scales are logarithmic. A line is the mean over the orders, the band around it its 95 % bootstrap interval. Each product has a hue of
Okabe and Ito's palette for all kinds of colour vision (jfly.uni-koeln.de/color), each of its methods a dash of its own; light or dark
follows what the reader's system prefers. The SVG is plain text without scripts or fonts.

Exit codes: 0 done, 2 the record or an argument is wrong.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks import replay_records
from benchmarks.replay_measures import REGRET_FLOOR
from benchmarks.replay_records import RecordError

OURS = "shortlist-default"

# Product -> its class in the style sheet, and its hue on a light and on a dark ground.
HUES: Mapping[str, tuple[str, str, str]] = {
    "shortlist": ("shortlist", "#0072B2", "#56B4E9"),
    "ray": ("ray", "#D55E00", "#F0803C"),
    "optuna": ("optuna", "#009E73", "#2CC39B"),
    "syne": ("syne", "#B3589A", "#DB93C3"),
    "random": ("random", "#7A828B", "#8F98A3"),
}
DASHES = ("", "7 3", "2 3", "9 3 2 3")  # a product's methods, in the order of the record

WIDTH, MARGIN = 1080, 24
PANEL_HEIGHT, GAP_X, GAP_Y = 250, 66, 88
TICKS_X = (1, 2, 5, 10, 20, 40)
LEGEND_COLUMNS, LEGEND_LINE = 4, 22


def figure(record: Mapping[str, Any]) -> str:
    """Return the record's figure as SVG.

    Args:
        record: A record of `benchmarks.replay` with `regret_curve`.
    """
    tables = record["tables"]
    methods = _drawing_order(record["about"]["methods"])
    columns = min(3, len(tables))
    rows = math.ceil(len(tables) / columns)
    width = (WIDTH - 2 * MARGIN - GAP_X * columns) / columns
    top = 96 + LEGEND_LINE * math.ceil(len(methods) / LEGEND_COLUMNS) + 28
    height = top + rows * (PANEL_HEIGHT + GAP_Y) - 28
    orders, workers = record["about"]["repeats"], record["about"]["num_workers"]
    title = "Regret of the leaderboard's first row, by training spent"
    under = (
        f"{_counted(workers, 'worker')} · mean of {_counted(orders, 'order')} · bands: 95 % bootstrap · "
        "unit: from the table's median to its 99th percentile · lower is better"
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{title}</title>',
        f'<desc id="desc">{escape(under)}. One panel for each of {len(tables)} tables of learning curves.</desc>',
        _style(),
        f'<rect class="ground" width="{WIDTH}" height="{height:g}"/>',
        f'<text class="title" x="{MARGIN}" y="38">{title}</text>',
        f'<text class="faint" x="{MARGIN}" y="62">{escape(under)}</text>',
        *_legend(record, list(record["about"]["methods"]), y=96),
    ]
    for number, (table, figures) in enumerate(tables.items()):
        x = MARGIN + GAP_X - 12 + number % columns * (width + GAP_X)
        y = top + number // columns * (PANEL_HEIGHT + GAP_Y)
        lines += _panel(table, record["about"]["rows"][table], figures, methods, x=x, y=y, width=width)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _drawing_order(methods: Sequence[str]) -> list[str]:
    """Return what is drawn first to last: ours on top."""
    return sorted(methods, key=lambda method: (method == OURS, method.startswith("shortlist"), method == "ray-asha"))


def _product(method: str) -> str:
    product = method.partition("-")[0]
    return product if product in HUES else "random"


def _dash(method: str, methods: Sequence[str]) -> str:
    """Return the dash of a method: the first of its product, ours among ours, is drawn through."""
    alike = [other for other in methods if _product(other) == _product(method)]
    alike.sort(key=lambda other: other != OURS)
    return DASHES[alike.index(method) % len(DASHES)]


def _style() -> str:
    lines = [
        "<style>",
        "  text { font: 13px system-ui, sans-serif; fill: #1b1f24 }",
        "  .title { font-size: 20px; font-weight: 600 }",
        "  .panel { font-size: 14px; font-weight: 600 }",
        "  .faint { fill: #59636e }",
        "  .tick { font-size: 12px; fill: #59636e }",
        "  .ours { font-weight: 600 }",
        "  .ground { fill: #ffffff }",
        "  .grid { stroke: #e4e8ec; stroke-width: 1; fill: none }",
        "  .axis { stroke: #a8b0b8; stroke-width: 1; fill: none }",
        "  .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: butt }",
        "  .line.thick { stroke-width: 3.4; stroke-linecap: round }",
        "  .band { stroke: none; fill-opacity: 0.07 }",
        "  .band.thick { fill-opacity: 0.22 }",
        *(f"  .line.{name} {{ stroke: {light} }} .band.{name} {{ fill: {light} }}" for name, light, _ in HUES.values()),
        "  @media (prefers-color-scheme: dark) {",
        "    text { fill: #e6edf3 }",
        "    .faint, .tick { fill: #9aa4af }",
        "    .ground { fill: #0d1117 }",
        "    .grid { stroke: #232a33 }",
        "    .axis { stroke: #59636e }",
        *(f"    .line.{name} {{ stroke: {dark} }} .band.{name} {{ fill: {dark} }}" for name, _, dark in HUES.values()),
        "  }",
        "</style>",
    ]
    return "\n".join(lines)


def _legend(record: Mapping[str, Any], methods: Sequence[str], *, y: float) -> Iterator[str]:
    """Yield a sample of each line with its name; methods of fewer orders say of how many."""
    orders = record["about"]["repeats"]
    ordered = sorted(methods, key=lambda method: (list(HUES).index(_product(method)), method != OURS))
    step = (WIDTH - 2 * MARGIN) / LEGEND_COLUMNS
    lines = math.ceil(len(ordered) / LEGEND_COLUMNS)
    for number, method in enumerate(ordered):
        x, at = MARGIN + number // lines * step, y + number % lines * LEGEND_LINE
        thick = " thick" if method == OURS else ""
        own = record["about"]["methods"][method]["repeats"]
        name = method if own == orders else f"{method} ({_counted(own, 'order')})"
        dash = _dash(method, methods)
        yield f'<path class="line {_product(method)}{thick}"{_dashed(dash)} d="M{x:g} {at - 4.5:g}h38"/>'
        yield f'<text{" class=" + chr(34) + "ours" + chr(34) if thick else ""} x="{x + 47:g}" y="{at:g}">{escape(name)}</text>'


def _panel(
    table: str,
    size: Sequence[int],
    figures: Mapping[str, Any],
    methods: Sequence[str],
    *,
    x: float,
    y: float,
    width: float,
) -> Iterator[str]:
    """Yield the lines of one table, with their axes."""
    curves = {method: figures[method]["regret_curve"] for method in methods if method in figures}
    ends = [_floored(value) for curve in curves.values() for at in curve.values() for value in (at["mean"], at["low"], at["high"])]
    low, high = math.log10(min(ends)), math.log10(max(ends))
    low, high = low - 0.04 * max(1.0, high - low), high + 0.04 * max(1.0, high - low)
    most = max(int(number) for curve in curves.values() for number in curve)

    def place_x(trainings: float) -> float:
        return x + width * math.log(trainings) / math.log(most)

    def place_y(regret: float) -> float:
        return y + PANEL_HEIGHT * (high - math.log10(_floored(regret))) / (high - low)

    rows, epochs = size
    below = y + PANEL_HEIGHT + 36
    yield f'<text class="panel" x="{x:.1f}" y="{y - 12:.1f}">{escape(table)}</text>'
    yield f'<text class="tick" x="{x + width:.1f}" y="{below:.1f}" text-anchor="end">{rows} curves of {epochs} epochs</text>'
    yield f'<text class="tick" x="{x:.1f}" y="{below:.1f}">full trainings</text>'
    for regret in _ticks_y(low, high):
        at = place_y(regret)
        label = f"≤ {regret:g}" if regret <= REGRET_FLOOR else f"{regret:g}"
        yield f'<path class="grid" d="M{x:.1f} {at:.1f}h{width:.1f}"/>'
        yield f'<text class="tick" x="{x - 7:.1f}" y="{at + 4:.1f}" text-anchor="end">{label}</text>'
    for trainings in TICKS_X:
        if trainings <= most:
            yield f'<path class="grid" d="M{place_x(trainings):.1f} {y:.1f}v{PANEL_HEIGHT}"/>'
            yield (
                f'<text class="tick" x="{place_x(trainings):.1f}" y="{y + PANEL_HEIGHT + 18:.1f}" text-anchor="middle">{trainings}</text>'
            )
    yield f'<path class="axis" d="M{x:.1f} {y:.1f}v{PANEL_HEIGHT}h{width:.1f}"/>'
    for method, curve in curves.items():
        kind = f"{_product(method)}{' thick' if method == OURS else ''}"
        at = sorted(int(number) for number in curve)
        upper = [(place_x(number), place_y(curve[str(number)]["high"])) for number in at]
        lower = [(place_x(number), place_y(curve[str(number)]["low"])) for number in reversed(at)]
        yield f'<path class="band {kind}" d="M{_points([*upper, *lower])}z"/>'
    for method, curve in curves.items():
        kind = f"{_product(method)}{' thick' if method == OURS else ''}"
        means = [(place_x(number), place_y(curve[str(number)]["mean"])) for number in sorted(int(number) for number in curve)]
        dash = _dashed(_dash(method, list(curves)))
        yield f'<path class="line {kind}"{dash} d="M{_points(means)}"><title>{escape(method)}</title></path>'


def _ticks_y(low: float, high: float) -> Iterator[float]:
    """Yield powers of ten; with less than two decades between the ends also twice and five times those."""
    steps = (1, 2, 5) if high - low < 2 else (1,)
    for power in range(math.floor(low), math.ceil(high) + 1):
        yield from (step * 10.0**power for step in steps if low <= math.log10(step * 10.0**power) <= high)


def _floored(regret: float) -> float:
    return max(regret, REGRET_FLOOR)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay_figure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("record", type=Path, metavar="RECORD.json")
    parser.add_argument("-o", dest="output", type=Path, required=True, metavar="FIGURE.svg")
    given = parser.parse_args(arguments)
    try:
        record = replay_records.read(given.record)
        if absent := [name for name, methods in record["tables"].items() if any("regret_curve" not in found for found in methods.values())]:
            raise RecordError(f"{given.record}: no regret_curve for {', '.join(absent)}; an older release wrote it, replay it again")
        given.output.write_text(figure(record))
    except (RecordError, OSError) as error:
        print(f"python -m benchmarks.replay_figure: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
