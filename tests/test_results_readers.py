"""Other programs read the two tables, also while a driver replaces them."""

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import recorded
from driven import driving

from results.history import History

duckdb = pytest.importorskip("duckdb")
polars = pytest.importorskip("polars")

# Program -> rows and ranked trials of the leaderboard, rows and highest epoch of the curves.
Reader = Callable[[Path], tuple[int, int, int, int]]


def by_duckdb(folder: Path) -> tuple[int, int, int, int]:
    with duckdb.connect() as connection:
        board = connection.execute(f"select count(*), count(rank) from read_parquet('{folder}/leaderboard.parquet')").fetchone()
        told = connection.execute(f"select count(*), max(epoch) from '{folder}/curves.parquet'").fetchone()
    return (*board, told[0], told[1] or 0)


def by_polars(folder: Path) -> tuple[int, int, int, int]:
    board, told = polars.read_parquet(folder / "leaderboard.parquet"), polars.read_parquet(folder / "curves.parquet")
    return board.height, board["rank"].count(), told.height, told["epoch"].max() or 0


def by_pandas(folder: Path) -> tuple[int, int, int, int]:
    board, told = pd.read_parquet(folder / "leaderboard.parquet"), pd.read_parquet(folder / "curves.parquet")
    return len(board), int(board["rank"].count()), len(told), 0 if told.empty else int(told["epoch"].max())


READERS: list[Reader] = [by_duckdb, by_polars, by_pandas]


@pytest.mark.parametrize("reader", READERS)
def test_each_reads_what_was_written(tmp_path: Path, reader: Reader) -> None:
    events = recorded.sweep()
    recorded.store(tmp_path, events)
    history = History.of(events)
    assert reader(tmp_path) == (16, 13, history.epochs, 18)


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
