"""steps.parquet: every batch of every epoch once, only where steps were recorded, and the journal carries nothing of it elsewhere."""

from pathlib import Path

import pytest
import recorded

from results import derived, steps
from results.errors import NotASweep
from results.event_lines import decode, encode
from results.events import Event
from results.history import History
from results.storage import Storage


def history(*, with_steps: bool) -> History:
    losses = (2.5, 2.25, 2.0) if with_steps else None
    events: list[Event] = [recorded.started()]
    for trial in ("t00001", "t00002", "t00003"):
        events += [recorded.suggested(trial), recorded.launched(trial)]
        events += [recorded.reported(trial, epoch, step_losses=losses) for epoch in (1, 2)]
    return History.of(events)


def test_every_batch_of_every_epoch_is_a_row_and_steps_count_through_the_trial() -> None:
    table = steps.derive(history(with_steps=True))
    assert table.num_rows == 3 * 2 * 3
    first = table.slice(0, 6).to_pydict()
    assert first["trial"] == ["t00001"] * 6
    assert first["epoch"] == [1, 1, 1, 2, 2, 2]
    assert first["step"] == [1, 2, 3, 4, 5, 6]
    assert first["train_loss"] == [2.5, 2.25, 2.0] * 2


def test_stored_steps_are_read_back_as_they_were_derived(tmp_path: Path) -> None:
    storage, told = Storage(tmp_path / "test"), history(with_steps=True)
    steps.write(storage, told)
    assert derived.read(storage, steps.NAME, version=steps.SCHEMA_VERSION).equals(steps.derive(told))
    assert len(steps.read(storage)) == 18


def test_a_sweep_that_records_no_steps_has_no_file_and_says_how_to_get_one(tmp_path: Path) -> None:
    storage, told = Storage(tmp_path / "test"), history(with_steps=False)
    steps.write(storage, told)
    assert not storage.exists(steps.NAME)
    derived.write(storage, steps.NAME, steps.derive(told))
    with pytest.raises(NotASweep, match="record: steps"):
        steps.read(storage)


def test_losses_of_steps_survive_the_journal_and_cost_nothing_where_there_are_none() -> None:
    with_losses, without = recorded.reported("t00001", 1, step_losses=(2.5, 2.25)), recorded.reported("t00001", 1)
    assert decode(encode(with_losses)) == with_losses
    assert "step_losses" not in encode(without)
    assert decode(encode(without)) == without
