"""Bands of training losses over learning rates."""

import numpy as np
import pandas as pd
import pytest

from results.analysis.step_bands import bands, widths

RATES = (0.01, 0.1, 1.0)


def made_up(*, num_steps: int = 40, seed: int = 0) -> pd.DataFrame:
    """Runs with batch norm, which all fall alike, and without, where the largest rate diverges after 20 steps."""
    rng = np.random.default_rng(seed)
    rows = []
    for norm, spread in (("batch", 0.1), (None, 1.0)):
        for place, rate in enumerate(RATES):
            for step in range(1, num_steps + 1):
                loss = 2 * 0.95**step + spread * place + rng.uniform(0, 1e-6)
                if norm is None and rate == 1.0 and step > 20:
                    loss = np.nan
                rows.append((f"{norm}-{rate}", (step - 1) // 10 + 1, step, loss, rate, norm))
    return pd.DataFrame(rows, columns=["trial", "epoch", "step", "train_loss", "lr", "model.norm"])


def test_band_is_as_wide_as_the_rates_lie_apart() -> None:
    found = bands(made_up(), by=["model.norm"])
    batch = found[found["model.norm"] == "batch"]
    assert list(batch["step"]) == list(range(1, 41))
    np.testing.assert_allclose(batch["high"] - batch["low"], 0.2, atol=1e-5)
    np.testing.assert_allclose(batch["low"], 2 * 0.95 ** batch["step"], atol=1e-5)
    assert set(batch["n"]) == {3}
    without = found[found["model.norm"].isna()]
    assert list(without["step"]) == list(range(1, 21)), "two learning rates that are left make no band"
    np.testing.assert_allclose(without["high"] - without["low"], 2.0, atol=1e-5)


def test_widths_are_compared_over_the_steps_that_all_have() -> None:
    table = widths(bands(made_up(), by=["model.norm"]), by=["model.norm"])
    assert list(table["model.norm"].fillna("none")) == ["batch", "none"]
    assert list(table["steps"]) == [20, 20]
    np.testing.assert_allclose(table["mean"], [0.2, 2.0], atol=1e-5)
    np.testing.assert_allclose(table["median"], [0.2, 2.0], atol=1e-5)


def test_seeds_of_one_rate_count_as_their_mean() -> None:
    steps = made_up()
    again = steps.assign(trial=steps["trial"] + "-again", train_loss=steps["train_loss"] + 4)
    both = bands(pd.concat([steps, again]), by=["model.norm"])
    single = bands(steps, by=["model.norm"])
    np.testing.assert_allclose(both["low"], single["low"] + 2, atol=1e-6)
    assert set(both["n"]) == {6}


def test_without_groups_there_is_one_band_and_infinite_losses_are_no_part_of_it() -> None:
    steps = made_up()
    steps.loc[steps["step"] == 3, "train_loss"] = np.inf
    found = bands(steps)
    assert list(found["step"]) == [step for step in range(1, 41) if step != 3]
    assert list(found.columns) == ["step", "low", "high", "n"]


@pytest.mark.parametrize("rates", [(), (0.1, 0.2)])
def test_too_few_rates_give_an_empty_frame_with_its_columns(rates: tuple[float, ...]) -> None:
    steps = made_up()
    found = bands(steps[steps["lr"].isin(rates)], by=["model.norm"])
    assert found.empty
    assert list(found.columns) == ["model.norm", "step", "low", "high", "n"]
    assert widths(found, by=["model.norm"]).empty
