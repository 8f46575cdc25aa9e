"""Three of four new configurations by a small Gaussian process over what the trials have shown so far; the fourth by another sampler.

Stateless, as every sampler: the same history and the same draw give the same candidate, in any process. Hyperparameters are refitted
each time the sightings (`sightings.py`) have grown by a tenth, from where the last fit left them. The chain of fits follows from the
history alone, whose facts only ever grow; what is kept in memory is only spared from being calculated again.

Rule and constants: the study of replayed learning curves in docs/search.md.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random

import numpy as np
from scipy.special import ndtri
from threadpoolctl import ThreadpoolController

from results.history import History
from search_spaces.domains import Value
from search_spaces.feasible_space import Feasible
from search_spaces.space import Space
from search_spaces.sweep import Observation
from trainable.errors import ModelError
from tuner.decisions import Suggestion
from tuner.samplers import gaussian_process as gp
from tuner.samplers.encoding import Encoding
from tuner.samplers.sightings import Sighting, sighting, targets

RANDOM_EVERY = 4  # every fourth new trial is not the model's, so that what it cannot see is still looked at
MIN_TRIALS = 10  # trials seen before the model is asked; at least two for each parameter
NUM_CANDIDATES = 200
MAX_COUNTED = 20  # candidates whose networks are counted for one proposal, tens of milliseconds each
GROWTH = 1.1  # of the sightings, between two fits
NUM_TRIES, STEP = 8, 0.5  # perturbations in a fit, and their size in units of the logarithms
MAX_FIT = 200  # points in a fit
NUM_BEST, NUM_OTHERS = 150, 250  # points that predictions rest on, where there are more

Values = Mapping[str, Value]
Propose = Callable[[History, int], Suggestion | None]
# Candidates that no trial has yet, at most so many, and their points, (M, D).
Candidates = Callable[[History, Random, int], tuple[Sequence[Values], np.ndarray]]
Keeps = Callable[[Values], bool]


def sampler(
    space: Space,
    *,
    seed: int,
    sign: int,
    otherwise: Propose,
    candidates: Candidates,
    keeps: Keeps | None = None,
    earlier: Sequence[Observation] = (),
) -> Propose:
    """Return the sampler.

    Args:
        space: What may vary.
        seed: The sweep's seed.
        sign: +1 where the metric is maximised, -1 where it is minimised.
        otherwise: Proposes every fourth trial, and the first ones.
        candidates: What the model chooses among.
        keeps: Says whether a candidate keeps the limits. The most promising are asked, and the first that does is taken; where none of
            MAX_COUNTED does, the engine moves the first of all. None where all candidates do.
        earlier: Trials of earlier sweeps, to learn from besides.
    """
    model = _Model(Encoding(space), earlier, seed=seed, sign=sign)
    threads = ThreadpoolController()

    def propose(history: History, draw: int) -> Suggestion | None:
        if len(history.trials) % RANDOM_EVERY == 0 or not model.ready(history):
            return otherwise(history, draw)
        # A candidate that was refused is gone, and the model has learned nothing from it: among fewer, chance decides more.
        num_rejected = draw - history.next_draw
        drawn, x_MD = candidates(history, Random(f"{seed}/{draw}/model"), max(1, NUM_CANDIDATES >> num_rejected))
        if not drawn:
            return otherwise(history, draw)
        # One thread: the workers need the cores, and sums come out the same whatever machine the sweep is resumed on.
        with threads.limit(limits=1, user_api="blas"):
            best_first = model.ranked(history, x_MD)
        chosen = next((index for index in best_first[:MAX_COUNTED] if keeps is None or keeps(drawn[index])), best_first[0])
        return Suggestion(values=drawn[chosen], draw=draw, source="model")

    return propose


def from_space(space: Space, feasible: Feasible | None) -> Candidates:
    """Return random draws from a space; from a finite one only those that no trial has.

    Args:
        space: What may vary.
        feasible: What keeps the sweep's limits; candidates break none where that costs no counting of networks. None for no limits.
    """
    encoding = Encoding(space)
    finite = space.size() is not None

    def draw(history: History, rng: Random, number: int) -> tuple[Sequence[Values], np.ndarray]:
        sample = space.sample if feasible is None or any(part.slow for part in feasible.parts) else feasible.sample
        taken = {_key(record.values) for record in history.trials.values()} if finite else set()
        found: dict[frozenset[tuple[str, Value]], Values] = {}
        for _ in range(4 * number):
            if (values := sample(rng)) is not None and (key := _key(values)) not in taken:
                found[key] = values
            if len(found) == number:
                break
        return list(found.values()), np.array([encoding.point(values) for values in found.values()])

    return draw


def counted(feasible: Feasible | None) -> Keeps | None:
    """Return what says of a candidate from `from_space` whether it keeps the limits; None where all do, for no network need be counted."""
    if feasible is None or not any(part.slow for part in feasible.parts):
        return None

    def keeps(values: Values) -> bool:
        try:
            return feasible.broken(values) is None
        except ModelError:  # there is no such network
            return False

    return keeps


class _Model:
    """The fits so far, of one history; all of it can be calculated from the history."""

    def __init__(self, encoding: Encoding, earlier: Sequence[Observation], *, seed: int, sign: int) -> None:
        self._encoding = encoding
        self._earlier_points = [encoding.point(one.values) for one in earlier]
        self._earlier_targets = ndtri([one.quality for one in earlier]).tolist()
        self._seed = seed
        self._sign = sign
        self._num_first = max(MIN_TRIALS, 2 * encoding.num_parameters)
        self._forget(None)

    def ready(self, history: History) -> bool:
        """Return whether enough trials were seen; never where nothing varies."""
        self._look(history)
        return self._encoding.num_parameters > 0 and len(self._trials) >= self._num_first

    def ranked(self, history: History, x_MD: np.ndarray) -> list[int]:
        """Return the numbers of M candidates, those first of which the largest improvement is expected."""
        self._look(history)
        self._refit(history)
        assert self._posterior is not None
        mean_M, sd_M = self._posterior.predict(x_MD)
        order_M = np.argsort(-gp.expected_improvement(mean_M, sd_M, self._incumbent), kind="stable")
        return [int(index) for index in order_M]

    def _forget(self, history: History | None) -> None:
        self._history = history
        self._num_facts = 0
        self._seen: list[Sighting] = []
        self._trials: set[str] = set()
        self._points: dict[str, np.ndarray] = {}
        self._next_fit = self._num_first
        self._num_fits = 0
        self._hyperparameters = gp.Hyperparameters.prior(self._encoding.num_parameters)
        self._posterior: gp.Posterior | None = None
        self._incumbent = 0.0

    def _look(self, history: History) -> None:
        """Take in the facts that are new since the last time."""
        if history is not self._history or len(history.judged) < self._num_facts:
            self._forget(history)
        for fact in history.judged[self._num_facts :]:
            if (found := sighting(history, fact, sign=self._sign)) is not None:
                self._seen.append(found)
                self._trials.add(found.trial)
        self._num_facts = len(history.judged)

    def _refit(self, history: History) -> None:
        """Make the fits that are due, each on what had been seen then, however late it is asked for."""
        num_seen = 0
        while self._next_fit <= len(self._seen):
            num_seen = self._next_fit
            x_ND, y_N = self._data(history, self._seen[:num_seen])
            rng = np.random.default_rng([self._seed, self._num_fits])
            some = rng.permutation(len(y_N))[:MAX_FIT]
            self._hyperparameters = gp.fit(
                x_ND[some], y_N[some], self._encoding.groups_D, self._hyperparameters, rng, num_tries=NUM_TRIES, step=STEP
            )
            self._num_fits += 1
            self._next_fit = max(num_seen + 1, int(np.ceil(GROWTH * num_seen)))
        if not num_seen:
            return
        x_ND, y_N = self._data(history, self._seen[:num_seen])
        if len(y_N) > NUM_BEST + NUM_OTHERS:
            order = np.argsort(-y_N, kind="stable")
            others = np.random.default_rng([self._seed, self._num_fits, 1]).permutation(order[NUM_BEST:])[:NUM_OTHERS]
            some = np.concatenate([order[:NUM_BEST], others])
            x_ND, y_N = x_ND[some], y_N[some]
        self._posterior = gp.condition(x_ND, y_N, self._encoding.groups_D, self._hyperparameters)
        self._incumbent = float(self._posterior.means().max())

    def _data(self, history: History, seen: Sequence[Sighting]) -> tuple[np.ndarray, np.ndarray]:
        """Return the points of the trials seen, (N, D), and how good they are, (N,); those of earlier sweeps come last."""
        wanted = targets(seen)
        for trial in wanted:
            if trial not in self._points:
                self._points[trial] = self._encoding.point(history.trials[trial].values)
        points = [*(self._points[trial] for trial in wanted), *self._earlier_points]
        return np.array(points), np.array([*wanted.values(), *self._earlier_targets])


def _key(values: Values) -> frozenset[tuple[str, Value]]:
    return frozenset(values.items())
