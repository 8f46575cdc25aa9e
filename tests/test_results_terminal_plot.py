"""Curves in characters."""

import math

from hypothesis import given
from hypothesis import strategies as st

from results.terminal_plot import plot, sparkline


def test_rising_curve_goes_from_the_bottom_left_to_the_top_right() -> None:
    lines = plot([0.0, 1.0, 2.0, 3.0], width=14, height=4, unicode=False)
    assert lines[0].startswith("3.0 |")
    assert lines[3].startswith("0.0 |*")
    assert lines[0].endswith("*")
    assert lines[4].split() == ["1", "4"]
    heights = [min(row for row in range(4) if line_has(lines[row], column)) for column in range(9)]
    assert heights == sorted(heights, reverse=True)


def line_has(line: str, column: int) -> bool:
    text = line.partition("|")[2]
    return column < len(text) and text[column] != " "


def test_rungs_are_dotted_lines_with_their_epoch() -> None:
    lines = plot([50.0] * 27, width=60, height=5, marks=(3, 9), unicode=False)
    assert lines[-1].split() == ["1", "3", "9", "27"]
    assert sum(line.count("*") for line in lines) >= 53 + 2 * 2


def test_gaps_stay_gaps() -> None:
    whole = plot([1.0, 2.0, 3.0, 4.0, 5.0], width=30, unicode=False)
    gappy = plot([1.0, None, math.nan, 4.0, 5.0], width=30, unicode=False)
    assert "".join(gappy).count("*") < "".join(whole).count("*")
    assert plot([None, math.inf], width=30) == ["no finite value yet"]


@given(
    st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=80),
    st.integers(1, 120),
    st.integers(1, 20),
    st.booleans(),
)
def test_picture_keeps_to_its_size(values: list[float | None], width: int, height: int, unicode: bool) -> None:
    lines = plot(values, width=width, height=height, unicode=unicode, marks=(1, 3, 500))
    assert len(lines) == 1 or len(lines) == max(2, height) + 1
    longest_label = max(len(line.split("│" if unicode else "|")[0]) for line in lines[:-1]) if len(lines) > 1 else 0
    assert all(len(line) <= max(width, longest_label + 9) + 3 for line in lines[:-1])
    assert unicode or all(line.isascii() for line in lines)


def test_sparkline_shows_where_values_lie_between_two_bounds() -> None:
    assert sparkline([0.0, 0.5, 1.0], low=0, high=1, width=10) == "▁▅█"
    assert sparkline([0.0, 0.5, None, 1.0], low=0, high=1, width=10, unicode=False) == "_= #"
    assert len(sparkline([float(n) for n in range(100)], low=0, high=99, width=20)) == 20
    assert sparkline([0.3, 0.3], low=0.3, high=0.3, width=4) == "▅▅"
