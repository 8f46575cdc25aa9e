"""Fold a journal into a search, and settle its last line: starting a sweep is restoring an empty one."""

from collections.abc import Iterable

from results.events import Event
from results.history import History
from search_spaces.feasible_space import prepared
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from tuner.budget import Budget
from tuner.samplers import sampler
from tuner.schedulers import scheduler
from tuner.search import Append, Cost, Search


def restore(sweep: Sweep, events: Iterable[Event], *, cost: Cost, append: Append, now: float) -> Search:
    """Return the search as it stood after the last event.

    Past decisions are facts and are not taken again. What the last driver had heard but not answered when it was killed (a
    report at a rung without its decision) is answered now, by the same rule from the same rungs.

    Args:
        sweep: The resolved sweep.
        events: Its journal, oldest first; empty for a new sweep.
        cost: Counts what an architecture costs.
        append: Writes events to the journal.
        now: Seconds since 1970.
    """
    space = Space.parse(sweep.trial)
    feasible = prepared(sweep, cost)
    search = Search(
        sweep,
        space=space,
        scheduler=scheduler.build(sweep.scheduler.rule, sign=sweep.objective.sign, patience=sweep.scheduler.patience),
        propose=sampler.build(sweep, space, feasible),
        feasible=feasible,
        cost=cost,
        budget=Budget(sweep.budget),
        history=History(),
        append=append,
    )
    for event in events:
        search.apply(event)
    search.settle(now)
    return search
