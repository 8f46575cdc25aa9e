"""Configurations compared over several seeds: means, how sure they are, which is probably best, and which deserves the next seed.

All configurations are taken to have the same spread between seeds, which is estimated from all of them together: with the two or three
seeds that people can pay for, a spread of each one's own would be worth next to nothing. pandas is not imported.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
DRAWS = 20_000  # of the posterior: a probability has a standard error of 0.0035 at most


@dataclass(frozen=True, slots=True)
class Spread:
    """The standard deviation between seeds, pooled.

    Attributes:
        sd: In units of the metric.
        df: Degrees of freedom that it rests on, >= 1.
    """

    sd: float
    df: int

    def half_width(self, n: float) -> float:
        """Return half the t interval around a mean of n scores."""
        return _t(self.df) * self.sd / math.sqrt(n)


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one configuration is than another, over the seeds that both were trained with.

    Attributes:
        mean: Positive where the first is better, whatever the metric's direction.
        low: Lower end of the t interval; None with a single seed.
        high: Upper end.
        n: Seeds in common.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


def pooled(scores: Sequence[Sequence[float]]) -> Spread | None:
    """Return the spread within configurations; None where none has two scores."""
    df = sum(len(one) - 1 for one in scores if one)
    if df < 1:
        return None
    squares = sum(float(((np.asarray(one) - np.mean(one)) ** 2).sum()) for one in scores if one)
    return Spread(math.sqrt(squares / df), df)


def probability_best(scores: Sequence[Sequence[float]], *, sign: int) -> list[float] | None:
    """Return for each configuration the posterior probability that its mean is the best; None where no spread is known.

    Drawn from the posterior under the usual vague prior (Gelman et al., "Bayesian Data Analysis", 3rd edition, section 3.2): the variance
    is an inverse chi-square around the pooled one, a mean is normal around the observed one. The draws are always the same.

    Args:
        scores: Of each configuration, in any order; one without scores is never the best.
        sign: +1 where more is better.
    """
    spread = pooled(scores)
    if spread is None:
        return None
    able = [number for number, one in enumerate(scores) if one]
    means = np.array([sign * float(np.mean(scores[number])) for number in able])
    if spread.sd == 0.0:
        best = np.isclose(means, means.max(), rtol=0.0, atol=0.0)
        shares = best / best.sum()
    else:
        rng = np.random.Generator(np.random.PCG64(0))
        sd = spread.sd * np.sqrt(spread.df / rng.chisquare(spread.df, size=(DRAWS, 1)))
        root_n = np.sqrt([len(scores[number]) for number in able])
        drawn = means + sd * rng.standard_normal((DRAWS, len(able))) / root_n
        shares = np.bincount(drawn.argmax(axis=1), minlength=len(able)) / DRAWS
    found = [0.0] * len(scores)
    for number, share in zip(able, shares, strict=True):
        found[number] = float(share)
    return found


def difference(first: Mapping[int, float], second: Mapping[int, float], *, sign: int) -> Difference | None:
    """Return the paired difference of two configurations, seed -> score each; None where they share no seed."""
    shared = sorted(first.keys() & second.keys())
    if not shared:
        return None
    gaps = np.array([sign * (first[seed] - second[seed]) for seed in shared])
    mean = float(gaps.mean())
    if len(gaps) < 2:
        return Difference(mean, None, None, len(gaps))
    half = _t(len(gaps) - 1) * float(gaps.std(ddof=1)) / math.sqrt(len(gaps))
    return Difference(mean, mean - half, mean + half, len(gaps))


def margin(scores: Sequence[Sequence[float]], number: int, *, sign: int) -> float | None:
    """Return how far a configuration's mean lies above the best other one, in standard errors of their difference; None where unknown."""
    spread = pooled(scores)
    others = [one for place, one in enumerate(scores) if place != number and one]
    if spread is None or spread.sd == 0.0 or not others or not scores[number]:
        return None
    runner_up = max(others, key=lambda one: sign * float(np.mean(one)))
    gap = sign * float(np.mean(scores[number]) - np.mean(runner_up))
    return gap / (spread.sd * math.sqrt(1 / len(scores[number]) + 1 / len(runner_up)))


def starving(scores: Sequence[Sequence[float]], counts: Sequence[int], *, sign: int) -> list[int]:
    """Return the configurations in the order in which they deserve the next seed.

    Optimal computing budget allocation with equal variances: against the best b, configuration i deserves seeds in proportion to
    1 / delta_i**2, and b the root of the sum of squares of all those; the next seed goes where most are missing. Deviates: a delta below
    its own standard error is taken for that, since it is not known to be any smaller.

    Args:
        scores: Of each configuration; one without scores is passed over.
        counts: Seeds given to each so far, those that are still in training included.
        sign: +1 where more is better.

    Source:
        Chen, Lin, Yücesan & Chick, "Simulation budget allocation for further enhancing the efficiency of ordinal optimization", Discrete
        Event Dynamic Systems 10, 2000, theorem 1; sequentially as in Chen & Lee, "Stochastic Simulation Optimization", 2011, section 3.
    """
    able = [number for number, one in enumerate(scores) if one]
    spread = pooled(scores)
    if len(able) < 2 or spread is None or spread.sd == 0.0:
        return sorted(able, key=lambda number: (counts[number], number))
    means = {number: sign * float(np.mean(scores[number])) for number in able}
    best = max(able, key=lambda number: (means[number], -number))
    weights: dict[int, float] = {}
    for number in able:
        if number != best:
            error = spread.sd * math.sqrt(1 / len(scores[number]) + 1 / len(scores[best]))
            weights[number] = 1 / max(means[best] - means[number], error) ** 2
    weights[best] = math.sqrt(sum(weight**2 for weight in weights.values()))
    given, whole = sum(counts[number] for number in able) + 1, sum(weights.values())
    return sorted(able, key=lambda number: (counts[number] - given * weights[number] / whole, number))


def _t(df: int) -> float:
    """Return the two-sided quantile of Student's t."""
    from scipy.special import stdtrit  # a quarter second that the leaderboard, which only shows what is recorded, need not wait

    return float(stdtrit(df, (1 + CONFIDENCE) / 2))
