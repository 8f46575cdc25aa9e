"""Quasi-random search: points of a scrambled Sobol or Halton sequence, which fill a space more evenly than independent draws.

Each distinct path is one coordinate. Alternatives of a path share theirs: at most one of them is active, and the fewer the coordinates,
the more evenly they are filled. Coordinates of parameters that are not active are passed over.

Sources: Sobol, USSR Comp. Math. 7 (1967), with the directions of Joe and Kuo, SIAM J. Sci. Comput. 30 (2008), scrambled after Matousek,
J. Complexity 14 (1998); Halton, Numer. Math. 2 (1960), scrambled after Owen, arXiv:1706.02808: all as in scipy.stats.qmc.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.stats import qmc

from results.history import History
from search_spaces.domains import Value
from search_spaces.settings import Parameter
from search_spaces.space import Space
from tuner.decisions import Suggestion

BLOCK = 1_024  # points made at a time; a power of two, as a Sobol sequence is even over such blocks


def sampler(
    space: Space, sequence: Literal["sobol", "halton"], *, seed: int, first_draw: int
) -> Callable[[History, int], Suggestion | None]:
    """Return a sampler whose draw n is point n of the sequence: it depends on (seed, n) alone.

    Args:
        space: What may vary; at most 21,201 paths for sobol.
        sequence: Which one.
        seed: The sweep's seed; it scrambles the sequence.
        first_draw: Number of the draw that gives the first point.
    """
    coordinates = {path: index for index, path in enumerate(space.searched)}

    @lru_cache(maxsize=2)
    def block(number: int) -> np.ndarray:
        """Return points number * BLOCK and following, shape (BLOCK, paths), each coordinate in [0, 1)."""
        kind = qmc.Sobol if sequence == "sobol" else qmc.Halton
        engine = kind(max(1, len(coordinates)), scramble=True, rng=np.random.default_rng(seed))
        if number:
            engine.fast_forward(number * BLOCK)
        points: np.ndarray = engine.random(BLOCK)
        return points

    def propose(history: History, draw: int) -> Suggestion | None:
        number, row = divmod(draw - first_draw, BLOCK)
        point = block(number)[row]

        def pick(parameter: Parameter) -> Value:
            return parameter.domain.from_unit(float(point[coordinates[parameter.path]]))

        return Suggestion(values=space.decide(pick), draw=draw, source=sequence)

    return propose
