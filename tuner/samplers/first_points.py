"""Candidates to try before the sampler's own: the file's `search.start`, then the best trials of earlier sweeps (`search.transfer`)."""

import random
from collections.abc import Callable, Mapping, Sequence

from results.history import History
from search_spaces import points as points_of
from search_spaces.domains import Value
from search_spaces.space import Space
from search_spaces.sweep import Earlier, SearchOptions
from tuner.decisions import Suggestion


def points(search: SearchOptions, space: Space) -> list[tuple[str, Mapping[str, Value]]]:
    """Return source and values of each point, in the order in which they are tried; values may be few."""
    start = [("start", points_of.read(point, space)[0]) for point in search.start]
    best = [("transfer", earlier.best) for earlier in search.transfer if isinstance(earlier, Earlier) and earlier.best]
    return [*start, *best]


def sampler(
    found: Sequence[tuple[str, Mapping[str, Value]]], then: Callable[[History, int], Suggestion | None], space: Space, *, seed: int
) -> Callable[[History, int], Suggestion | None]:
    """Return a sampler whose first draws are the points, and whose others are those of another sampler.

    Args:
        found: What `points` returned; what a point leaves open depends on (seed, draw) alone.
        then: Asked from draw len(found) on.
        space: What may vary.
        seed: The sweep's seed.
    """

    def propose(history: History, draw: int) -> Suggestion | None:
        if draw >= len(found):
            return then(history, draw)
        source, given = found[draw]
        return Suggestion(values=space.sample(random.Random(f"{seed}/{draw}"), given=given), draw=draw, source=source)

    return propose
