"""History -> `steps.parquet`: the training loss of every batch, in sweeps that say `record: steps`; other sweeps have no such file."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from results import derived
from results.errors import NotASweep
from results.events import Reported
from results.history import History
from results.storage import Storage

if TYPE_CHECKING:
    import pandas as pd

NAME = "steps.parquet"
SCHEMA_VERSION = 1

# Column -> type, unit, meaning.
COLUMNS = {
    "trial": (pa.string(), "", "Id of the trial."),
    "epoch": (pa.int32(), "epochs", "Epochs trained when the epoch of this batch was over, 1-based."),
    "step": (pa.int64(), "batches", "Batches trained in the trial so far, 1-based: with accumulation, several make one optimizer step."),
    "train_loss": (pa.float32(), "nats", "Mean loss over the batch as it was seen, before its step."),
}


def recorded(history: History) -> bool:
    """Return whether any epoch came with the losses of its steps."""
    return any(report.step_losses for record in history.trials.values() for report in record.curve.values())


def derive(history: History) -> pa.Table:
    """Return every recorded step, sorted by trial and step; its footer is that of the leaderboard.

    Raises:
        NotASweep: The history is empty.
    """
    said = derived.footer(history, version=SCHEMA_VERSION)
    schema = pa.schema(
        [
            pa.field(name, kind, metadata={"unit": unit, "meaning": meaning} if unit else {"meaning": meaning})
            for name, (kind, unit, meaning) in COLUMNS.items()
        ],
        metadata=said,
    )
    parts = [_of_trial(trial, history.trials[trial].curve, schema) for trial in sorted(history.trials)]
    return pa.concat_tables([schema.empty_table(), *parts])


def _of_trial(trial: str, curve: "dict[int, Reported]", schema: pa.Schema) -> pa.Table:
    reports = [report for _, report in sorted(curve.items()) if report.step_losses]
    sizes = [len(report.step_losses or ()) for report in reports]
    total = sum(sizes)
    losses = np.fromiter((loss for report in reports for loss in report.step_losses or ()), np.float32, total)
    epochs = np.repeat(np.array([report.epoch for report in reports], np.int32), sizes)
    return pa.Table.from_arrays([pa.array([trial] * total, pa.string()), epochs, np.arange(1, total + 1), losses], schema=schema)


def write(storage: Storage, history: History) -> None:
    """Replace `steps.parquet`, where there is something to put in it."""
    if recorded(history):
        derived.write(storage, NAME, derive(history))


def read(storage: Storage) -> "pd.DataFrame":
    """Return the steps as a frame.

    Raises:
        NotASweep: The sweep did not record its steps, or there is none.
        NewerFormat: A newer release wrote the file.
        Unreadable: A file is damaged.
    """
    table = derived.current(storage, NAME, version=SCHEMA_VERSION, derive=derive)
    if not table.num_rows:
        raise NotASweep(f"{storage}: no steps were recorded; say `record: steps` in the sweep file before it starts")
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    return frame
