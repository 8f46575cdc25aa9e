from pathlib import Path

import pandas as pd
import pytest
import recorded

from results import curves
from results.columns import CURVE_COLUMNS
from results.derived import METADATA
from results.errors import NotASweep
from results.events import Repeated
from results.history import History
from results.storage import Storage


def test_there_is_one_row_per_trial_and_epoch_sorted_by_both(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path, recorded.sweep())
    df = pd.read_parquet(tmp_path / "curves.parquet")
    history = History.of(recorded.sweep())
    assert len(df) == sum(len(record.curve) for record in history.trials.values())
    assert list(zip(df.trial, df.epoch, strict=True)) == sorted(zip(df.trial, df.epoch, strict=True))
    assert df[df.trial == "t00007"].epoch.tolist() == list(range(1, 19))
    pd.testing.assert_frame_equal(curves.read(storage), df)


def test_the_schema_is_pinned_and_describes_itself() -> None:
    schema = curves.derive(History.of(recorded.sweep())).schema
    names = (
        "trial epoch val_accuracy val_loss train_accuracy train_loss lr wall_s device_s images_per_s peak_memory_bytes at worker attempt"
    )
    assert schema.names == names.split() == [column.name for column in CURVE_COLUMNS]
    assert all(field.metadata[b"meaning"].endswith(b".") for field in schema)
    assert {key.decode() for key in schema.metadata} == set(METADATA)


def test_epochs_trained_again_stay_out() -> None:
    again = Repeated(at=recorded.AT, trial="t00001", attempt=1, epoch=1, device_s=9.0)
    events = [recorded.started(), recorded.suggested("t00001"), recorded.launched("t00001"), recorded.reported("t00001", 1), again]
    rows = curves.derive(History.of(events)).to_pylist()
    assert [(row["epoch"], row["device_s"]) for row in rows] == [(1, 1.25)]


def test_missing_curves_are_derived_from_the_journal(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path, recorded.sweep())
    expected = curves.read_table(storage)
    storage.path(curves.NAME).unlink()
    assert curves.read_table(storage).equals(expected, check_metadata=True)
    with pytest.raises(NotASweep):
        curves.read_table(Storage(tmp_path / "nowhere"))
