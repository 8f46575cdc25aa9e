"""Tables of learning curves: what is read from them, and what is refused."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_up_curves import table_of

from benchmarks.curve_tables import TableError, read
from search_spaces.domains import Choice, LogUniform, Uniform


def rising(num: int, epochs: int = 3) -> list[list[float | None]]:
    return [[trial + epoch / 10 for epoch in range(epochs)] for trial in range(num)]


def test_a_run_has_diverged_from_its_first_score_that_is_not_finite(tmp_path: Path) -> None:
    curves: list[list[float | None]] = [
        [1.0, 2.0, 3.0],
        [5.0, math.nan, 9.0],
        [1.0, None, None],
        [2.0, math.inf, 4.0],
        [2.0, 3.0, 4.0],
        [0.5],
    ]
    table = read(table_of(curves, tmp_path))
    assert table.curves == [[1.0, 2.0, 3.0], [5.0, None, None], [1.0, None, None], [2.0, None, None], [2.0, 3.0, 4.0], [0.5, None, None]]
    assert table.finals.tolist() == [3.0, 3.0, 3.0, 3.0, 4.0, 3.0]
    assert table.top(0.5) == {0, 4}, "who diverged is never among the top, though the worst final score is shared"


def test_the_top_is_those_than_which_fewer_are_better_and_their_ties(tmp_path: Path) -> None:
    curves = rising(200)
    curves[197] = curves[198]
    table = read(table_of(curves, tmp_path))
    assert table.top(0.01) == {197, 198, 199}
    assert len(table.top(0.05)) == 10
    assert read(table_of(rising(30), tmp_path)).top(0.01) == {29}


def test_regret_is_in_units_of_median_to_99th_percentile(tmp_path: Path) -> None:
    table = read(table_of(rising(101), tmp_path))
    assert table.span == pytest.approx(49.0)
    assert table.regret(100) == 0.0
    assert table.regret(51) == pytest.approx(1.0)


def test_the_lowest_seed_of_a_repeated_trial_counts(tmp_path: Path) -> None:
    data = {
        "trial": [0, 0, 0, 0, 1, 1, 2, 2],
        "epoch": [1, 2, 1, 2, 1, 2, 1, 2],
        "seed": [7, 7, 3, 3, 0, 0, 0, 0],
        "score": [0.9, 0.9, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        "config.lr": [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0],
    }
    pq.write_table(pa.table(data), tmp_path / "table.parquet")
    table = read(tmp_path / "table.parquet")
    assert table.curves[0] == [0.1, 0.2]
    assert table.num_repeated == 1


def test_parameters_have_the_range_and_scale_of_their_values(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "lr": [1e-4, 1e-3, 1e-2, 1e-1],
        "momentum": [0.1, 0.4, 0.7, 1.0],
        "optimizer": ["sgd", "adam", None, "sgd"],
        "beta": [None, 0.9, math.nan, None],
        "nothing": [None, None, None, None],
    }
    table = read(table_of(rising(4), tmp_path, **columns))
    domains = {parameter.path: parameter.domain for parameter in table.parameters}
    assert domains["lr"] == LogUniform(1e-4, 1e-1)
    assert domains["momentum"] == Uniform(0.1, 1.0)
    assert isinstance(domains["optimizer"], Choice)
    assert domains["optimizer"].values() == ("adam", "sgd")
    assert set(domains) == {"lr", "momentum", "optimizer", "beta"}
    assert table.values[2] == {"lr": 1e-2, "momentum": 0.7}, "what does not apply is absent"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"epoch": [1], "score": [0.1], "config.lr": [1.0]}, "no column 'trial'; it has epoch, score, config.lr"),
        ({"trial": ["a"], "epoch": [1], "score": [0.1], "config.lr": [1.0]}, "column 'trial' is string, must be a number"),
        ({"trial": [0], "epoch": [1], "score": [0.1]}, "no column begins with 'config.'"),
        ({"trial": [0], "epoch": [0], "score": [0.1], "config.lr": [1.0]}, "the smallest epoch is 0; epochs must be whole numbers from 1"),
        ({"trial": [0, 0], "epoch": [1, 1], "score": [0.1, 0.2], "config.lr": [1.0, 1.0]}, "trial 0 has epoch 1 twice"),
        ({"trial": [0, 0], "epoch": [1, 3], "score": [0.1, 0.2], "config.lr": [1.0, 1.0]}, "the curve of trial 0 has a gap"),
        ({"trial": [0, 1], "epoch": [1, 2], "score": [0.1, 0.2], "config.lr": [1.0, 1.0]}, "the curve of trial 1 has a gap"),
        ({"trial": [0], "epoch": [1], "score": [math.nan], "config.lr": [1.0]}, "no run has a finite score at epoch 1, the last"),
        ({"trial": [0, 1], "epoch": [1, 1], "score": [0.5, 0.5], "config.lr": [1.0, 2.0]}, "regret has no unit"),
        ({"trial": [0, 1], "epoch": [1, 1], "score": [0.5, 0.6], "config.lr": [1.0, math.inf]}, "config.lr has an infinite value"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(tmp_path: Path, data: dict[str, Any], message: str) -> None:
    pq.write_table(pa.table(data), tmp_path / "table.parquet")
    with pytest.raises(TableError) as caught:
        read(tmp_path / "table.parquet")
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "table.parquet"))


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.parquet").write_text("trial,epoch,score\n")
    with pytest.raises(TableError, match="cannot be read as Parquet"):
        read(tmp_path / "table.parquet")
    with pytest.raises(TableError, match="no such file"):
        read(tmp_path / "absent.parquet")
    empty = pa.table({"trial": pa.array([], pa.int32()), "epoch": pa.array([], pa.int32()), "score": pa.array([], pa.float32())})
    pq.write_table(empty.append_column("config.lr", pa.array([], pa.float64())), tmp_path / "table.parquet")
    with pytest.raises(TableError, match="no rows"):
        read(tmp_path / "table.parquet")
