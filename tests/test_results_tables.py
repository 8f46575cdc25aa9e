import csv
import io
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from results.tables import TextColumn, aligned, at_the_point, csv_text, figures, fit, json_text, markdown, shorten

TABLE = pa.table({
    "name": ["a, b", None],
    "score": [0.5, math.nan],
    "at": pa.array([datetime(2026, 11, 21, tzinfo=UTC), None], pa.timestamp("ms", tz="UTC")),
})  # fmt: skip


def test_columns_are_aligned_and_lines_end_in_no_blanks() -> None:
    columns = [TextColumn("n", ["1", "100"], right=True), TextColumn("word", ["a", ""])]
    assert aligned(columns) == ["  n  word", "  1  a", "100"]


def test_a_long_table_takes_time_in_proportion_to_its_rows() -> None:
    class Counted(list[str]):
        looks = 0

        def __iter__(self) -> Iterator[str]:
            Counted.looks += 1
            return super().__iter__()

    aligned([TextColumn("n", Counted(["1"] * 1000))])
    assert Counted.looks <= 3


def test_numbers_stand_with_their_points_below_each_other() -> None:
    assert figures([0.5, None, 12.25]) == ["0.5", "", "12.2"]
    assert figures([0.05, 3.0]) == ["0.05", "3   "]
    assert at_the_point(["1.25", "30", ""]) == ["1.25", "30   ", ""]


def test_a_column_with_a_tiny_number_is_in_powers_of_ten_throughout() -> None:
    assert figures([3.2e-05, 0.01, 0.0, None]) == ["3.20e-5", "1.00e-2", "0      ", ""]
    assert figures([math.nan, 0.01]) == ["nan   ", "0.01"]


def test_what_is_spared_most_easily_gives_way_first() -> None:
    columns = [
        TextColumn("rank", ["1"]),
        TextColumn("lr", ["0.1"], spare=1),
        TextColumn("flip", ["yes"], spare=1),
        TextColumn("best", ["9"], spare=2),
    ]
    names = [[column.header for column in part] for part in fit(columns, 13)]
    assert names == [["rank", "lr"], ["flip", "best"]]
    assert [column.header for column in fit(columns, None)[0]] == ["rank", "lr", "flip", "best"]
    assert [column.header for column in fit(columns, 1)[0]] == ["rank"]


@pytest.mark.parametrize("width", range(1, 90))
def test_a_long_reason_is_cut_before_it_goes(width: int) -> None:
    columns = [TextColumn("rank", ["1"]), TextColumn("reason", ["x" * 60], spare=1, longest=80)]
    kept, dropped = fit(columns, width)
    assert all(len(line) <= max(width, 4) for line in aligned(kept))
    assert bool(dropped) == (width < 4 + 2 + 20)


def test_text_is_shortened_to_one_line() -> None:
    assert shorten("one\n  two three", 9) == "one two…"
    assert shorten("short", 5) == "short"


def test_csv_reads_back() -> None:
    assert list(csv.DictReader(io.StringIO(csv_text(TABLE)))) == [
        {"name": "a, b", "score": "0.5", "at": "2026-11-21T00:00:00+00:00"},
        {"name": "", "score": "nan", "at": ""},
    ]


def test_json_is_strict_and_reads_back() -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    assert json.loads(json_text(TABLE), parse_constant=refuse) == [
        {"name": "a, b", "score": 0.5, "at": "2026-11-21T00:00:00+00:00"},
        {"name": None, "score": None, "at": None},
    ]
    assert json.loads(json_text(TABLE.slice(0, 0))) == []


def test_markdown_aligns_numbers_and_escapes_bars() -> None:
    assert markdown([TextColumn("n", [" 1"], right=True), TextColumn("a", ["x|y"])]) == "| n | a |\n| ---: | --- |\n| 1 | x\\|y |\n"
