"""History -> `leaderboard.parquet` -> data frame: one row per trial, failed ones too, in rank order.

The table is derived, at any time, from the journal alone; it is the same whatever the order in which trials ended. pandas is imported
only by the function that returns a frame, so that the terminal answers at once.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from results import columns, derived, ranking
from results.columns import COLUMNS, Row, config_columns
from results.events import Reported
from results.history import History, TrialRecord, uncollected
from results.storage import Storage

if TYPE_CHECKING:
    import pandas as pd

NAME = "leaderboard.parquet"
SCHEMA_VERSION = 1


def derive(history: History) -> pa.Table:
    """Return the leaderboard, best trial first, described by its own metadata.

    Raises:
        NotASweep: The history is empty.
    """
    said = derived.footer(history, version=SCHEMA_VERSION)
    assert history.started is not None
    all_columns = [*COLUMNS, *config_columns(history.started.parameters, history.trials.values())]
    with uncollected():
        return columns.table(all_columns, _rows(history), said)


def write(storage: Storage, history: History) -> None:
    """Replace `leaderboard.parquet`."""
    derived.write(storage, NAME, derive(history))


def read_table(storage: Storage, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the leaderboard as it stands now. Columns and errors as in `derived.current`."""
    return derived.current(storage, NAME, version=SCHEMA_VERSION, derive=derive, columns=columns)


def read(storage: Storage) -> "pd.DataFrame":
    """Return the leaderboard as a frame; whole numbers stay whole where values are missing. Errors as in `read_table`."""
    return frame(read_table(storage))


def frame(table: pa.Table) -> "pd.DataFrame":
    """Return a table as a frame; whole numbers stay whole where values are missing."""
    import pandas as pd

    types = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    board: pd.DataFrame = table.to_pandas(types_mapper=types.get, use_threads=False)
    return board


def _rows(history: History) -> list[Row]:
    assert history.started is not None
    sign = ranking.sign(history.started.mode)
    rows = []
    for place, (record, standing) in enumerate(ranking.placed(history), start=1):
        best, last = _best(record, sign), record.last
        if standing is None:
            rows.append(Row(record, None, None, None, best, last))
        else:
            rows.append(Row(record, place, standing.rung_epochs, standing.score, best, last))
    return rows


def _best(record: TrialRecord, sign: int) -> Reported | None:
    best: Reported | None = None
    for report in record.curve.values():
        if report.score is not None and (best is None or best.score is None or sign * report.score > sign * best.score):
            best = report
    return best
