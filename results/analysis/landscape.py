"""The loss landscape as Santurkar et al. draw it: how far training losses lie apart when one network is trained at several learning rates.

A narrow band says that the choice of the learning rate hardly matters, a wide one that it does. Nothing is trained for it: any sweep that
holds trials alike in everything but the learning rate has its bands. Source: Santurkar et al., NeurIPS 2018, arXiv:1805.11604, figure 4;
there per step, here per epoch, as the curves are.
"""

import pandas as pd

from results.analysis.frames import PREFIX, Frames

MIN_RATES = 3  # learning rates behind a band: between two there is only a difference
COLUMNS = ["group", "trials", "epoch", "n", "low", "high"]


def landscape(frames: Frames) -> pd.DataFrame:
    """Return one row per group of trials that differ in `lr` (and seed) alone, and epoch.

    Columns: `group`, the values of the other varied parameters in words; `trials`, their ids, joined by blanks; `epoch`; `n` trials
    trained so far with a finite loss there; `low` and `high`, the least and the greatest training loss. Epochs that fewer than
    `MIN_RATES` trials reached are left out. Empty where the sweep holds no such group.
    """
    nothing = pd.DataFrame(columns=COLUMNS)
    if "lr" not in frames.varied:
        return nothing
    others = [path for path in frames.varied if path not in {"lr", "seed"}]
    keys = frames.board[[PREFIX + path for path in others]].astype("string").fillna("")
    names = keys.agg(", ".join, axis=1) if others else pd.Series("", index=frames.board.index)
    groups = frames.board.assign(group=names.map(lambda text: ", ".join(part for part in text.split(", ") if part) or "all trials"))
    rates = groups.groupby("group")[PREFIX + "lr"].nunique()
    told = groups.loc[groups["group"].isin(rates[rates >= MIN_RATES].index), ["trial", "group"]]
    losses = frames.curves[["trial", "epoch", "train_loss"]].merge(told, on="trial")
    losses = losses[losses["train_loss"].abs() < float("inf")]
    if losses.empty:
        return nothing
    members = losses.groupby("group")["trial"].agg(lambda trials: " ".join(sorted(set(trials)))).rename("trials")
    bands = losses.groupby(["group", "epoch"])["train_loss"].agg(n="count", low="min", high="max").reset_index()
    return bands[bands["n"] >= MIN_RATES].merge(members, on="group")[COLUMNS].reset_index(drop=True)
