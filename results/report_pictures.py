"""What the report's page draws beside the table: the analyses of a sweep as rows of plain numbers, ready for JSON.

Trials are named by their place in the table, 0-based: the page has the table anyway, and ids would be most of its bytes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from results.analysis import noise
from results.analysis.best_so_far import best_so_far
from results.analysis.discarded import discarded
from results.analysis.effects import effects
from results.analysis.failures import failures
from results.analysis.findings import findings
from results.analysis.frames import Frames
from results.analysis.funnel import funnel
from results.analysis.importance import importance
from results.analysis.landscape import landscape
from results.analysis.pareto import undominated
from results.analysis.savings import savings
from results.analysis.timeline import busy, timeline
from results.report_trials import significant

# What a score is weighed against.
COSTS = ("parameters", "flops_per_image", "device_s", "peak_memory_bytes")


def pictures(frames: Frames, steps: pd.DataFrame | None = None) -> dict[str, Any]:
    """Return what each picture is drawn from, by the picture's id.

    Args:
        frames: The sweep.
        steps: The loss of every batch; None where it was not recorded.
    """
    places = {trial: place for place, trial in enumerate(frames.board["trial"])}
    saved = savings(frames)
    return {
        "findings": [{"text": found.text, "trials": [places[trial] for trial in found.trials]} for found in findings(frames)],
        "tied": _num_tied(frames),
        "progress": _rows(best_so_far(frames).assign(trial=lambda table: table["trial"].map(places))),
        "funnel": _rows(funnel(frames)),
        "savings": {"epochs": saved.epochs, "epochs_in_full": saved.epochs_in_full, "share": significant(saved.share)},
        "discarded": _discarded(frames, places),
        "importance": _importance(frames),
        "effects": _rows(effects(frames).drop(columns="best_trial")),
        "standing": _standing(frames, places),
        "pareto": _fronts(frames),
        "timeline": _timeline(frames, places),
        "failures": [
            {"status": status, "cause": cause, "trials": [places[trial] for trial in trials]}
            for status, cause, _, trials in failures(frames).itertuples(index=False)
        ],
        "landscape": _landscape(frames, steps, places),
    }


def _rows(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a table as name -> values, rounded."""
    return {str(name): [_plain(value) for value in table[name].tolist()] for name in table.columns}


def _plain(value: Any) -> Any:
    if isinstance(value, (str, bool)) or value is None:
        return value
    return None if pd.isna(value) else significant(float(value))


def _num_tied(frames: Frames) -> int:
    """Return how many of the first rows chance alone may have ordered, as the leaderboard in the terminal says it."""
    rows = frames.scores
    spread = noise.between_epochs(
        rows["trial"].to_numpy(), rows["epoch"].to_numpy(dtype=int), rows["score"].to_numpy(dtype=float, na_value=np.nan)
    )
    ranked = frames.board[frames.board["rank"].notna()]
    return noise.num_tied([int(rung) for rung in ranked["rung_epochs"]], [float(score) for score in ranked["score"]], spread)


def _discarded(frames: Frames, places: Mapping[str, int]) -> dict[str, Any]:
    found = discarded(frames)
    return {
        "probability": significant(found.probability),
        "low": significant(found.low),
        "high": significant(found.high),
        "likeliest": None if found.likeliest is None else places[found.likeliest],
        "n": found.n,
        "remark": found.remark,
    }


def _importance(frames: Frames) -> dict[str, Any]:
    found = importance(frames)
    return {
        "rows": _rows(found.parameters),
        "explained": significant(found.explained),
        "n": found.n,
        "of": found.of,
        "remark": found.remark,
    }


def _standing(frames: Frames, places: Mapping[str, int]) -> list[float | int | None]:
    """Return each trial's place on 0 (last) to 1 (first); null where it has none."""
    standing: list[float | int | None] = [None] * len(frames.board)
    for trial, value in frames.judged[["trial", "standing"]].itertuples(index=False):
        standing[places[trial]] = significant(float(value), 4)
    return standing


def _fronts(frames: Frames) -> dict[str, list[int]]:
    """Return cost -> the trials that no other ranked trial beats in both score and that cost."""
    ranked = frames.board[frames.board["rank"].notna()].reset_index(drop=True)  # the ranked are the first rows
    fronts = {}
    for cost in COSTS:
        points = ranked[["score", cost]].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        fronts[cost] = np.flatnonzero(undominated(points, [frames.sign, -1])).tolist()
    return fronts


def _timeline(frames: Frames, places: Mapping[str, int]) -> dict[str, Any]:
    bars = timeline(frames)
    if bars.empty:
        return {"workers": [], "bars": [], "busy": 0.0, "from": None}
    workers = sorted({str(worker) for worker in bars["worker"]})
    index = {worker: number for number, worker in enumerate(workers)}
    origin = bars["started_at"].min()
    starts, ends = ((bars[name] - origin).dt.total_seconds().round(2) for name in ("started_at", "ended_at"))
    rows = zip(bars["worker"], bars["trial"], bars["from_epoch"], bars["until_epoch"], starts, ends, strict=True)
    told = [[index[str(worker)], places[trial], int(first), int(last), start, end] for worker, trial, first, last, start, end in rows]
    return {"workers": workers, "bars": told, "busy": significant(busy(frames)), "from": int(origin.timestamp())}


def _landscape(frames: Frames, steps: pd.DataFrame | None, places: Mapping[str, int]) -> dict[str, Any]:
    bands = landscape(frames, steps)
    return {
        "unit": "epoch" if steps is None else "step",
        "bands": [
            {"group": str(group), "trials": [places[trial] for trial in str(trials).split()], **_rows(rows[["at", "n", "low", "high"]])}
            for (group, trials), rows in bands.groupby(["group", "trials"], sort=True)
        ],
    }
