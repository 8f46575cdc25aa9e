"""Samplers that learn from the trials so far, by Optuna: tree-structured Parzen estimators and Gaussian processes.

Optuna is told the history and asked for one candidate; nothing of it is stored. Each draw makes a sampler anew, seeded by (sweep seed,
draw), and shows it every trial of the history: the same history and draw give the same candidate in every process. What is kept between
draws is Optuna's form of trials that have not changed since, and it is checked against the history at every draw.

What a trial is told as: its place in the leaderboard, see `observations.py`. TPE splits trials by their order alone; the Gaussian process
gets the place as a quantile of the normal distribution, because its model is Gaussian and ranks are not. Trials without a result yet are
told as running: TPE counts them among the bad (the constant liar), the Gaussian process takes what they may turn out to be into account,
so that many workers do not try the same thing. So is what was refused for the trial that is being looked for (it breaks a constraint, or
repeats a trial).

Milliseconds of one core (AMD EPYC) for a proposal with three numeric parameters, one choice, four trials running:

    trials so far      100   1,000   5,000
    TPE                 11      29      74
    Gaussian process   380     490     660    it looks at 300 results at most

With several threads the Gaussian process takes ten times as long beside workers that keep all cores busy; hence one thread.

Sources: Bergstra et al., NeurIPS 2011 (TPE); Falkner et al., ICML 2018, arXiv:1807.01774 (multivariate); optuna.samplers.TPESampler and
GPSampler of Optuna 5.0.
"""

import hashlib
import random
import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from statistics import NormalDist
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import threadpool_limits

from results.history import History
from search_spaces.domains import Choice, Domain, LogRandInt, LogUniform, QUniform, RandInt, Uniform, Value
from search_spaces.settings import Parameter
from search_spaces.space import Space
from search_spaces.sweep import Earlier, SearchOptions
from tuner.decisions import Suggestion
from tuner.samplers.observations import observed

# With fewer results, candidates are drawn at random; Optuna's own default for both samplers.
MIN_RESULTS = 10

# Its cost grows with the cube of the results it looks at: 0.5 s at 300, 6 s at 1,000.
MAX_RESULTS_OF_GP = 300

# Of the warnings that Optuna prints, none asks the user to do anything; what goes wrong is raised.
optuna.logging.set_verbosity(optuna.logging.ERROR)

_Fact = tuple[Mapping[str, Value], float | None]  # values and quality of a trial; None while it has none

_MOMENT = datetime(2000, 1, 1)  # noqa: DTZ001  # Optuna wants a time, a naive one, and its samplers read none


def tpe(space: Space, search: SearchOptions, *, sign: int, seed: int, first_draw: int) -> Callable[[History, int], Suggestion | None]:
    """Return TPE over groups of parameters that are active together (multivariate, group, constant liar).

    Args:
        space: What may vary.
        search: Observations of earlier sweeps, under `transfer`.
        sign: +1 where the metric is maximised, -1 where it is minimised.
        seed: The sweep's seed.
        first_draw: Number of its first draw.
    """

    def fresh(seed: int) -> BaseSampler:
        return TPESampler(n_startup_trials=0, multivariate=True, group=True, constant_liar=True, seed=seed)

    told = _Told(space, search, lambda quality: quality, sign=sign)
    return _sampler("tpe", fresh, told, seed=seed, first_draw=first_draw, max_refused=50)


def gp(space: Space, search: SearchOptions, *, sign: int, seed: int, first_draw: int) -> Callable[[History, int], Suggestion | None]:
    """Return the Gaussian process; parameters that are not active in all trials are drawn at random. Arguments as of `tpe`."""

    def fresh(seed: int) -> BaseSampler:
        return GPSampler(n_startup_trials=0, seed=seed, warn_independent_sampling=False)

    told = _Told(space, search, NormalDist().inv_cdf, sign=sign, max_results=MAX_RESULTS_OF_GP)
    return _sampler("gp", fresh, told, seed=seed, first_draw=first_draw, max_refused=10)


def _sampler(
    name: str, fresh: Callable[[int], BaseSampler], told: "_Told", *, seed: int, first_draw: int, max_refused: int
) -> Callable[[History, int], Suggestion | None]:
    """Return a sampler.

    Args:
        name: What it calls itself.
        fresh: Makes Optuna's sampler from a seed.
        told: What Optuna knows.
        seed: The sweep's seed.
        first_draw: Number of its first draw.
        max_refused: After so many candidates in a row that were refused, it draws at random until one is taken.
    """
    refused: list[dict[str, Value]] = []  # what was proposed for the trial that is being looked for

    def ask(draw: int) -> dict[str, Value]:
        rng = random.Random(f"{seed}/{draw}")
        if told.num_results < MIN_RESULTS or len(refused) >= max_refused:
            return told.space.sample(rng)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ExperimentalWarning)
            return told.ask(fresh(_seed(seed, draw)), refused)

    def propose(history: History, draw: int) -> Suggestion | None:
        looked_for_since = max(history.next_draw, first_draw)
        if told.update(history) or draw - looked_for_since < len(refused):
            refused.clear()
        for earlier in range(looked_for_since + len(refused), draw):
            refused.append(ask(earlier))
        at_random = told.num_results < MIN_RESULTS or len(refused) >= max_refused
        return Suggestion(values=ask(draw), draw=draw, source="random" if at_random else name)

    return propose


class _Told(InMemoryStorage):
    """The trials that Optuna is shown, brought up to date with a history; Optuna's samplers read them as a storage."""

    def __init__(
        self, space: Space, search: SearchOptions, target: Callable[[float], float], *, sign: int, max_results: int | None = None
    ) -> None:
        """Know nothing but the observations of earlier sweeps.

        Args:
            space: What may vary.
            search: They stand under `transfer`.
            target: From a quality in (0, 1) to the number that Optuna maximises.
            sign: +1 where the metric is maximised, -1 where it is minimised.
            max_results: Of more results it is shown the better half of this number, and the newest of the others; None shows all.
        """
        super().__init__()
        self.space = space
        self.num_results = 0
        self._target = target
        self._sign = sign
        self._max_results = max_results
        self._names = {parameter.place: f"{index:04d} {parameter.path}" for index, parameter in enumerate(space.parameters)}
        self._distributions = {parameter.place: _distribution(parameter.domain) for parameter in space.parameters}
        self._earlier = [found for sweep in search.transfer if isinstance(sweep, Earlier) for found in sweep.observations]
        self._known: list[_Fact] = []  # what `_trials` say
        self._trials: list[FrozenTrial] = []
        self._pending: list[FrozenTrial] = []
        optuna.create_study(storage=self, study_name="sweep", direction="maximize")

    def update(self, history: History) -> bool:
        """Take in a history; say whether there is anything new in it. Only what is new is converted."""
        facts: list[_Fact] = [(found.values, found.quality) for found in self._earlier]
        facts += [(record.values, quality) for record, quality in observed(history, sign=self._sign)]
        if self._max_results is not None:
            facts = _thinned(facts, self._max_results)
        if facts == self._known:
            return False
        for number, (values, quality) in enumerate(facts):
            if number == len(self._trials):
                self._trials.append(self._trial(number, values))
            elif values != self._known[number][0]:
                self._trials[number] = self._trial(number, values)
            self._trials[number].state = TrialState.RUNNING if quality is None else TrialState.COMPLETE
            self._trials[number].values = None if quality is None else [self._target(quality)]
        del self._trials[len(facts) :]
        self._known = facts
        self.num_results = sum(quality is not None for _, quality in facts)
        return True

    def ask(self, sampler: BaseSampler, pending: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
        """Return the candidate that a fresh sampler proposes beside the trials known and candidates that are pending."""
        self._pending = [self._trial(len(self._trials) + index, values) for index, values in enumerate(pending)]
        study = optuna.load_study(study_name="sweep", storage=self, sampler=sampler)  # anew, for a study caches its trials
        asked = self._trial(len(self._trials) + len(pending), {})
        together = sampler.sample_relative(study, asked, sampler.infer_relative_search_space(study, asked))

        def pick(parameter: Parameter) -> Value:
            name, distribution = self._names[parameter.place], self._distributions[parameter.place]
            if distribution.single():
                return parameter.domain.from_unit(0.0)
            if name in together:
                return _value(parameter.domain, together[name])
            return _value(parameter.domain, sampler.sample_independent(study, asked, name, distribution))

        return self.space.decide(pick)

    def get_all_trials(self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """Return the trials known, then those pending. They are handed out as they are: samplers only read them."""
        return [trial for trial in (*self._trials, *self._pending) if states is None or trial.state in states]

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Forget what a sampler notes for other processes about the trial that it is asked for: there are none."""

    def _trial(self, number: int, values: Mapping[str, Value]) -> FrozenTrial:
        """Return a trial without a result."""
        params: dict[str, Any] = {}
        distributions: dict[str, BaseDistribution] = {}

        def pick(parameter: Parameter) -> Value:
            name = self._names[parameter.place]
            params[name] = _number_of(parameter.domain, values[parameter.path])
            distributions[name] = self._distributions[parameter.place]
            return values[parameter.path]

        if values:
            self.space.decide(pick)
        return FrozenTrial(
            number=number,
            trial_id=number,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=_MOMENT,
            datetime_complete=None,
            params=params,
            distributions=distributions,
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )


def _thinned(facts: Sequence[_Fact], max_results: int) -> list[_Fact]:
    """Return the facts with at most so many results, in their order; all that are pending stay."""
    results = [index for index, (_, quality) in enumerate(facts) if quality is not None]
    best_first = sorted(results, key=lambda index: -(facts[index][1] or 0.0))
    newest = sorted(best_first[max_results // 2 :])[-(max_results - max_results // 2) :]
    kept = {*best_first[: max_results // 2], *newest}
    return [fact for index, fact in enumerate(facts) if fact[1] is None or index in kept]


def _distribution(domain: Domain) -> BaseDistribution:
    """Return Optuna's form of a domain. Options and steps go by their index: Optuna takes true for 1, and decimal steps inexactly."""
    match domain:
        case Choice(options=options):
            return CategoricalDistribution(range(len(options)))
        case QUniform():
            return IntDistribution(0, domain.num_steps - 1)
        case Uniform(low=low, high=high):
            return FloatDistribution(low, high)
        case LogUniform(low=low, high=high):
            return FloatDistribution(low, high, log=True)
        case RandInt(low=low, high=high):
            return IntDistribution(low, high)
        case LogRandInt(low=low, high=high):
            return IntDistribution(low, high, log=True)


def _number_of(domain: Domain, value: Any) -> float:
    """Return a value as Optuna knows it."""
    match domain:
        case Choice():
            return domain.index(value)
        case QUniform():
            return domain.step(value)
        case _:
            number: float = value
            return number


def _value(domain: Domain, number: float) -> Value:
    """Return what `_number_of` was given."""
    match domain:
        case Choice(options=options):
            return options[int(number)].name
        case QUniform():
            return domain.at(int(number))
        case Uniform(low=low, high=high) | LogUniform(low=low, high=high):
            return min(high, max(low, float(number)))
        case _:
            return int(number)


def _seed(seed: int, draw: int) -> int:
    """Return a seed of 32 bits, as numpy's generators take it, that depends on both."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{draw}".encode()).digest()[:4], "big")
