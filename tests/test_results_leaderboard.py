import os
import random
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from results import leaderboard
from results.columns import COLUMNS, config_columns
from results.derived import METADATA, About
from results.errors import NewerFormat, NotASweep, Unreadable
from results.events import Event
from results.history import History
from results.lock import SweepLock
from results.storage import Storage

# fmt: off
DESIGN = [
    "rank", "trial", "config_hash", "status", "reason", "rung_epochs", "score", "best_score", "best_epoch", "last_score", "val_accuracy",
    "val_loss", "train_accuracy", "train_loss", "epochs", "parameters", "flops_per_image", "wall_s", "device_s", "images_per_s",
    "peak_memory_bytes", "host", "device", "seed", "started_at", "ended_at", "checkpoint",
    "confirmation", "confirmed_score", "confirmed_low", "confirmed_high", "confirmed_seeds", "p_best", "rung_mean",
    "hidden",
    "tags",
    "notes",
]
# fmt: on


def interleaved(seed: int) -> list[Event]:
    """Return the sweep with its trials' events in another order; each trial's own order stays."""
    rng = random.Random(seed)
    streams = [list(stream) for stream in recorded.trials().values()]
    merged: list[Event] = []
    while streams:
        stream = rng.choice(streams)
        merged.append(stream.pop(0))
        streams = [stream for stream in streams if stream]
    return [recorded.started(), recorded.driver(), *merged, recorded.stopped()]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_the_table_is_the_same_whatever_order_the_trials_ended_in(seed: int) -> None:
    expected = leaderboard.derive(History.of(recorded.sweep()))
    assert leaderboard.derive(History.of(interleaved(seed))).equals(expected, check_metadata=True)


def test_the_columns_are_those_of_the_design_in_its_order_then_one_per_parameter() -> None:
    table = leaderboard.derive(History.of(recorded.sweep()))
    assert table.column_names == [*DESIGN, *(f"config.{path}" for path in recorded.PARAMETERS)]
    assert [column.name for column in COLUMNS] == DESIGN


def test_every_column_says_what_it_means_and_every_key_of_the_footer_is_documented() -> None:
    schema = leaderboard.derive(History.of(recorded.sweep())).schema
    assert all(field.metadata[b"meaning"].endswith(b".") for field in schema)
    assert {key.decode() for key in schema.metadata} == set(METADATA)
    assert schema.field("wall_s").metadata[b"unit"] == b"s"


def test_pandas_reads_one_row_per_trial_failed_ones_too(tmp_path: Path) -> None:
    recorded.store(tmp_path, recorded.sweep())
    df = pd.read_parquet(tmp_path / "leaderboard.parquet")
    assert len(df) == 16
    assert df["rank"].tolist()[:13] == list(range(1, 14))
    assert df["rank"].isna().sum() == 3
    winner = df.iloc[0]
    assert (winner["trial"], winner["status"], winner["rung_epochs"], winner["epochs"]) == ("t00007", "completed", 18, 18)
    assert winner["score"] == winner["val_accuracy"] == winner["best_score"]
    assert winner["checkpoint"] == "trials/t00007/checkpoints/000018"
    assert winner["ended_at"] == pd.Timestamp(recorded.AT)
    assert df[df.status == "diverged"]["last_score"].isna().all()


def test_the_frame_keeps_whole_numbers_whole(tmp_path: Path) -> None:
    df = leaderboard.read(recorded.store(tmp_path, recorded.sweep()))
    assert df["rank"].dtype == "Int64"
    assert df["config.batch_size"].dtype == "Int64"
    assert df["config.momentum"].isna().any()


def test_the_best_epoch_is_the_earliest_of_equals_and_obeys_the_mode() -> None:
    scores = [0.5, 0.9, 0.9, 0.2, 0.2, None]
    reports = [recorded.reported("t00001", epoch, score) for epoch, score in enumerate(scores, start=1)]
    for mode, score, epoch in (("max", 0.9, 2), ("min", 0.2, 4)):
        events = [recorded.started(mode=mode), recorded.suggested("t00001"), recorded.launched("t00001"), *reports]
        row = leaderboard.derive(History.of(events)).to_pylist()[0]
        assert (row["best_score"], row["best_epoch"], row["last_score"]) == (score, epoch, None)


@pytest.mark.parametrize(
    ("values", "arrow_type", "stored"),
    [
        ([1, 2], pa.int64(), [1, 2]),
        ([1, 0.5], pa.float64(), [1.0, 0.5]),
        ([True, False], pa.bool_(), [True, False]),
        (["a", "b"], pa.string(), ["a", "b"]),
        ([1, "a"], pa.string(), ["1", "a"]),
        ([True, 2], pa.string(), ["true", "2"]),
        ([[3, 3], {"b": 1}], pa.string(), ["[3, 3]", '{"b": 1}']),
        ([], pa.string(), []),
    ],
)
def test_the_type_of_a_parameter_follows_from_its_values(values: list[object], arrow_type: pa.DataType, stored: list[object]) -> None:
    suggestions = [recorded.suggested(f"t{number:05d}", values={"p": value}) for number, value in enumerate(values)]
    events = [recorded.started(parameters=("p",)), *suggestions, recorded.suggested("t99999", values={})]
    column = leaderboard.derive(History.of(events))["config.p"]
    assert column.type == arrow_type
    assert column.to_pylist() == [*stored, None]
    assert [column.name for column in config_columns(["p"], [])] == ["config.p"]


def test_a_sweep_without_trials_has_an_empty_table_and_one_that_never_started_has_none() -> None:
    assert leaderboard.derive(History.of([recorded.started()])).num_rows == 0
    with pytest.raises(NotASweep, match="never started"):
        leaderboard.derive(History())


def test_the_footer_says_what_was_searched(tmp_path: Path) -> None:
    about = About.of(leaderboard.read_table(recorded.store(tmp_path, recorded.sweep(reason="budget"))))
    assert about == About("digits", "0123456789abcdef", "c0ffee", "val_accuracy", "max", (2, 6), 18, 16, "budget")


def test_a_missing_or_stale_table_is_derived_from_the_journal(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path, recorded.sweep())
    expected = leaderboard.read_table(storage)
    leaderboard.write(storage, History.of([*recorded.sweep()[:20], recorded.stopped("budget")]))
    os.utime(storage.path(leaderboard.NAME), ns=(0, 0))
    assert leaderboard.read_table(storage).equals(expected, check_metadata=True)
    storage.path(leaderboard.NAME).unlink()
    assert leaderboard.read_table(storage).equals(expected, check_metadata=True)


def test_a_table_without_its_journal_still_reads(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path / "a", recorded.sweep())
    Storage(tmp_path / "b").write_atomic(leaderboard.NAME, storage.read(leaderboard.NAME))
    assert leaderboard.read_table(Storage(tmp_path / "b")).num_rows == 16
    with pytest.raises(NotASweep, match=r"neither leaderboard\.parquet nor a journal"):
        leaderboard.read_table(Storage(tmp_path / "c"))


def test_a_killed_driver_has_interrupted_its_trials(tmp_path: Path) -> None:
    running = [*recorded.sweep(reason=None), recorded.suggested("t00017"), recorded.launched("t00017")]
    storage = recorded.store(tmp_path, running)
    with SweepLock(storage):
        alive = leaderboard.read_table(storage)
        assert About.of(alive).state == "running"
        assert "running" in alive["status"].to_pylist()
    killed = leaderboard.read_table(storage)
    assert About.of(killed).state == "interrupted"
    assert "running" not in killed["status"].to_pylist()


def test_a_newer_schema_is_refused_and_damage_is_named_with_its_remedy(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path, recorded.sweep())
    table = pq.read_table(storage.path(leaderboard.NAME))
    newer = table.replace_schema_metadata({**table.schema.metadata, b"schema_version": b"2"})
    pq.write_table(newer, storage.path(leaderboard.NAME))
    with pytest.raises(NewerFormat, match="schema version 2, this release reads up to 1"):
        leaderboard.read_table(storage)
    pq.write_table(table.replace_schema_metadata({}), storage.path(leaderboard.NAME))
    with pytest.raises(Unreadable, match="no schema version"):
        leaderboard.read_table(storage)
    storage.write_atomic(leaderboard.NAME, b"PAR1 and then nothing")
    with pytest.raises(Unreadable, match=r"leaderboard\.parquet: not a whole Parquet file.*delete it"):
        leaderboard.read_table(storage)
