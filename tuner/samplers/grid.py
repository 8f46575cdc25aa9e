"""Grid search: every combination once, in the order of the sweep file, the last parameter fastest."""

from collections.abc import Callable

from results.history import History
from search_spaces.space import Space
from tuner.decisions import Suggestion


def sampler(space: Space) -> Callable[[History, int], Suggestion | None]:
    """Return a sampler whose draw n is the n-th combination; None after the last.

    Args:
        space: What may vary; every domain finite (`search_spaces.checks` refuses a grid over a continuous one).
    """
    combinations = list(space.grid())

    def propose(history: History, draw: int) -> Suggestion | None:
        if draw >= len(combinations):
            return None
        return Suggestion(values=combinations[draw], draw=draw, source="grid")

    return propose
