"""Grid search: every combination once, in the order of the sweep file, the last parameter fastest.

Parameters named by `search.random` are not crossed: each combination draws them anew. With more trials than combinations it goes round
again, as Ray Tune's `num_samples` does with a `grid_search` beside a `uniform`, only that here the file counts trials, not rounds.
"""

import random
from collections.abc import Callable

from results.history import History
from search_spaces.space import Space
from search_spaces.sweep import SearchOptions
from tuner.decisions import Suggestion


def sampler(space: Space, search: SearchOptions, *, seed: int, first_draw: int) -> Callable[[History, int], Suggestion | None]:
    """Return a sampler whose draw n is the n-th combination.

    Args:
        space: What may vary; every domain that is crossed is finite (`search_spaces.search_checks` refuses a continuous one).
        search: Which parameters are drawn. Where some are and `trials` is given it goes round for ever, else once.
        seed: The sweep's seed; what draw n draws depends on (seed, n) alone.
        first_draw: Number of the draw that gives the first combination.
    """
    combinations = list(space.without(search.random).grid())

    def propose(history: History, draw: int) -> Suggestion | None:
        number = draw - first_draw
        if number >= len(combinations) and search.ends:
            return None
        crossed = combinations[number % len(combinations)]
        values = space.sample(random.Random(f"{seed}/{draw}"), given=crossed) if search.random else crossed
        return Suggestion(values=values, draw=draw, source="grid")

    return propose
