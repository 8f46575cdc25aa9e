"""From what a sampler proposes to a candidate that keeps every limit and is no trial yet. No ray, no torch."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from results.history import History
from search_spaces.domains import Value
from search_spaces.feasible_space import Feasible
from search_spaces.sweep import ENDLESS, LEARNING
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from trainable.errors import ModelError
from tuner.decisions import WAIT, Suggestion
from tuner.samplers.sampler import Propose

# Draws in a row that may come to nothing before the space counts as used up, where what is left of it cannot be listed.
MAX_DRAWS = 10_000

# Repetitions of trials after which what is left of a small space is listed: it then has less than a tenth with probability 0.9**20 = 12 %.
MAX_REPEATS = 20

# Samplers whose candidates are drawn anew where they break a limit; those that learn take the nearest that breaks none. All others
# mean the very points that they propose.
DRAWN = ENDLESS - LEARNING


@dataclass(frozen=True, slots=True)
class Candidate:
    """What becomes the next trial.

    Attributes:
        suggestion: The proposal, with the values that are used.
        config: The complete recipe.
        cost: What its network costs.
        rejected: Reason -> proposals, this one's own first values included, that were not taken.
    """

    suggestion: Suggestion
    config: TrainConfig
    cost: ArchitectureCost
    rejected: Mapping[str, int]


class Candidates:
    """Finds candidates; remembers nothing but hashes that it has computed."""

    def __init__(self, propose: Propose, feasible: Feasible, cost: Callable[[TrainConfig], ArchitectureCost], *, seed: int) -> None:
        """Prepare to find candidates.

        Args:
            propose: The sampler.
            feasible: What keeps every limit.
            cost: Counts one network.
            seed: The sweep's seed.
        """
        self._propose = propose
        self._feasible = feasible
        self._cost = cost
        self._seed = seed
        self.waits = False  # whether the last answer was that more may follow when what runs has ended
        self._hashes: dict[tuple[tuple[str, Value], ...], str] = {}

    def next(self, history: History) -> Candidate | None:
        """Return the next candidate; None when the sampler has no more, or none that keeps the limits and is new is left."""
        rejected: Counter[str] = Counter()
        first = history.next_draw
        for draw in range(first, first + MAX_DRAWS):
            suggestion = self._propose(history, draw)
            self.waits = suggestion is WAIT
            if suggestion is None or suggestion is WAIT:
                return None
            rng = random.Random(f"{self._seed}/{draw}/instead")
            movable = suggestion.source in ENDLESS
            try:
                values = self._within_limits(suggestion, rng, rejected)
                if values is None and movable:
                    return None  # one draw finds a candidate as well as another
                if values is not None and self._is_trial(values, history):
                    rejected["duplicate"] += 1
                    values = None
                    if movable and rejected["duplicate"] >= MAX_REPEATS and (left := self._left(history, rng)) is not None:
                        if not left:
                            return None
                        values = left
                if values is None:
                    continue
                config = self._feasible.build(values)
                cost = self._cost(config)
            except ModelError as error:  # so rare that the networks counted before the first trial were all sound
                rejected[str(error)] += 1
                continue
            return Candidate(Suggestion(values=values, draw=draw, source=suggestion.source), config, cost, dict(rejected))
        return None

    def _within_limits(self, suggestion: Suggestion, rng: random.Random, rejected: Counter[str]) -> dict[str, Value] | None:
        """Return values that keep every limit: the proposed ones, or others in their place where the sampler allows it."""
        broken = self._feasible.accepts(suggestion.values)
        if broken is None:
            return dict(suggestion.values)
        rejected[broken] += 1
        if suggestion.source in DRAWN:
            return self._feasible.mended(suggestion.values, rng)
        return self._feasible.nearest(suggestion.values, rng) if suggestion.source in LEARNING else None

    def _left(self, history: History, rng: random.Random) -> dict[str, Value] | None:
        """Draw from what is no trial yet; empty when nothing is left, None where that cannot be listed."""
        if self._feasible.all() is None:
            return None
        return self._feasible.unused(rng, lambda values: self._is_trial(values, history)) or {}

    def _is_trial(self, values: Mapping[str, Value], history: History) -> bool:
        key = tuple(values.items())
        if key not in self._hashes:
            self._hashes[key] = self._feasible.build(values).hash()
        return self._hashes[key] in history.config_hashes
