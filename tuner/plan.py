"""What a sweep will do, before it costs anything: its architectures, its rungs, its epochs, its time and its cost.

The production engine is simulated, from its first draw to its end, with scores in random order: which trials go on is what nobody can
know beforehand, how many do is what this answers. The candidates are those that the sweep will draw.
"""

import random
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from results.events import DriverStarted, stamp
from search_spaces import feasible
from search_spaces.errors import Locate
from search_spaces.scheduler_options import RunAllOptions
from search_spaces.space import Space
from search_spaces.sweep import LEARNING, BudgetOptions, SearchOptions, Sweep
from trainable.config.train import TrainConfig
from tuner.decisions import Job
from tuner.plan_finals import Step, steps
from tuner.restore import restore
from tuner.search import Cost, Search
from tuner.simulate import Curves, Trace, simulate
from tuner.speed import Candidate, Speed

# Simulated sweeps with scores in random order; the spread over them is printed, so that a reader sees what the mean is worth.
SIMULATIONS = 20
# A sweep of more trials than this is simulated once: its mean moves by less than a percent.
MANY_TRIALS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One network that keeps the constraints.

    Attributes:
        label: Its label, else what it is made of.
        parameters: Trainable parameters.
        flops_per_image: Of one forward pass, a multiply-add counted as two.
        activation_bytes_per_image: What one image's forward pass keeps for the backward pass, in float32.
    """

    label: str
    parameters: int
    flops_per_image: int
    activation_bytes_per_image: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRung:
    """How many trials are trained up to a rung, over the simulated orders.

    Attributes:
        epochs: The rung.
        trials_mean: Trials that get as far.
        trials_low: The least of the simulated orders.
        trials_high: The most of them.
    """

    epochs: int
    trials_mean: float
    trials_low: int
    trials_high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to expect of a sweep; what depends on speed is None where no speed is known.

    Attributes:
        name: The sweep's.
        trials: Trials that will be launched: the mean.
        combinations: Size of the space; None where it is infinite.
        feasible: Share of candidates that keep every constraint, 0..1.
        architectures: The smallest first.
        ladder: Rungs in epochs.
        max_epochs: Epochs of a trial trained in full.
        rungs: Trials at each rung.
        completed: Trials trained in full.
        epochs: Epochs trained, all trials together: the mean.
        epochs_low: The least of the simulated orders.
        epochs_high: The most of them.
        epochs_in_full: Epochs without early stopping.
        workers: Trials at once.
        gpu_hours: Hours in which workers train, summed over workers, as `budget.gpu_hours` counts them (processors count as well).
        gpu_hours_low: The least.
        gpu_hours_high: The most.
        wall_s: Seconds from the driver's start to the sweep's end, as `budget.wall_clock` counts them.
        wall_s_low: The least.
        wall_s_high: The most.
        price: Of one device hour, in any currency; None where it was not given.
        cost: `gpu_hours` times `price`.
        speed: Where the seconds come from; None where they are unknown.
        budget: What the budget will cut off, a sentence each.
        after: What the file asks for behind the search: confirmation, finals. No part of the figures above.
    """

    name: str
    trials: float
    combinations: int | None
    feasible: float
    architectures: list[Architecture]
    ladder: tuple[int, ...]
    max_epochs: int
    rungs: list[ExpectedRung]
    completed: ExpectedRung
    epochs: float
    epochs_low: int
    epochs_high: int
    epochs_in_full: int
    workers: int
    gpu_hours: float | None
    gpu_hours_low: float | None
    gpu_hours_high: float | None
    wall_s: float | None
    wall_s_low: float | None
    wall_s_high: float | None
    price: float | None
    cost: float | None
    speed: str | None
    budget: list[str]
    after: list[Step]


def plan(sweep: Sweep, cost: Cost, *, workers: int, place: Locate, speed: Speed | None = None, price: float | None = None) -> Plan:
    """Return what to expect; nothing is trained.

    Args:
        sweep: The sweep.
        cost: Counts what an architecture costs.
        workers: Trials at once; promotion depends on it a little, time a lot.
        place: Where the constraints stand in the file, for the refusal of a space in which nothing fits.
        speed: What epochs take; None where nobody knows.
        price: Of one device hour.

    Raises:
        SweepError: No candidate fits the constraints.
        UsageError: An override of `final` does not fit a trial that may lead.
    """
    space = Space.parse(sweep.trial)
    found = feasible.check(space, sweep, cost, position=place)
    outcomes = _outcomes(sweep, cost, workers, speed)
    without = _outcomes(_with_budget(sweep, BudgetOptions()), cost, workers, speed) if _limited(sweep.budget) else outcomes
    epochs = [trace.epochs for _, trace in outcomes]
    busy_h = [trace.busy_s / 3600 for _, trace in outcomes] if speed else []
    wall_s = [trace.wall_s + speed.start_s for _, trace in outcomes] if speed else []
    search = without[0][0]
    return Plan(
        name=sweep.name,
        trials=statistics.fmean(len(search.history.trials) for search, _ in outcomes),
        combinations=space.size(),
        feasible=found.share,
        architectures=sorted(
            (
                Architecture(
                    label=label,
                    parameters=one.parameters,
                    flops_per_image=one.flops_per_image,
                    activation_bytes_per_image=one.activation_bytes_per_image,
                )
                for label, one in found.architectures.items()
            ),
            key=lambda one: one.parameters,
        ),
        ladder=search.ladder,
        max_epochs=sweep.max_epochs,
        rungs=[_rung(rung, [search for search, _ in outcomes]) for rung in search.ladder],
        completed=_rung(sweep.max_epochs, [search for search, _ in outcomes]),
        epochs=statistics.fmean(epochs),
        epochs_low=min(epochs),
        epochs_high=max(epochs),
        epochs_in_full=len(search.history.trials) * sweep.max_epochs,
        workers=workers,
        gpu_hours=_mean(busy_h),
        gpu_hours_low=min(busy_h, default=None),
        gpu_hours_high=max(busy_h, default=None),
        wall_s=_mean(wall_s),
        wall_s_low=min(wall_s, default=None),
        wall_s_high=max(wall_s, default=None),
        price=price,
        cost=statistics.fmean(busy_h) * price if busy_h and price is not None else None,
        speed=speed.source if speed else None,
        budget=_cuts(sweep, outcomes, without, speed),
        after=steps(sweep, [search.history for search, _ in outcomes], workers=workers, epoch_s=_plain_epoch_s(speed, cost), price=price),
    )


def likely(sweep: Sweep, cost: Cost, *, workers: int) -> list[tuple[Candidate, float]]:
    """Return what a sweep will probably train, each candidate with its epochs, for a calibration to choose from."""
    search, _ = _simulated(_with_budget(sweep, BudgetOptions()), cost, workers, None, 0)
    candidates = []
    for record in search.history.trials.values():
        config = TrainConfig.model_validate(record.config)
        candidates.append((Candidate(config, cost(config)), float(record.epochs)))
    return candidates


def _outcomes(sweep: Sweep, cost: Cost, workers: int, speed: Speed | None) -> list[tuple[Search, Trace]]:
    """Return the sweep's ends under several orders of scores."""
    first = _simulated(sweep, cost, workers, speed, 0)
    repeats = 1 if first[0].num_trials > MANY_TRIALS or not _scores_matter(sweep, speed) else SIMULATIONS
    return [first, *(_simulated(sweep, cost, workers, speed, repeat) for repeat in range(1, repeats))]


def _scores_matter(sweep: Sweep, speed: Speed | None) -> bool:
    """Return whether other scores could change what is expected: not where all is trained in full, unless they choose what is slow."""
    stops = not isinstance(sweep.scheduler.rule, RunAllOptions) or sweep.scheduler.patience is not None
    return stops or (speed is not None and sweep.search.sampler in LEARNING)


def _simulated(sweep: Sweep, cost: Cost, workers: int, speed: Speed | None, repeat: int) -> tuple[Search, Trace]:
    if speed is None:  # then only the counted limits can be simulated
        sweep = _with_budget(sweep, sweep.budget.model_copy(update={"gpu_hours": None, "wall_clock": None}))
    # Whose curve stands still cannot be foreseen; the simulated scores, which never move, would all lose patience.
    restless = sweep.scheduler.model_copy(update={"patience": None})
    sweep = sweep.model_copy(update={"search": _unlearned(sweep.search), "scheduler": restless})
    search = restore(sweep, [], cost=cost, append=lambda events, sync: None, now=0.0)
    search.apply(DriverStarted(at=stamp(0.0), host="", pid=0, slots=workers))
    start_s = speed.start_s if speed else 0.0
    epoch_s = _epoch_s(speed, cost) if speed else lambda job: 1.0
    launch_s = (lambda job: speed.segment_s) if speed else lambda job: 0.0
    return search, simulate(search, _random_scores(repeat), num_workers=workers, epoch_s=epoch_s, launch_s=launch_s, start_s=start_s)


def _epoch_s(speed: Speed, cost: Cost) -> Callable[[Job], float]:
    """Return the seconds of an epoch of a job: what was predicted, and its share of the checkpoints on the way."""
    predict = speed.epoch_s()
    known: dict[str, float] = {}

    def epoch_s(job: Job) -> float:
        if job.trial not in known:
            known[job.trial] = predict(Candidate(job.config, cost(job.config)))
        length = job.until_epoch - job.from_epoch
        checkpoints = 1 + sum(epoch % job.checkpoint_epochs == 0 for epoch in range(job.from_epoch + 1, job.until_epoch))
        return known[job.trial] + speed.save_s * checkpoints / length

    return epoch_s


def _plain_epoch_s(speed: Speed | None, cost: Cost) -> Callable[[TrainConfig], float] | None:
    """Return the seconds of an epoch of a recipe; None where no speed is known."""
    if speed is None:
        return None
    predict = speed.epoch_s()
    return lambda config: predict(Candidate(config, cost(config)))


def _rung(rung: int, searches: Iterable[Search]) -> ExpectedRung:
    counts = [sum(record.epochs >= rung for record in search.history.trials.values()) for search in searches]
    return ExpectedRung(epochs=rung, trials_mean=statistics.fmean(counts), trials_low=min(counts), trials_high=max(counts))


def _cuts(sweep: Sweep, outcomes: list[tuple[Search, Trace]], without: list[tuple[Search, Trace]], speed: Speed | None) -> list[str]:
    """Return what the budget will do to the sweep."""
    found = []
    if speed is None and (sweep.budget.gpu_hours or sweep.budget.wall_clock_s):
        found.append("gpu_hours and wall_clock cannot be weighed while no speed is known; measure it with --calibrate")
    if not _limited(sweep.budget) or (speed is None and sweep.budget.epochs is None and sweep.budget.trials is None):
        return found
    stopped = [search for search, _ in outcomes if search.stopped_by]
    if not stopped:
        return [*found, "enough in every simulated order of scores"]
    limits = sorted({(search.stopped_by or "").removeprefix("budget of ").partition(":")[0] for search in stopped})
    epochs, wanted = (statistics.fmean(trace.epochs for _, trace in traces) for traces in (outcomes, without))
    trials, asked = (statistics.fmean(len(search.history.trials) for search, _ in searches) for searches in (outcomes, without))
    often = f"in {len(stopped)} of {len(outcomes)} simulated orders" if len(stopped) < len(outcomes) else "always"
    found.append(
        f"{' and '.join(limits)} ends the sweep early {often}: {epochs:,.0f} of {wanted:,.0f} epochs, {trials:,.0f} of {asked:,.0f} trials"
    )
    return found


def _limited(budget: BudgetOptions) -> bool:
    return budget != BudgetOptions()


def _with_budget(sweep: Sweep, budget: BudgetOptions) -> Sweep:
    return sweep.model_copy(update={"budget": budget})


def _mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _unlearned(search: SearchOptions) -> SearchOptions:
    """Return the options with a sampler that does not learn: scores in random order teach nothing, and it would take long."""
    return search.model_copy(update={"sampler": "random"}) if search.sampler in LEARNING else search


def _random_scores(repeat: int) -> Curves:
    """Return curves that keep a random order among trials over all epochs."""

    def curves(job: Job, epoch: int) -> dict[str, float | None]:
        return {"score": random.Random(f"{repeat}/{job.trial}").random()}

    return curves
