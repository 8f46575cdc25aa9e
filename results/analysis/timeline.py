"""Who trained what, when: the workers' time as bars."""

import pandas as pd

from results.analysis.frames import Frames

COLUMNS = ["worker", "trial", "attempt", "from_epoch", "until_epoch", "started_at", "ended_at"]


def timeline(frames: Frames) -> pd.DataFrame:
    """Return one row per segment that a worker trained without a break, by worker and time.

    Columns: `worker` (`host:pid`), `trial`, `attempt`, `from_epoch` and `until_epoch` (the first and the last epoch trained in it),
    `started_at`, `ended_at` (UTC). Epochs that were trained again after a crash are not in it.
    """
    curves = frames.curves
    if curves.empty:
        return pd.DataFrame(columns=COLUMNS)
    began = curves["at"] - pd.to_timedelta(curves["wall_s"], unit="s")
    segments = (
        curves.assign(began=began)
        .groupby(["worker", "trial", "attempt"], sort=True, as_index=False)
        .agg(
            from_epoch=("epoch", "min"),
            until_epoch=("epoch", "max"),
            started_at=("began", "min"),
            ended_at=("at", "max"),
        )
    )
    return segments.sort_values(["worker", "started_at", "trial"], ignore_index=True)


def busy(frames: Frames) -> float:
    """Return the share of the workers' time spent training, 0..1, from each worker's first epoch to the last epoch of all."""
    curves = frames.curves
    if curves.empty:
        return 0.0
    end = curves["at"].max()
    bars = timeline(frames)
    held_s = (end - bars.groupby("worker")["started_at"].min()).dt.total_seconds().sum()
    return min(1.0, float(curves["device_s"].sum()) / held_s) if held_s > 0 else 0.0
