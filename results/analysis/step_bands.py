"""The loss landscape of study B: per training step, the band of losses of runs that differ in their learning rate alone.

A narrow band says that the size of a step hardly matters, a wide one that it does; with batch norm against without. After Santurkar et al.,
"How Does Batch Normalization Help Optimization?", NeurIPS 2018, arXiv:1805.11604, figure 4(a). There the loss is looked up along the
gradient, at several step sizes from the same weights; here each learning rate is a run of its own, so that a band also holds what earlier
steps have moved apart.

It reads `steps.parquet` (`results.steps`), which a sweep writes that says `record: steps`, with the configuration's columns beside it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

MIN_RATES = 3  # learning rates behind a band: between two there is only a difference


def bands(steps: pd.DataFrame, *, over: str = "lr", by: Sequence[str] = ()) -> pd.DataFrame:
    """Return the band of training losses at each step, one row per group and step.

    Args:
        steps: The columns of `steps.parquet`, and beside them the configuration: a column `over` and one for each of `by`.
        over: What the runs of one band differ in.
        by: What tells bands apart, such as `model.norm`; without, all runs make one band. Missing values are a group of their own.

    Returns:
        The columns `by`, `step` (ascending within a group), `low` and `high` (the least and the greatest finite loss, nats), `n` (runs
        behind them). Steps at which fewer than `MIN_RATES` values of `over` have a finite loss are left out: runs that ended earlier, or
        diverged, are in the band as far as they went. A value of `over` that several runs have, with different seeds, counts as their mean.
    """
    names = [*by, "step", over]
    finite = steps[np.isfinite(steps["train_loss"].to_numpy(dtype=float, na_value=np.nan))]
    of_rate = finite.groupby(names, dropna=False, observed=True, sort=True).agg(loss=("train_loss", "mean"), runs=("trial", "nunique"))
    grouped = of_rate.groupby(level=list(range(len(names) - 1)), dropna=False, observed=True, sort=True)
    found: pd.DataFrame = grouped.agg(low=("loss", "min"), high=("loss", "max"), n=("runs", "sum"), rates=("loss", "size"))
    enough: pd.DataFrame = found[found["rates"] >= MIN_RATES]
    return enough.drop(columns="rates").reset_index()


def widths(found: pd.DataFrame, *, by: Sequence[str]) -> pd.DataFrame:
    """Return how wide each group's band is over the steps that all groups have, the narrowest first.

    Returns:
        The columns `by`, `mean` and `median` of `high - low` in nats, `steps` (over so many). Empty where the groups share no step.
    """
    num_groups = found.groupby(list(by), dropna=False, observed=True).ngroups
    shared = found.groupby("step")["low"].transform("size") == num_groups
    common = found[shared].assign(width=found["high"] - found["low"])
    table: pd.DataFrame = common.groupby(list(by), dropna=False, observed=True).agg(
        mean=("width", "mean"), median=("width", "median"), steps=("width", "size")
    )
    return table.sort_values("mean", kind="stable").reset_index()
