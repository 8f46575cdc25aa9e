"""What a sweep will do, before it costs anything: its architectures, its rungs, its expected epochs."""

import random
import statistics
from dataclasses import dataclass

from search_spaces import feasible
from search_spaces.errors import Locate
from search_spaces.space import Space
from search_spaces.sweep import LEARNING, SearchOptions, Sweep
from trainable.config.cost import ArchitectureCost
from tuner.decisions import Job
from tuner.restore import restore
from tuner.search import Cost
from tuner.simulate import Curves, simulate

# Simulated sweeps with scores in random order; the spread over them is printed, so that a reader sees what the mean is worth.
SIMULATIONS = 20
# A sweep of more trials than this is simulated once: its mean moves by less than a percent.
MANY_TRIALS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to expect of a sweep.

    Attributes:
        trials: Trials that will be launched at most.
        combinations: Size of the space; None where it is infinite.
        feasible: Share of candidates that keep every constraint, 0..1.
        architectures: Label or description -> cost, the smallest first; only those that keep the constraints.
        ladder: Rungs in epochs.
        max_epochs: Epochs of a trial trained in full.
        epochs_mean: Epochs trained, all trials together, over simulated sweeps with scores in random order.
        epochs_low: The least of them.
        epochs_high: The most of them.
        epochs_in_full: Epochs without early stopping.
    """

    trials: int
    combinations: int | None
    feasible: float
    architectures: dict[str, ArchitectureCost]
    ladder: tuple[int, ...]
    max_epochs: int
    epochs_mean: float
    epochs_low: int
    epochs_high: int
    epochs_in_full: int


def plan(sweep: Sweep, cost: Cost, *, workers: int, place: Locate) -> Plan:
    """Return what to expect; nothing is trained.

    Args:
        sweep: The sweep.
        cost: Counts what an architecture costs.
        workers: Trials at once; promotion depends on it a little.
        place: Where the constraints stand in the file, for the refusal of a space in which nothing fits.

    Raises:
        SweepError: No candidate fits the constraints.
    """
    space = Space.parse(sweep.trial)
    found = feasible.check(space, sweep, cost, position=place)
    unlimited = sweep.model_copy(update={"budget": type(sweep.budget)(), "search": _unlearned(sweep.search)})
    spent = []
    num_trials = 0
    search = restore(unlimited, [], cost=cost, append=lambda events, sync: None, now=0.0)
    for repeat in range(1 if search.num_trials > MANY_TRIALS else SIMULATIONS):
        search = restore(unlimited, [], cost=cost, append=lambda events, sync: None, now=0.0)
        spent.append(simulate(search, _random_scores(repeat), num_workers=workers).epochs)
        num_trials = len(search.history.trials)
    return Plan(
        trials=num_trials,
        combinations=space.size(),
        feasible=found.share,
        architectures=dict(sorted(found.architectures.items(), key=lambda item: item[1].parameters)),
        ladder=search.ladder,
        max_epochs=sweep.max_epochs,
        epochs_mean=statistics.fmean(spent),
        epochs_low=min(spent),
        epochs_high=max(spent),
        epochs_in_full=num_trials * sweep.max_epochs,
    )


def _unlearned(search: SearchOptions) -> SearchOptions:
    """Return the options with a sampler that does not learn: scores in random order teach nothing, and it would take long."""
    return search.model_copy(update={"sampler": "random"}) if search.sampler in LEARNING else search


def _random_scores(repeat: int) -> Curves:
    """Return curves that keep a random order among trials over all epochs."""

    def curves(job: Job, epoch: int) -> dict[str, float | None]:
        return {"score": random.Random(f"{repeat}/{job.trial}").random()}

    return curves
