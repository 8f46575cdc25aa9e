"""What a comparison of samplers measures: how good the leaderboard's first row is after so many trainings, and what proposing costs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import rankdata

from benchmarks.sampler_problems import Problem
from results import ranking
from results.events import Reported
from results.history import History
from tuner.decisions import Decision, Job, Suggestion
from tuner.samplers.sampler import Propose
from tuner.search import Search

REGRET_AFTER = (3, 5, 10, 20, 40, 80)  # full trainings, those that a run has
NUM_BOOTSTRAP = 1000
# A mean regret below this counts as this: what noise of 2 % of a unit leaves to be told apart.
REGRET_FLOOR = 1e-3
# Regret while no trial has a rank: that of the median of random candidates.
UNRANKED = 1.0


@dataclass(slots=True)
class Outcome:
    """What one run found.

    Attributes:
        regret: Full trainings -> regret of the leaderboard's first row then.
        proposals: How often the sampler was asked.
        proposing_s: Processor seconds that it took to answer, all together.
        starts: Trials started.
    """

    regret: dict[int, float] = field(default_factory=dict)
    proposals: int = 0
    proposing_s: float = 0.0
    starts: int = 0


def timed(propose: Propose, outcome: Outcome) -> Propose:
    """Return the sampler, which now notes what its answers cost."""

    def answer(history: History, draw: int) -> Suggestion | None:
        started = time.process_time()
        suggestion = propose(history, draw)
        outcome.proposing_s += time.process_time() - started
        outcome.proposals += 1
        return suggestion

    return answer


class Watched:
    """A search that is looked at while it goes on.

    Args:
        search: The engine.
        problem: What it searches.
        outcome: Where to note what is seen.
        trainings: Looks are taken at REGRET_AFTER up to this, and then.
    """

    def __init__(self, search: Search, problem: Problem, outcome: Outcome, *, trainings: int) -> None:
        self._search = search
        self._problem = problem
        self._outcome = outcome
        self._epochs = 0
        self._looks = {number * problem.max_epochs: number for number in looks(trainings)}

    def next_job(self, now: float) -> Job | None:
        """Return what the engine trains next."""
        return self._search.next_job(now)

    def report(self, event: Reported, now: float) -> Decision:
        """Pass on one epoch and its answer; look at the leaderboard where it is time."""
        decision = self._search.report(event, now)
        self._epochs += 1
        if (number := self._looks.get(self._epochs)) is not None:
            self._outcome.regret[number] = self._regret()
        return decision

    def close(self) -> None:
        """Note the end: a search that has nothing left to do keeps its leaderboard."""
        for number in self._looks.values():
            self._outcome.regret.setdefault(number, self._regret())
        self._outcome.starts = len(self._search.history.trials)

    def _regret(self) -> float:
        first = next(iter(ranking.order(self._search.history)), None)
        return UNRANKED if first is None or not ranking.ranked(first) else self._problem.regret(first.values)


def looks(trainings: int) -> tuple[int, ...]:
    """Return after how many trainings the leaderboard is looked at."""
    return tuple(sorted({number for number in REGRET_AFTER if number < trainings} | {trainings}))


def summary(outcomes: Sequence[Outcome], rng: np.random.Generator) -> dict[str, Any]:
    """Return the figures of one sampler on one problem, with 95 % bootstrap intervals of the means over the repeats."""
    draws = rng.integers(len(outcomes), size=(NUM_BOOTSTRAP, len(outcomes)))
    regret: dict[str, Any] = {}
    for number in outcomes[0].regret:
        values = _column(outcomes, number)
        low, high = _interval(values[draws].mean(axis=1))
        regret[str(number)] = {"mean": float(values.mean()), "low": low, "high": high} | {
            "standard_deviation": float(values.std(ddof=1)),
            "median": float(np.median(values)),
        }
    seconds = np.array([outcome.proposing_s / max(1, outcome.proposals) for outcome in outcomes])
    return {
        "regret": regret,
        "proposal_s": {"mean": float(seconds.mean()), "standard_deviation": float(seconds.std(ddof=1))},
        "starts": float(np.mean([outcome.starts for outcome in outcomes])),
        "n": len(outcomes),
    }


Found = Mapping[str, Mapping[str, Sequence[Outcome]]]
"""Problem -> sampler -> outcomes, in the order of the repeats: equal repeats began with the same random candidates."""


def ratios(found: Found, sampler: str, reference: str, rng: np.random.Generator) -> dict[str, Any]:
    """Return trainings -> geometric mean over problems of a sampler's mean regret divided by that of the reference.

    Repeats are paired: where one has fewer, the other's first ones count. `worst` is the largest ratio on a single problem.
    """
    paired = {name: _paired(by_sampler, (sampler, reference)) for name, by_sampler in found.items()}
    draws = {name: _draws(len(outcomes[sampler]), rng) for name, outcomes in paired.items()}
    result: dict[str, Any] = {}
    for number in next(iter(paired.values()))[sampler][0].regret:
        logs: dict[str, np.ndarray] = {}
        for name, outcomes in paired.items():
            ours, theirs = (
                np.maximum(_column(outcomes[one], number)[draws[name]].mean(axis=1), REGRET_FLOOR) for one in (sampler, reference)
            )
            logs[name] = np.log(ours) - np.log(theirs)
        total = np.exp(np.mean(list(logs.values()), axis=0))
        low, high = _interval(total[1:])
        each = {name: float(np.exp(log[0])) for name, log in logs.items()}
        result[str(number)] = {"ratio": float(total[0]), "low": low, "high": high, "worst": max(each.values()), "problems": each}
    return result


def ranks(found: Found, samplers: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    """Return trainings -> sampler -> mean rank over problems and paired repeats, 1 the least regret, ties shared."""
    paired = [_paired(by_sampler, samplers) for by_sampler in found.values()]
    draws = [_draws(len(outcomes[samplers[0]]), rng) for outcomes in paired]
    result: dict[str, Any] = {}
    for number in paired[0][samplers[0]][0].regret:
        means = []
        for outcomes, drawn in zip(paired, draws, strict=True):
            ranks_RS = rankdata(np.stack([_column(outcomes[one], number) for one in samplers], axis=1), axis=1)
            means.append(ranks_RS[drawn].mean(axis=1))
        mean_BS = np.mean(means, axis=0)
        result[str(number)] = {
            sampler: dict(zip(("mean", "low", "high"), (float(mean_BS[0, column]), *_interval(mean_BS[1:, column])), strict=True))
            for column, sampler in enumerate(samplers)
        }
    return result


def _paired(by_sampler: Mapping[str, Sequence[Outcome]], samplers: Sequence[str]) -> dict[str, Sequence[Outcome]]:
    fewest = min(len(by_sampler[sampler]) for sampler in samplers)
    return {sampler: by_sampler[sampler][:fewest] for sampler in samplers}


def _draws(number: int, rng: np.random.Generator) -> np.ndarray:
    """Return the repeats as they are, then drawn again and again, (1 + NUM_BOOTSTRAP, number)."""
    return np.concatenate([np.arange(number)[None], rng.integers(number, size=(NUM_BOOTSTRAP, number))])


def _column(outcomes: Sequence[Outcome], number: int) -> np.ndarray:
    return np.array([outcome.regret[number] for outcome in outcomes])


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
