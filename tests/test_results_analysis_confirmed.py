"""Configurations over several seeds."""

import numpy as np
import pytest
from scipy import stats

from results.analysis.confirmed import Spread, difference, margin, pooled, probability_best, starving


def test_spread_is_pooled_over_configurations_whose_means_differ() -> None:
    spread = pooled([[0.0, 2.0], [10.0, 10.0, 13.0], [5.0], []])
    assert spread is not None
    assert spread.df == 3
    assert spread.sd == pytest.approx(np.sqrt((2.0 + 6.0) / 3))
    assert pooled([[1.0], [2.0]]) is None


def test_interval_is_students() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=7)
    low, high = stats.t.interval(0.95, 6, loc=scores.mean(), scale=stats.sem(scores))
    spread = pooled([scores.tolist()])
    assert spread is not None
    assert spread.half_width(7) == pytest.approx((high - low) / 2)


def test_intervals_hold_the_true_mean_as_often_as_they_say() -> None:
    """2,000 intervals at 95 %: four standard errors are 2 %, so chance alone fails this once in 16,000 seeds."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(2_000):
        drawn = rng.normal(0.9, 0.01, size=(3, 3))
        spread = pooled(drawn.tolist())
        assert spread is not None
        held += abs(drawn[0].mean() - 0.9) <= spread.half_width(3)
    assert held / 2_000 == pytest.approx(0.95, abs=0.02)


def test_probability_of_two_is_that_of_a_t_test() -> None:
    """20,000 draws: four standard errors are 0.012."""
    first, second = [0.93, 0.95, 0.94], [0.92, 0.94, 0.915]
    shares = probability_best([first, second], sign=1)
    assert shares is not None
    spread = pooled([first, second])
    assert spread is not None
    t = (np.mean(first) - np.mean(second)) / (spread.sd * np.sqrt(2 / 3))
    assert shares[0] == pytest.approx(stats.t.cdf(t, spread.df), abs=0.012)
    assert sum(shares) == pytest.approx(1)
    assert probability_best([first, second], sign=1) == shares, "the draws are always the same"


def test_probability_follows_the_direction_and_leaves_out_what_has_no_score() -> None:
    shares = probability_best([[0.2, 0.21], [], [0.9, 0.91]], sign=-1)
    assert shares is not None
    assert shares[0] > 0.99
    assert shares[1] == 0.0
    assert probability_best([[0.2], [0.3]], sign=1) is None
    assert probability_best([[0.5, 0.5], [0.5, 0.5], [0.4, 0.4]], sign=1) == [0.5, 0.5, 0.0]


def test_difference_is_taken_seed_by_seed() -> None:
    """Seeds that are hard for both cancel out."""
    first, second = {1: 0.90, 2: 0.70, 3: 0.80, 9: 0.1}, {1: 0.89, 2: 0.69, 3: 0.78}
    found = difference(first, second, sign=1)
    assert found is not None
    assert (found.n, found.mean) == (3, pytest.approx(0.04 / 3))
    assert found.low is not None
    assert found.low > -0.002
    alone = difference({1: 0.5}, {1: 0.6}, sign=-1)
    assert alone is not None
    assert (alone.mean, alone.low) == (pytest.approx(0.1), None)
    assert difference({1: 0.5}, {2: 0.6}, sign=1) is None


def test_margin_is_measured_to_the_best_other_one() -> None:
    scores = [[0.90, 0.92], [0.80, 0.82], [0.88, 0.90]]
    sd = np.sqrt(0.0002)
    assert margin(scores, 0, sign=1) == pytest.approx(0.02 / sd)
    assert margin(scores, 2, sign=1) == pytest.approx(-0.02 / sd)
    assert margin([[0.9], [0.8]], 0, sign=1) is None
    assert margin([[0.9, 0.8]], 0, sign=1) is None


def test_seeds_go_to_the_best_and_to_its_close_rival_not_to_the_hopeless() -> None:
    rng = np.random.default_rng(3)
    means, counts = [0.950, 0.945, 0.90, 0.80], [2, 2, 2, 2]
    drawn = [rng.normal(mean, 0.01, size=2).tolist() for mean in means]
    for _ in range(40):
        number = starving(drawn, counts, sign=1)[0]
        drawn[number].append(float(rng.normal(means[number], 0.01)))
        counts[number] += 1
    assert counts[0] + counts[1] >= 36
    assert counts[3] <= 3
    assert min(counts[:2]) >= 10


def test_allocation_has_the_papers_proportions() -> None:
    """Means 0, 1, 2 and an equal spread of 1: against the best, 1/1 and 1/4 parts; the best itself gets the root of 1 + 1/16."""
    spread = np.sqrt(0.5)
    scores = [[mean - spread, mean + spread] * 50 for mean in (0.0, 1.0, 2.0)]
    weights = np.array([np.sqrt(1 + 1 / 16), 1.0, 0.25])
    counts = np.round(1000 * weights / weights.sum()).astype(int).tolist()
    for number in range(3):
        short = [count - 20 * (place == number) for place, count in enumerate(counts)]
        assert starving(scores, short, sign=-1)[0] == number


def test_equal_configurations_share_the_seeds() -> None:
    assert starving([[0.5, 0.5], [0.5, 0.5]], [3, 2], sign=1) == [1, 0]
    assert starving([[0.5], []], [1, 1], sign=1) == [0]


def test_width_shrinks_with_the_root_of_the_seeds() -> None:
    spread = Spread(0.01, 10)
    assert spread.half_width(4) == pytest.approx(spread.half_width(16) * 2)
