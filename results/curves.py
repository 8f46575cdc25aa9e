"""History -> `curves.parquet`: one row per trial and epoch, sorted by both. Epochs trained again after a crash are not in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from results import columns, derived
from results.columns import CURVE_COLUMNS
from results.history import History, uncollected
from results.storage import Storage

if TYPE_CHECKING:
    import pandas as pd

NAME = "curves.parquet"
SCHEMA_VERSION = 2  # 2: worker, attempt


def derive(history: History) -> pa.Table:
    """Return every curve of a sweep; its footer is that of the leaderboard.

    Raises:
        NotASweep: The history is empty.
    """
    said = derived.footer(history, version=SCHEMA_VERSION)
    reports = [report for trial in sorted(history.trials) for _, report in sorted(history.trials[trial].curve.items())]
    with uncollected():
        return columns.table(CURVE_COLUMNS, reports, said)


def write(storage: Storage, history: History) -> None:
    """Replace `curves.parquet`."""
    derived.write(storage, NAME, derive(history))


def read_table(storage: Storage, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the curves as they stand now. Columns and errors as in `derived.current`."""
    return derived.current(storage, NAME, version=SCHEMA_VERSION, derive=derive, columns=columns)


def read(storage: Storage) -> "pd.DataFrame":
    """Return the curves as a frame. Errors as in `read_table`."""
    frame: pd.DataFrame = read_table(storage).to_pandas(use_threads=False)
    return frame
