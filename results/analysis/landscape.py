"""The loss landscape as Santurkar et al. draw it: how far training losses lie apart when one network is trained at several learning rates.

A narrow band says that the choice of the learning rate hardly matters, a wide one that it does. Nothing is trained for it: any sweep that
holds trials alike in everything but the learning rate has its bands, over steps where it recorded them, else over epochs. Source:
Santurkar et al., NeurIPS 2018, arXiv:1805.11604, figure 4.
"""

import pandas as pd

from results.analysis.frames import PREFIX, Frames

MIN_RATES = 3  # learning rates behind a band: between two there is only a difference
MOST_POINTS = 300  # of a band; neighbouring steps are averaged to get there, trial by trial
COLUMNS = ["group", "trials", "at", "n", "low", "high"]


def landscape(frames: Frames, steps: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row per group of trials that differ in `lr` (and seed) alone, and epoch or step.

    Columns: `group`, the values of the other varied parameters in words; `trials`, their ids, joined by blanks; `at`, the epoch, or the
    last of the steps that were averaged; `n` trials with a finite loss there; `low` and `high`, the least and the greatest training
    loss. Where fewer than `MIN_RATES` trials came, nothing is said. Empty where the sweep holds no such group.

    Args:
        frames: The sweep.
        steps: What `results.steps.read` gave; None where no steps were recorded.
    """
    groups = _groups(frames)
    losses = frames.curves[["trial", "epoch", "train_loss"]] if steps is None else steps[["trial", "step", "train_loss"]]
    losses = losses.set_axis(["trial", "at", "train_loss"], axis=1).merge(groups, on="trial")
    losses = losses[losses["train_loss"].abs() < float("inf")]
    if losses.empty:
        return pd.DataFrame(columns=COLUMNS)
    width = -(-int(losses["at"].max()) // MOST_POINTS)
    if width > 1:
        losses["at"] = -(-losses["at"] // width) * width
        losses = losses.groupby(["group", "trial", "at"])["train_loss"].mean().reset_index()
    members = losses.groupby("group")["trial"].agg(lambda trials: " ".join(sorted(set(trials)))).rename("trials")
    bands = losses.groupby(["group", "at"])["train_loss"].agg(n="count", low="min", high="max").reset_index()
    return bands[bands["n"] >= MIN_RATES].merge(members, on="group")[COLUMNS].reset_index(drop=True)


def _groups(frames: Frames) -> pd.DataFrame:
    """Return `trial` and `group` of the trials whose group has enough learning rates."""
    if "lr" not in frames.varied:
        return pd.DataFrame({"trial": [], "group": []}, dtype="object")
    others = [path for path in frames.varied if path not in {"lr", "seed"}]
    values = frames.board[[PREFIX + path for path in others]].astype("string")
    named = [", ".join(value for value in row if value is not None and value is not pd.NA) or "all trials" for row in values.to_numpy()]
    board = frames.board.assign(group=named)
    rates = board.groupby("group")[PREFIX + "lr"].nunique()
    kept: pd.DataFrame = board.loc[board["group"].isin(rates[rates >= MIN_RATES].index), ["trial", "group"]]
    return kept
