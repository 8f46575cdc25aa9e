"""Fold a journal into a search, and settle its last line: starting a sweep is restoring an empty one."""

from collections.abc import Iterable

from results.events import Event, seconds
from results.history import History, uncollected
from search_spaces.feasible_space import prepared
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from tuner import requests, verdict
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
    with uncollected():
        for event in events:
            search.apply(event)
    _settle(search, now)
    return search


def _settle(search: Search, now: float) -> None:
    """Finish what a killed driver had begun to write: a report without its decision, a request or a last loss without its end.

    It is dated to that driver's last word: until now none has run.
    """
    history = search.history
    if history.driver is not None:
        now = seconds(history.last_at)
    for record in history.trials.values():
        if record.stop_asked is not None and record.ended is None:
            search.record(requests.stopped(record.trial, record.stop_asked.author, now))
        elif record.status == "pending" and record.losses and (ended := verdict.worn_out(record, record.losses[-1], now)) is not None:
            search.record(ended)
    for trial in sorted(history.running):
        record = history.trials[trial]
        if (last := record.last) is None:
            continue
        decided = next((fact for fact in reversed(record.decisions) if fact.epoch == last.epoch), None)
        if decided is None:
            if facts := search.judge(record, last, now).facts:
                search.record(*facts)
        elif decided.action == "stop":
            search.record(verdict.stopped(decided, now))
