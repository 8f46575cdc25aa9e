"""A few candidates over many seeds: the next seed goes to the candidate about which it decides most; none when the best is clear.

Every candidate takes the seeds in the same order, so that any two can be compared in pairs. Pure: what has been launched and what came of
it says what is next, so a killed sweep goes on as it would have.
"""

from collections.abc import Callable, Mapping, Sequence

from results.analysis import confirmed
from results.history import History, TrialRecord
from search_spaces import points
from search_spaces.domains import Choice, Value
from search_spaces.space import Space
from search_spaces.sweep import SearchOptions
from tuner.decisions import WAIT, Suggestion

FIRST = 2  # seeds that each candidate gets before anything is compared: a spread takes two
CLEAR = 0.95  # probability of being the best at which no more seeds are spent

SEED = "seed"
OVER = frozenset({"completed", "stopped", "diverged", "out_of_memory", "failed"})


def candidates(search: SearchOptions, space: Space) -> list[dict[str, Value]]:
    """Return what `search.configurations` lists, without seeds (`search_spaces.search_checks` has seen to the rest)."""
    return [points.read(configuration, space)[0] for configuration in search.configurations]


def seeds(space: Space) -> list[int]:
    """Return the seeds to choose from, in their order."""
    (parameter,) = (parameter for parameter in space.parameters if parameter.path == SEED)
    assert isinstance(parameter.domain, Choice)
    return [int(option.content) for option in parameter.domain.options]


def sampler(found: Sequence[Mapping[str, Value]], order: Sequence[int], *, sign: int) -> Callable[[History, int], Suggestion | None]:
    """Return the sampler.

    Args:
        found: The candidates.
        order: Seeds, in the order in which every candidate takes them.
        sign: +1 where the objective is maximised.
    """

    def propose(history: History, draw: int) -> Suggestion | None:
        runs = [_runs(history, values) for values in found]
        counts = [len(one) for one in runs]
        in_flight = any(run.status not in OVER for one in runs for run in one)
        least = min(counts)
        if least < min(FIRST, len(order)):
            return _suggest(counts.index(least), least, draw)
        scores = [[score for run in one if (score := _score(run)) is not None] for one in runs]
        unsure = any(len(own) < FIRST and any(run.status not in OVER for run in one) for own, one in zip(scores, runs, strict=True))
        if unsure:
            return WAIT
        if clear(scores, sign=sign):
            return WAIT if in_flight else None
        for number in confirmed.starving(scores, counts, sign=sign):
            if counts[number] < len(order):
                return _suggest(number, counts[number], draw)
        return None

    def _suggest(number: int, place: int, draw: int) -> Suggestion:
        return Suggestion(values={**found[number], SEED: order[place]}, draw=draw, source="more_seeds")

    return propose


def clear(scores: Sequence[Sequence[float]], *, sign: int) -> bool:
    """Return whether the best is clear: so probably the one that no further seed is worth its price, or the only one that trains at all."""
    if len(scores) < 2:
        return False  # a single one has no rival: all of its seeds are for its interval
    if sum(bool(one) for one in scores) < 2:
        return True
    shares = confirmed.probability_best(scores, sign=sign)
    return shares is not None and max(shares) >= CLEAR


def _runs(history: History, values: Mapping[str, Value]) -> list[TrialRecord]:
    return [run for run in history.trials.values() if {path: value for path, value in run.values.items() if path != SEED} == values]


def _score(run: TrialRecord) -> float | None:
    """Return the score of a run that came to its end; one that did not has none."""
    return run.last.score if run.status == "completed" and run.last is not None else None
