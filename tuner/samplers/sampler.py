"""What a sampler must answer, and which sampler a sweep file names."""

from collections.abc import Callable
from typing import assert_never

from results.history import History
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from tuner.decisions import Suggestion
from tuner.samplers import grid, uniform

# Proposes the candidate of one draw, or None when there is nothing left to propose. A sampler keeps no state: the same history
# and the same draw number give the same candidate, so restoring one means knowing one integer.
Propose = Callable[[History, int], Suggestion | None]


def build(sweep: Sweep, space: Space) -> Propose:
    """Return the sampler that the sweep file names."""
    match sweep.search.sampler:
        case "random":
            return uniform.sampler(space, seed=sweep.seed)
        case "grid":
            return grid.sampler(space)
        case _ as unknown:
            assert_never(unknown)
