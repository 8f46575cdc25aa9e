"""What follows the search, as the sweep file asks for it: confirmation, finals, their ensemble; runs, epochs and hours beforehand.

Who will lead nobody knows: the leaders of the simulated orders of scores stand for them, so that the spread over those is told.
"""

import heapq
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from results import ranking
from results.history import History, TrialRecord
from search_spaces.final_options import FinalOptions
from search_spaces.sweep import Sweep
from trainable.config.train import TrainConfig
from tuner import final_plan

# Seconds of one epoch of a configuration.
EpochS = Callable[[TrainConfig], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that is done behind the search; what depends on speed is None where no speed is known.

    Attributes:
        name: `confirm`, at most so much of it, or `finals`.
        runs: Trainings, candidates of searches within stages included.
        epochs: Of all of them together.
        gpu_hours: Hours in which workers train, summed over workers: the mean over the simulated leaders.
        gpu_hours_low: The least.
        gpu_hours_high: The most.
        wall_s: Seconds, one run to a worker; starting Ray, tests and packages left out.
        cost: `gpu_hours` times the price; None where that was not given.
    """

    name: str
    runs: int
    epochs: int
    gpu_hours: float | None
    gpu_hours_low: float | None
    gpu_hours_high: float | None
    wall_s: float | None
    cost: float | None


def steps(sweep: Sweep, outcomes: Sequence[History], *, workers: int, epoch_s: EpochS | None, price: float | None = None) -> list[Step]:
    """Return what follows the search, in its order; nothing where the file asks for nothing.

    Args:
        sweep: The sweep.
        outcomes: Ends of the search that may come.
        workers: Trainings at once.
        epoch_s: What an epoch takes; None where nobody knows.
        price: Of one device hour.

    Raises:
        UsageError: An override does not fit the recipe of a trial that may lead.
    """
    options = sweep.final
    if options is None:
        return []
    found = []
    if options.confirm is not None:
        lengths = [_confirmation(sweep, options, leaders) for leaders in _leaders(outcomes, options.confirm.top)]
        found.append(_step("confirm", lengths, workers, epoch_s, price))
    lengths = [_finals(sweep, options, leaders) for leaders in _leaders(outcomes, options.top)]
    found.append(_step("finals", lengths, workers, epoch_s, price))
    return found


# Runs that may be at work together: a recipe and its epochs each. Those of a later stage wait for those of the one before.
Stage = list[tuple[TrainConfig, int]]


def _leaders(outcomes: Sequence[History], top: int) -> list[list[TrialRecord]]:
    return [leaders[:top] for outcome in outcomes if (leaders := ranking.leaders(outcome))]


def _confirmation(sweep: Sweep, options: FinalOptions, leaders: Sequence[TrialRecord]) -> list[Stage]:
    assert options.confirm is not None
    return [[(TrainConfig.model_validate(leader.config), sweep.max_epochs) for leader in leaders for _ in range(options.confirm.seeds)]]


def _finals(sweep: Sweep, options: FinalOptions, leaders: Sequence[TrialRecord]) -> list[Stage]:
    """Return the runs of each stage of all finals."""
    plans = [final_plan.plan(sweep, leader, options, sweep.resources) for leader in leaders]
    searches = [stage.search.trials if stage.search else 1 for stage in options.stages] or [1]
    return [
        [
            (TrainConfig.model_validate({**plan.contents[number], "seed": seed}), int(plan.contents[number]["max_epochs"]))
            for plan in plans
            for seed in plan.seeds
            for _ in range(candidates)
        ]
        for number, candidates in enumerate(searches)
    ]


def _step(name: str, outcomes: Sequence[list[Stage]], workers: int, epoch_s: EpochS | None, price: float | None) -> Step:
    most = max(outcomes, key=lambda stages: sum(map(len, stages)), default=[])
    hours, wall_s = [], []
    if epoch_s is not None:
        for stages in outcomes:
            seconds = [[epoch_s(config) * epochs for config, epochs in stage] for stage in stages]
            hours.append(sum(map(sum, seconds)) / 3600)
            wall_s.append(sum(_makespan(stage, workers) for stage in seconds))
    mean_h = statistics.fmean(hours) if hours else None
    return Step(
        name=name,
        runs=sum(map(len, most)),
        epochs=sum(epochs for stage in most for _, epochs in stage),
        gpu_hours=mean_h,
        gpu_hours_low=min(hours, default=None),
        gpu_hours_high=max(hours, default=None),
        wall_s=statistics.fmean(wall_s) if wall_s else None,
        cost=mean_h * price if mean_h is not None and price is not None else None,
    )


def _makespan(seconds: Sequence[float], workers: int) -> float:
    """Return when the last of some runs ends, each taken by the first worker that is free."""
    free = [0.0] * workers
    for run_s in seconds:
        heapq.heappush(free, heapq.heappop(free) + run_s)
    return max(free)
