"""What follows from a report, from a lost worker, from many failures: the answer and the facts to journal with it. Remembers nothing."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from results.events import Decided, Ended, Event, Lost, Reported, stamp
from results.history import History, TrialRecord
from search_spaces.sweep import Sweep
from tuner.decisions import CONTINUE, Decision
from tuner.schedulers.rule import Scheduler

# A trial whose worker process dies this often, on a node that lives on, is taken for the cause.
MAX_LOSSES = 3
# So many workers lost in a row without one new epoch, for whatever reason: a trial that takes whole nodes with it must not go on for ever.
MAX_FRUITLESS = 10
# Fewer failures than this say nothing about the trials to come.
MIN_FAILED = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one report.

    Attributes:
        decision: What the trial does next.
        facts: What is journaled beside the report; empty for a plain continue.
        cut_short: Why the budget ends the segment here; None where it does not.
    """

    decision: Decision
    facts: tuple[Event, ...] = ()
    cut_short: str | None = None


def judge(
    record: TrialRecord,
    event: Reported,
    now: float,
    *,
    sweep: Sweep,
    scheduler: Scheduler,
    refusal: Callable[[], str | None] = lambda: None,
) -> Verdict:
    """Return the answer to a report that has been applied.

    Args:
        record: The trial that reported.
        event: Its report.
        now: Seconds since 1970.
        sweep: What is searched.
        scheduler: Who goes on.
        refusal: Returns why the budget has no room for the trial's next epoch; None where it has.
    """
    at = stamp(now)
    if event.score is None:
        ended = Ended(at=at, trial=event.trial, status="diverged", reason=f"{sweep.objective.metric} is not finite")
        return Verdict(Decision(action="stop", reason=ended.reason), (ended,))
    if event.epoch >= sweep.max_epochs:
        return Verdict(Decision(action="stop", reason="trained in full"), (Ended(at=at, trial=event.trial, status="completed"),))
    decision = scheduler.judge(event.trial, event.epoch)
    if decision.action == "continue" and (refused := refusal()) is not None:
        return cut_short(decision, refused, event, now)
    if decision is CONTINUE:
        return Verdict(decision)
    decided = _decided(decision, event, now)
    return Verdict(decision, (decided, stopped(decided, now)) if decision.action == "stop" else (decided,))


def cut_short(decision: Decision, refusal: str, event: Reported, now: float) -> Verdict:
    """Return the pause that the budget makes of a decision to continue."""
    reason = f"budget of {refusal}"
    decision = replace(decision, action="pause", reason=reason)
    return Verdict(decision, (_decided(decision, event, now),), reason)


def stopped(decided: Decided, now: float) -> Ended:
    """Return the end of a trial that a decision has stopped."""
    return Ended(at=stamp(now), trial=decided.trial, status="stopped", reason=decided.reason)


def worn_out(record: TrialRecord, loss: Lost, now: float) -> Ended | None:
    """Return the end of a trial that has lost too many workers; None where it is tried again.

    A worker that went away with its whole node says nothing against the trial, so those do not add up over its life.

    Args:
        record: The trial, before or after `loss` was applied.
        loss: Its newest loss.
        now: Seconds since 1970.
    """
    losses = [*(earlier for earlier in record.losses if earlier is not loss), loss]
    suspected = sum(not one.node_lost for one in losses)
    reached = 0 if record.last is None else record.last.attempt
    fruitless = sum(one.attempt > reached for one in losses)
    if suspected < MAX_LOSSES and fruitless < MAX_FRUITLESS:
        return None
    times = suspected if suspected >= MAX_LOSSES else fruitless
    reason = f"its worker was lost {times} times: {loss.reason}"
    return Ended(at=stamp(now), trial=loss.trial, status="failed", reason=reason, log_tail=loss.log_tail)


def failing(history: History) -> str | None:
    """Return why a sweep should not go on: more than half of the trials that this driver has launched failed; None where it should.

    What an earlier driver saw does not count: whoever resumes has mended something. Trials that diverge or do not fit the device's memory
    are no failures: the search deals with those.
    """
    failed, launched = history.failed_now, len(history.launched_now)
    if len(failed) < MIN_FAILED or 2 * len(failed) <= launched:
        return None
    reasons = Counter(history.trials[trial].reason for trial in failed)
    reason, number = reasons.most_common(1)[0]
    return f"{len(failed)} of the {launched} trials launched failed, {number} of them with: {reason}"


def _decided(decision: Decision, event: Reported, now: float) -> Decided:
    return Decided(
        at=stamp(now),
        trial=event.trial,
        epoch=event.epoch,
        rung_epochs=decision.rung_epochs,
        score=event.score,
        action=decision.action,
        cutoff=decision.cutoff,
        reason=decision.reason,
    )
