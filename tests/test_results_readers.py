"""Other programs read the two tables, also while a driver replaces them.

The files are replaced whole, but DuckDB, Polars and pandas open a path more than once, and a file that is replaced in between fails them.
So while a sweep runs they are handed the file's bytes, read in one go, as docs/operations.md says.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import recorded
from driven import driving

from results.history import History

# Program -> rows and ranked trials of the leaderboard, rows and highest epoch of the curves.
Reader = Callable[[Path], tuple[int, int, int, int]]


def by_duckdb(folder: Path) -> tuple[int, int, int, int]:
    board, told = (arrow(folder / name) for name in NAMES)
    with duckdb.connect() as connection:
        connection.register("board", board)
        connection.register("told", told)
        first = connection.execute("select count(*), count(rank) from board").fetchone()
        return (*first, *connection.execute("select count(*), coalesce(max(epoch), 0) from told").fetchone())


def by_polars(folder: Path) -> tuple[int, int, int, int]:
    board, told = (polars.read_parquet((folder / name).read_bytes()) for name in NAMES)
    return board.height, board["rank"].count(), told.height, told["epoch"].max() or 0


def by_pandas(folder: Path) -> tuple[int, int, int, int]:
    board, told = (pd.read_parquet(io.BytesIO((folder / name).read_bytes())) for name in NAMES)
    return len(board), int(board["rank"].count()), len(told), 0 if told.empty else int(told["epoch"].max())


def arrow(path: Path) -> pa.Table:
    return pq.read_table(pa.BufferReader(path.read_bytes()), use_threads=False)


NAMES = ("leaderboard.parquet", "curves.parquet")
READERS: list[Reader] = [by_duckdb, by_polars, by_pandas]


@pytest.mark.parametrize("reader", READERS)
def test_each_reads_what_was_written(tmp_path: Path, reader: Reader) -> None:
    events = recorded.sweep()
    recorded.store(tmp_path, events)
    history = History.of(events)
    assert reader(tmp_path) == (16, 13, history.epochs, 18)


def test_each_reads_a_path_where_nobody_writes(tmp_path: Path) -> None:
    recorded.store(tmp_path, recorded.sweep())
    path = tmp_path / "leaderboard.parquet"
    with duckdb.connect() as connection:
        assert connection.execute(f"select count(rank) from '{path}'").fetchone() == (13,)
    assert polars.read_parquet(path)["rank"].count() == pd.read_parquet(path)["rank"].count() == 13


def test_duckdb_and_polars_join_the_tables_and_keep_the_types(tmp_path: Path) -> None:
    recorded.store(tmp_path, recorded.sweep())
    with duckdb.connect() as connection:
        found = connection.execute(
            f"""select b.trial, b."config.optimizer", max(c.val_accuracy), b.score from '{tmp_path}/leaderboard.parquet' b
            join '{tmp_path}/curves.parquet' c using (trial) where b.rank = 1 group by all"""
        ).fetchone()
    assert found[0] == "t00007"
    assert found[2] == found[3]
    board = polars.read_parquet(tmp_path / "leaderboard.parquet")
    assert board.schema["rank"] == polars.Int64
    assert board.schema["config.lr"] == polars.Float64
    assert board.schema["hidden"] == polars.Boolean
    assert board.schema["started_at"] == polars.Datetime("ms", "UTC")
    assert board.filter(polars.col("rank").is_null())["score"].null_count() == 3


@pytest.mark.slow
def test_no_reader_sees_a_half_written_file_while_a_driver_writes(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "busy"
    seen: dict[str, list[tuple[int, int, int, int]]] = {reader.__name__: [] for reader in READERS}
    with driving(folder, "--trials", "300", "--epoch-s", "0.04") as driver:
        until = time.monotonic() + 8
        while time.monotonic() < until and driver.poll() is None:
            for reader in READERS:
                seen[reader.__name__].append(reader(folder))
    for name, told in seen.items():
        assert len(told) >= 5, name
        assert len({rows for rows, *_ in told}) > 1, f"{name} never saw the sweep grow"
        epochs = [rows for _, _, rows, _ in told]
        assert epochs == sorted(epochs), "a later read never sees less"
