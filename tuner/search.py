"""One sweep in progress: what to train next, and what a trial does after an epoch.

Ray, the simulator and a restart all turn this crank. `Search` itself remembers nothing: facts live in three folds (`History`, the
scheduler's rungs, `Budget`) that are fed the same events live and on replay. Every choice is journaled before it is answered.
No ray, no torch, no clock: the time comes in as `now`, in seconds since 1970 (UTC).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Protocol

from results.events import (
    Asked,
    Ended,
    EndStatus,
    Event,
    Extended,
    Launched,
    Lost,
    Repeated,
    Reported,
    Suggested,
    Why,
    stamp,
)
from results.history import History, TrialRecord
from search_spaces.feasible_space import Feasible
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from tuner import requests, verdict
from tuner.budget import Budget, Work
from tuner.candidates import Candidate, Candidates
from tuner.decisions import CONTINUE, Decision, Job, Promotion
from tuner.samplers.sampler import Propose, num_trials
from tuner.schedulers.rule import Scheduler
from tuner.verdict import Verdict

# Trials that run out of memory are replaced, but no more of them than trials are asked for, or this many: where little of a space fits the
# device the sweep would go on for ever. Then the limit to set is `constraints.max_memory`.
MIN_REPLACED = 10

Append = Callable[[Sequence[Event], bool], None]  # events, and whether they must be on disk before the answer
Cost = Callable[[TrainConfig], ArchitectureCost]


class Steering(Protocol):
    """What Ray's driver and the simulator ask of whatever steers a sweep."""

    def next_job(self, now: float) -> Job | None:
        """Return what a free worker trains next; None for nothing now."""

    def report(self, event: Reported, now: float) -> Decision:
        """Take in one epoch; return what its trial does next."""

    def lost(self, trial: str, attempt: int, reason: str, now: float, *, node_lost: bool = False, log_tail: Sequence[str] = ()) -> None:
        """Take note that the worker of a segment went away. A peer that is only simulated without mishaps needs none."""

    def end(self, trial: str, attempt: int, status: EndStatus, reason: str, now: float, log_tail: Sequence[str] = ()) -> None:
        """End a trial that does not go on. A peer that is only simulated without mishaps needs none."""


class Search:
    """See the module's docstring; `tuner.restore.restore` makes one."""

    def __init__(
        self,
        sweep: Sweep,
        *,
        space: Space,
        scheduler: Scheduler,
        propose: Propose,
        feasible: Feasible,
        cost: Cost,
        budget: Budget,
        history: History,
        append: Append,
    ) -> None:
        self.sweep = sweep
        self.history = history
        self.budget = budget
        self.exhausted = False  # the sampler found no further candidate that fits and is new
        self.stopped_by: str | None = None  # why nothing new is started; None while the search goes on
        self._space = space
        self._scheduler = scheduler
        self._candidates = Candidates(propose, feasible, cost, seed=sweep.seed)
        self._append = append
        self._nothing_left = False
        self._num_in_all = num_trials(sweep, space)
        self._waiting: Candidate | None = None  # proposed, and without room in the budget: to propose again may take half a second
        self._num_facts = 0
        self._refused_after: int | None = None  # facts known when the budget last refused all there was: until the next one it still does

    @property
    def done(self) -> bool:
        """Return whether nothing runs and nothing is left to start: true only after `next_job` has answered None."""
        return self._nothing_left and not self.history.running

    @property
    def failing(self) -> str | None:
        """Return why the sweep should not go on although work is left: most trials fail; None where it should."""
        return verdict.failing(self.history)

    @property
    def searched(self) -> tuple[str, ...]:
        """Return the paths of the searched parameters, in the order of the sweep file."""
        return self._space.searched

    @property
    def ladder(self) -> tuple[int, ...]:
        """Return the rungs in epochs, ascending."""
        return self._scheduler.ladder

    @property
    def num_trials(self) -> int:
        """Return the trials asked for: those of the sweep file, or all that the sampler has, or what people have made of it."""
        return self._wanted or self._num_in_all

    @property
    def _wanted(self) -> int | None:
        wanted, extended = self.sweep.search.trials, self.history.extended
        return wanted if extended is None or extended.trials is None else max(wanted or 0, extended.trials)

    @property
    def _all_launched(self) -> bool:
        if (wanted := self._wanted) is None:
            return False
        most = wanted + max(wanted, MIN_REPLACED) + self.history.num_excused
        return self.history.num_counted >= wanted or len(self.history.trials) >= most

    def apply(self, event: Event) -> None:
        """Remember one fact, live or replayed. Nothing is chosen here."""
        self.history.apply(event)
        self._scheduler.apply(event)
        self.budget.apply(event)
        self._num_facts += 1

    def record(self, *events: Event) -> None:
        """Remember facts and have them on disk."""
        for event in events:
            self.apply(event)
        self._append(events, True)

    def next_job(self, now: float) -> Job | None:
        """Return the segment that a free worker trains next; None when there is nothing now (see `done`).

        Order: trials whose worker or driver went away, the highest promotion, a new candidate, and, when all else is used up, the
        leader (`drain`): once, where nobody was trained in full; as long as the budget lasts, where a finite space is used up. There it
        waits for those that were promoted, then takes all workers.
        """
        job = self._choose(now)
        self._nothing_left = job is None and not self.history.running
        if self._nothing_left and self.stopped_by is None and (cut_short := self.history.cut_short):
            self.stopped_by = cut_short[0].reason  # since then there was room for cheaper trials
        return job

    def report(self, event: Reported, now: float) -> Decision:
        """Take in one trained epoch and say what its trial does next.

        A report of an older attempt, or one that comes after the decision, changes nothing and its sender is told to stop. So does
        a report that is delivered twice, which is told to continue as before. An epoch that the journal has of an older attempt
        was trained again after a crash: it is charged, and changes nothing else, but that the budget may have no room for the next one.
        """
        record = self.history.trials.get(event.trial)
        if record is None or record.attempt != event.attempt or event.trial not in self.history.running:
            return Decision(action="stop", reason="late: this segment is over, the trial goes on elsewhere or not at all")
        if event.score is not None and not math.isfinite(event.score):
            event = replace(event, score=None)
        if (earlier := record.curve.get(event.epoch)) is not None:
            if earlier.attempt == event.attempt:
                return CONTINUE
            return self._repeat(event, now)
        if event.epoch != record.epochs + 1:
            raise ValueError(f"{event.trial} reported epoch {event.epoch} after epoch {record.epochs}: a worker skipped an epoch")
        self.apply(event)
        found = self.judge(record, event, now, refusal=lambda: self.budget.refusal(event.trial, now=now))
        self.stopped_by = found.cut_short or self.stopped_by
        for fact in found.facts:
            self.apply(fact)
        self._append([event, *found.facts], bool(found.facts))
        return found.decision

    def judge(self, record: TrialRecord, event: Reported, now: float, *, refusal: Callable[[], str | None] = lambda: None) -> Verdict:
        """Return the answer to a report that has been applied; see `tuner.verdict.judge`."""
        return verdict.judge(record, event, now, sweep=self.sweep, scheduler=self._scheduler, refusal=refusal)

    def lost(self, trial: str, attempt: int, reason: str, now: float, *, node_lost: bool = False, log_tail: Sequence[str] = ()) -> None:
        """Take note that the worker of a segment went away; the trial goes on from its last checkpoint, unless that was once too often.

        Args:
            trial: Whose segment it was.
            attempt: Which one; the loss of an older one changes nothing.
            reason: One line.
            now: Seconds since 1970.
            node_lost: Whether the whole node went away, so that nothing speaks against the trial.
            log_tail: Last lines that the worker wrote.
        """
        record = self.history.trials[trial]
        if record.attempt != attempt or trial not in self.history.running:
            return
        loss = Lost(at=stamp(now), trial=trial, attempt=attempt, reason=reason, node_lost=node_lost, log_tail=tuple(log_tail))
        ended = verdict.worn_out(record, loss, now)
        self.record(*((loss,) if ended is None else (loss, ended)))

    def end(self, trial: str, attempt: int, status: EndStatus, reason: str, now: float, log_tail: Sequence[str] = ()) -> None:
        """End a trial that does not go on: diverged, out of memory, failed, or completed because its own patience ran out."""
        record = self.history.trials[trial]
        if record.attempt != attempt or trial not in self.history.running:
            return
        self.record(Ended(at=stamp(now), trial=trial, status=status, reason=reason, log_tail=tuple(log_tail)))

    def obey(self, asked: Asked, now: float) -> None:
        """Journal what a person asked for, and what follows from it.

        A trial that is stopped while a worker trains it is no longer `running`: its next report is told to stop, and `tuner.ray_driver`
        does not wait for that for ever. Whoever calls ends the driver where that was asked for.

        Raises:
            UsageError: It cannot be obeyed; nothing is journaled.
        """
        self.record(*requests.facts(self.history, self.sweep, asked, now))
        if isinstance(asked, Extended):
            self._nothing_left = False
            self.stopped_by = None

    def _choose(self, now: float) -> Job | None:
        """Return the first piece of work that the budget has room for: an expensive one holds up none of another kind."""
        if self._refused_after == self._num_facts or self.failing is not None:
            return None
        before, self.stopped_by = self.stopped_by, None
        job = self._choose_affordable(now)
        if job is not None:
            self.stopped_by = None
        elif self.stopped_by is None:
            self.stopped_by = before
        else:
            self._refused_after = self._num_facts
        return job

    def _choose_affordable(self, now: float) -> Job | None:
        if (trial := self.history.next_pending()) is not None and not self._refused(trial, now):
            return self._resume(self.history.trials[trial], now)
        if (promotion := self._scheduler.promotion()) is not None and not self._refused(promotion.trial, now):
            return self._continue(promotion, "promotion", now)
        if (job := self._start(now)) is not None:
            return job
        if trial is not None:
            return None
        # Every candidate of a finite space was started: what is left of the budget takes the best further, once all that was promoted has
        # come to its end. Otherwise what runs may still lead to a promotion, and where one was trained in full the leader may rest.
        spends_the_rest = self.exhausted and self.budget.limits_training
        if not spends_the_rest and (self.history.running or self.history.num_completed):
            return None
        if any(self.history.trials[running].attempts[-1].why != "drain" for running in self.history.running):
            return None
        if (promotion := self._scheduler.leader()) is not None and not self._refused(promotion.trial, now):
            return self._continue(promotion, "drain", now)
        return None

    def _refused(self, trial: str | None, now: float, work: Work | None = None) -> bool:
        """Return whether the budget has no room for the next epoch of a trial, or of a candidate; keep the first reason."""
        refusal = self.budget.refusal(trial, now=now, work=work)
        if refusal is not None:
            self.stopped_by = self.stopped_by or f"budget of {refusal}"
        return refusal is not None

    def _start(self, now: float) -> Job | None:
        """Return the first segment of a new trial; None when all were launched, the space is used up, or the budget has no room for it.

        A candidate that the budget has no room for waits for more: to pass it over would favour small networks whenever a budget ends,
        and a sweep that is extended would miss it.
        """
        if self.exhausted or self._all_launched or self._refused(None, now):
            return None
        if (refusal := self.budget.trials_refusal()) is not None:
            self.stopped_by = self.stopped_by or f"budget of {refusal}"
            return None
        found = self._waiting or self._candidates.next(self.history)
        if found is None:
            self.exhausted = not self._candidates.waits
            return None
        content = found.config.model_dump(mode="json")
        if self._refused(None, now, Work.of(content, found.cost.flops_per_image)):
            self._waiting = found
            return None
        self._waiting = None
        trial = f"t{len(self.history.trials) + 1:05d}"
        suggested = Suggested(
            at=stamp(now),
            trial=trial,
            config=content,
            config_hash=found.config.hash(),
            values=dict(found.suggestion.values),
            cost=asdict(found.cost),
            draw=found.suggestion.draw,
            source=found.suggestion.source,
            rejected=dict(found.rejected),
        )
        return self._launch(trial, found.config, 0, self._scheduler.segment_end(trial, 0), "new", now, before=(suggested,))

    def _resume(self, record: TrialRecord, now: float) -> Job:
        """Return the rest of a segment that was interrupted, from the newest checkpoint that the journal knows."""
        lost = bool(record.losses) and record.losses[-1].attempt == record.attempt
        why: Why = "new" if not record.attempts else "retry" if lost else "resume"
        until_epoch = self._scheduler.segment_end(record.trial, record.epochs)
        return self._launch(record.trial, TrainConfig.model_validate(record.config), record.checkpoint_epoch, until_epoch, why, now)

    def _continue(self, promotion: Promotion, why: Why, now: float) -> Job:
        config = TrainConfig.model_validate(self.history.trials[promotion.trial].config)
        return self._launch(promotion.trial, config, promotion.from_epoch, promotion.until_epoch, why, now)

    def _launch(
        self, trial: str, config: TrainConfig, from_epoch: int, until_epoch: int, why: Why, now: float, before: Sequence[Event] = ()
    ) -> Job:
        record = self.history.trials.get(trial)
        attempt = 1 if record is None else record.attempt + 1
        checkpoint = None if record is None or from_epoch == 0 else record.checkpoint
        launched = Launched(at=stamp(now), trial=trial, attempt=attempt, from_epoch=from_epoch, until_epoch=until_epoch, why=why)
        self.record(*before, launched)
        return Job(
            trial=trial,
            config=config,
            from_epoch=from_epoch,
            until_epoch=until_epoch,
            attempt=attempt,
            checkpoint=checkpoint,
            checkpoint_epochs=self.sweep.checkpoint_epochs,
        )

    def _repeat(self, event: Reported, now: float) -> Decision:
        """Charge an epoch that was trained again. Only the budget may end a segment there: its own end lies above all that was reported."""
        again = Repeated(at=event.at, trial=event.trial, attempt=event.attempt, epoch=event.epoch, device_s=event.device_s)
        self.apply(again)
        if (refusal := self.budget.refusal(event.trial, now=now)) is None:
            self._append([again], False)
            return CONTINUE
        found = verdict.cut_short(CONTINUE, refusal, event, now)
        self.stopped_by = found.cut_short
        for fact in found.facts:
            self.apply(fact)
        self._append([again, *found.facts], True)
        return found.decision
