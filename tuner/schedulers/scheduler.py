"""Which rule a sweep file names."""

from typing import assert_never

from search_spaces.scheduler_options import AshaOptions, HyperbandOptions, MedianOptions, PatienceOptions, Rule, RunAllOptions, RungOptions
from tuner.rungs import rung_epochs
from tuner.schedulers.asha import PromotionAsha, StoppingAsha
from tuner.schedulers.hyperband import Hyperband, bracket_sizes
from tuner.schedulers.median import Median
from tuner.schedulers.patience import Patience
from tuner.schedulers.rule import Scheduler
from tuner.schedulers.run_all import RunAll


def build(rule: Rule, *, sign: int, patience: PatienceOptions | None = None) -> Scheduler:
    """Return the rule that the sweep file names.

    Args:
        rule: One of the option classes of `search_spaces.scheduler_options`.
        sign: +1 where the objective is maximised, -1 where it is minimised.
        patience: The extra rule; None for none.
    """
    scheduler = _rule(rule, sign)
    return scheduler if patience is None else Patience(scheduler, epochs=patience.epochs, min_delta=patience.min_delta, sign=sign)


def _rule(rule: Rule, sign: int) -> Scheduler:
    match rule:
        case AshaOptions():
            return _ladders(rule, sign, 1)[0]
        case HyperbandOptions(eta=eta, most_brackets=most):
            number = rule.brackets or most
            return Hyperband(_ladders(rule, sign, number), sizes=bracket_sizes(num_brackets=number, most_brackets=most, eta=eta))
        case MedianOptions(max_epochs=max_epochs, min_trials=min_trials):
            return Median(max_epochs=max_epochs, grace_epochs=rule.first_look, min_trials=min_trials, sign=sign)
        case RunAllOptions(max_epochs=max_epochs):
            return RunAll(max_epochs=max_epochs)
        case _:
            assert_never(rule)


def _ladders(options: RungOptions, sign: int, number: int) -> list[PromotionAsha] | list[StoppingAsha]:
    """Return as many brackets of ASHA; the first rung of bracket s is r * eta**s."""
    max_epochs, eta = options.max_epochs, options.eta
    ladder = rung_epochs(min_epochs=options.first_rung, max_epochs=max_epochs, eta=eta)
    if options.variant == "stopping":
        return [StoppingAsha(ladder[s:], max_epochs=max_epochs, eta=eta, sign=sign) for s in range(number)]
    delayed, drain = options.delayed, options.drain == "leader"
    return [PromotionAsha(ladder[s:], max_epochs=max_epochs, eta=eta, sign=sign, delayed=delayed, drain=drain) for s in range(number)]
