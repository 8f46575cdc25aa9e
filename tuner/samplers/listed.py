"""Candidates one after the other from a list that is known beforehand."""

from collections.abc import Callable, Mapping, Sequence

from results.history import History
from search_spaces import points
from search_spaces.domains import Value
from search_spaces.space import Space
from search_spaces.sweep import SearchOptions
from tuner.decisions import Suggestion


def candidates(search: SearchOptions, space: Space) -> list[dict[str, Value]]:
    """Return what `search.configurations` lists (`search_spaces.search_checks` has seen to it that each is a candidate)."""
    return [points.read(configuration, space)[0] for configuration in search.configurations]


def sampler(found: Sequence[Mapping[str, Value]], source: str, *, first_draw: int) -> Callable[[History, int], Suggestion | None]:
    """Return a sampler whose draws are the candidates in their order; None after the last.

    Args:
        found: The candidates.
        source: Name of the sampler that made them.
        first_draw: Number of the draw that gives the first.
    """

    def propose(history: History, draw: int) -> Suggestion | None:
        number = draw - first_draw
        return Suggestion(values=found[number], draw=draw, source=source) if number < len(found) else None

    return propose
