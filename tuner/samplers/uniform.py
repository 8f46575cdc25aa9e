"""Random search: independent draws, each parameter from its own domain."""

import random
from collections.abc import Callable

from results.history import History
from search_spaces.space import Space
from tuner.decisions import Suggestion


def sampler(space: Space, *, seed: int) -> Callable[[History, int], Suggestion | None]:
    """Return a sampler whose draw n depends on (seed, n) alone.

    Args:
        space: What may vary.
        seed: The sweep's seed.
    """

    def propose(history: History, draw: int) -> Suggestion | None:
        rng = random.Random(f"{seed}/{draw}")  # a text seed is hashed with SHA-512: the same on every machine
        return Suggestion(values=space.sample(rng), draw=draw, source="random")

    return propose
