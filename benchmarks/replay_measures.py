"""What a replay measures: who was trained to the end, and who leads the leaderboard after so many trainings.

One ranking for every method, that of our leaderboard: by rung reached, then by the score there, then by trial. A method that compares
at no rung is ranked by the epochs trained. What has diverged has no rank.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.curve_tables import CurveTable
from results.events import Reported
from tuner.decisions import Decision, Job
from tuner.search import Steering

REGRET_AFTER = (3, 5, 10, 20, 40)  # full trainings
CURVE_AFTER = (1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40)  # those, and what a figure needs between them
NUM_BOOTSTRAP = 1000
# A mean regret below this share of the unit counts as this: a ratio to zero says nothing.
REGRET_FLOOR = 1e-3


@dataclass(slots=True)
class Outcome:
    """What one replay found.

    Attributes:
        top1: Full trainings spent when a configuration of the top 1 % had been trained to the end; infinite if never.
        top5: The same for the top 5 %.
        regret: Full trainings -> regret of the leaderboard's first row then (at the end, where the replay ended before).
        curve: The same, at CURVE_AFTER.
        seconds: What the replay took.
        trainings: Full trainings spent in all.
        starts: Configurations started.
    """

    top1: float = math.inf
    top5: float = math.inf
    regret: dict[int, float] = field(default_factory=dict)
    curve: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    trainings: float = 0.0
    starts: int = 0


class Watched:
    """A steering that is looked at while it steers, and told to end when everything has been seen.

    Args:
        ladder: Epochs at which the method compares; None where it may do so after every epoch.
        budget: Full trainings to watch at least; then until the top 1 % has been met.
    """

    def __init__(self, steering: Steering, table: CurveTable, ladder: Collection[int] | None, *, budget: float) -> None:
        self.outcome = Outcome()
        self._steering = steering
        self._table = table
        self._ladder = None if ladder is None else frozenset(ladder)
        self._tops = {"top1": table.top(0.01), "top5": table.top(0.05)}
        self._budget_epochs = budget * table.max_epochs
        self._epochs = 0
        self._rows: dict[str, int] = {}
        self._standings: dict[str, tuple[int, float]] = {}
        self._looks = {number * table.max_epochs: number for number in CURVE_AFTER}

    def next_job(self, now: float) -> Job | None:
        """Pass on what the method trains next; None once everything has been seen."""
        if self._seen_all or (job := self._steering.next_job(now)) is None:
            return None
        self._rows[job.trial] = job.config.seed
        return job

    def report(self, event: Reported, now: float) -> Decision:
        """Take note of one epoch, and pass on the answer."""
        decision = self._steering.report(event, now)
        self._epochs += 1
        if event.score is None:
            self._standings.pop(event.trial, None)
        elif event.epoch == self._table.max_epochs or self._ladder is None or event.epoch in self._ladder:
            self._standings[event.trial] = (event.epoch, event.score)
        if event.epoch == self._table.max_epochs and event.score is not None:
            self._completed(self._rows[event.trial])
        if (number := self._looks.get(self._epochs)) is not None:
            self.outcome.curve[number] = self._regret()
        return Decision(action="stop") if self._seen_all else decision

    def close(self) -> Outcome:
        """Return what was found: a method that has nothing left to do keeps its leaderboard."""
        for number in CURVE_AFTER:
            self.outcome.curve.setdefault(number, self._regret())
        self.outcome.regret = {number: self.outcome.curve[number] for number in REGRET_AFTER}
        self.outcome.trainings = self._epochs / self._table.max_epochs
        self.outcome.starts = len(self._rows)
        return self.outcome

    def leader(self) -> str | None:
        """Return the trial that leads the leaderboard; None while nobody has a rank."""
        return min(self._standings, key=lambda trial: (-self._standings[trial][0], -self._standings[trial][1], trial), default=None)

    @property
    def _seen_all(self) -> bool:
        return self._epochs >= self._budget_epochs and math.isfinite(self.outcome.top1)

    def _completed(self, row: int) -> None:
        trainings = self._epochs / self._table.max_epochs
        if row in self._tops["top1"]:
            self.outcome.top1 = min(self.outcome.top1, trainings)
        if row in self._tops["top5"]:
            self.outcome.top5 = min(self.outcome.top5, trainings)

    def _regret(self) -> float:
        leader = self.leader()
        worst = float((self._table.finals.max() - self._table.finals.min()) / self._table.span)
        return worst if leader is None else self._table.regret(self._rows[leader])


def summary(outcomes: Sequence[Outcome], rng: np.random.Generator) -> dict[str, object]:
    """Return the figures of one method on one table, with 95 % bootstrap intervals over the orders.

    A median or an end of its interval is None where half of the repeats never got there.

    Args:
        outcomes: One for each repeat.
        rng: Draws the bootstrap.
    """
    draws = rng.integers(len(outcomes), size=(NUM_BOOTSTRAP, len(outcomes)))
    found: dict[str, object] = {}
    for name in ("top1", "top5"):
        values = _column(outcomes, name)
        low, high = _interval(_medians(values[draws]))
        found[name] = {
            "median": _finite(float(_medians(values[None])[0])),
            "low": low,
            "high": high,
            "missed": float(np.mean(np.isinf(values))),
        }
    regrets = {str(number): _mean([outcome.regret[number] for outcome in outcomes], draws) for number in REGRET_AFTER}
    curve = {str(number): _mean([outcome.curve[number] for outcome in outcomes], draws) for number in outcomes[0].curve}
    seconds = _column(outcomes, "seconds")
    return found | {"regret": regrets, "regret_curve": curve, "n": len(outcomes), "seconds_per_repeat": float(seconds.mean())}


def ratios(
    method: Mapping[str, Sequence[Outcome]], reference: Mapping[str, Sequence[Outcome]], rng: np.random.Generator
) -> dict[str, object]:
    """Return the geometric means, over tables, of a method's figures divided by those of the reference.

    Orders are paired: where one has fewer repeats, the other's first ones count. `worst` is the largest ratio on a single table. None
    where a median is None.

    Args:
        method: Table -> outcomes, in the order of the repeats.
        reference: The same for what is divided by.
        rng: Draws the bootstrap.
    """
    found: dict[str, object] = {name: _ratio(method, reference, name, rng) for name in ("top1", "top5")}
    return found | {"regret": {str(number): _ratio(method, reference, str(number), rng) for number in REGRET_AFTER}}


def _ratio(
    method: Mapping[str, Sequence[Outcome]], reference: Mapping[str, Sequence[Outcome]], name: str, rng: np.random.Generator
) -> dict[str, object]:
    means: dict[str, float] = {}
    logs: list[np.ndarray] = []
    for table in method:
        n = min(len(method[table]), len(reference[table]))
        draws = np.concatenate([np.arange(n)[None], rng.integers(n, size=(NUM_BOOTSTRAP, n))])
        ours, theirs = (_centre(_column(outcomes[table][:n], name)[draws], name) for outcomes in (method, reference))
        with np.errstate(invalid="ignore"):
            log = np.log(ours) - np.log(theirs)
        logs.append(log)
        means[table] = float(np.exp(log[0]))
    total = np.exp(np.mean(logs, axis=0))
    low, high = _interval(total[1:])
    known = {table: ratio for table, ratio in means.items() if math.isfinite(ratio)}
    return {
        "ratio": _finite(float(total[0])),
        "low": low,
        "high": high,
        "worst": _finite(max(means.values())) if len(known) == len(means) else None,
        "tables": {table: _finite(ratio) for table, ratio in means.items()},
    }


def _mean(values: Sequence[float], draws: np.ndarray) -> dict[str, object]:
    values_N = np.array(values)
    low, high = _interval(values_N[draws].mean(axis=1))
    return {"mean": float(values_N.mean()), "low": low, "high": high}


def _column(outcomes: Sequence[Outcome], name: str) -> np.ndarray:
    if name.isdigit():
        return np.array([outcome.regret[int(name)] for outcome in outcomes])
    return np.array([getattr(outcome, name) for outcome in outcomes], dtype=float)


def _centre(values_BN: np.ndarray, name: str) -> np.ndarray:
    return _medians(values_BN) if not name.isdigit() else np.maximum(values_BN.mean(axis=1), REGRET_FLOOR)


def _medians(values_BN: np.ndarray) -> np.ndarray:
    """Return the median of each row; infinite where half of it is."""
    n = values_BN.shape[1]
    ordered = np.sort(values_BN, axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((ordered[:, (n - 1) // 2] + ordered[:, n // 2]) / 2)


def _interval(values: np.ndarray) -> tuple[float | None, float | None]:
    ordered = np.sort(values)  # NaN, infinity divided by infinity, comes last
    return _finite(float(ordered[int(0.025 * len(ordered))])), _finite(float(ordered[int(0.975 * len(ordered))]))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
