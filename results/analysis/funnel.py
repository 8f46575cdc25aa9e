"""How many trials reached each rung, and how many went on."""

import pandas as pd

from results.analysis.frames import Frames


def funnel(frames: Frames) -> pd.DataFrame:
    """Return one row per rung, ascending, and one for the last epoch.

    Columns: `rung_epochs`; `reached`, trials with a finite score there; `went_on`, those of them that trained further; `best`, `median`
    and `cutoff`, the metric there: best of all, median of all, worst of those that went on (NaN where nobody has).
    """
    scores = frames.scores.dropna(subset=["score"])
    last = frames.curves.groupby("trial")["epoch"].max()
    rows = []
    for rung in (*frames.about.ladder, frames.about.max_epochs):
        there = scores[scores["epoch"] == rung].set_index("trial")["score"] * frames.sign
        on = there[last[there.index] > rung]
        rows.append(
            {
                "rung_epochs": rung,
                "reached": len(there),
                "went_on": len(on),
                "best": there.max() * frames.sign,
                "median": there.median() * frames.sign,
                "cutoff": on.min() * frames.sign,
            }
        )
    return pd.DataFrame(rows)
