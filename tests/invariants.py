"""What must hold of any sweep's journal, recomputed from the events alone: none of the engine's own bookkeeping is asked."""

import bisect
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

from sweeps import START, Recorder, make_search

from results.events import Decided, DriverStarted, Ended, EndStatus, Event, Launched, Lost, Reported, Suggested, stamp
from search_spaces.scheduler_options import HyperbandOptions, RungOptions
from search_spaces.sweep import Sweep
from tuner.decisions import Decision, Job


class Ledger:
    """An accountant beside the engine: fed each event as it is journaled, it objects to what must not be."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.rule = sweep.scheduler.rule
        self.phase: dict[str, str] = {}  # pending, running, paused, must end, or how it ended
        self.losses: Counter[str] = Counter()
        self.attempt: Counter[str] = Counter()
        self.epochs: Counter[str] = Counter()
        self.rungs: dict[tuple[int, int], list[tuple[float, str]]] = defaultdict(list)  # (bracket, rung) -> best first
        self.promoted: dict[tuple[int, int], set[str]] = defaultdict(set)
        self.values: dict[tuple[int, str], float] = {}
        self._ladders: dict[str, list[int]] = {}
        self._brackets: dict[str, int] = {}
        self.left: dict[tuple[int, int], set[str]] = defaultdict(set)  # those and the drained

    def __call__(self, event: Event) -> None:
        match event:
            case Suggested(trial=trial):
                assert trial not in self.phase
                self.phase[trial] = "pending"
            case Launched(trial=trial):
                self._launched(event)
            case Reported(trial=trial, epoch=epoch, score=score):
                assert self.phase[trial] == "running"
                assert event.attempt == self.attempt[trial]
                assert epoch == self.epochs[trial] + 1, "an epoch journaled twice, or skipped"
                self.epochs[trial] = epoch
                if score is not None and epoch in self.ladder(trial):
                    place = self.bracket(trial), epoch
                    self.values[epoch, trial] = -self.sweep.objective.sign * score
                    bisect.insort(self.rungs[place], (self.values[epoch, trial], trial))
            case Decided(trial=trial, action=action):
                assert self.phase[trial] == "running"
                assert event.epoch == self.epochs[trial]
                if action != "continue":
                    self.phase[trial] = "paused" if action == "pause" else "must end"
            case Lost(trial=trial):
                assert self.phase[trial] == "running"
                self.losses[trial] += 1
                self.phase[trial] = "pending" if self.losses[trial] < 3 else "must end"
            case Ended(trial=trial, status=status):
                assert self.phase[trial] in ("running", "must end")
                self.phase[trial] = status
                if status == "completed":
                    assert self.epochs[trial] == self.sweep.max_epochs
            case DriverStarted():
                self.phase = {trial: "pending" if phase == "running" else phase for trial, phase in self.phase.items()}

    def ladder(self, trial: str) -> list[int]:
        """Return the rungs of a trial's bracket."""
        if trial not in self._ladders:
            self._ladders[trial] = self._ladder(trial)
        return self._ladders[trial]

    def bracket(self, trial: str) -> int:
        """Return a trial's bracket."""
        if trial not in self._brackets:
            self._brackets[trial] = self._bracket(trial)
        return self._brackets[trial]

    def _ladder(self, trial: str) -> list[int]:
        if not isinstance(self.rule, RungOptions):
            return []
        first = self.rule.first_rung * self.rule.eta ** self.bracket(trial)
        return [first * self.rule.eta**k for k in range(20) if first * self.rule.eta**k < self.rule.max_epochs]

    def _bracket(self, trial: str) -> int:
        """Apply the definition: the binary digits of the trial's number, mirrored at the point."""
        if not isinstance(self.rule, HyperbandOptions):
            return 0
        most = self.rule.most_brackets
        sizes = [-(-most * self.rule.eta ** (most - 1 - s) // (most - s)) for s in range(self.rule.brackets or most)]
        number, point, share = int(trial[1:]) - 1, Fraction(0), Fraction(1, 2)
        while number:
            point, share, number = point + share * (number & 1), share / 2, number >> 1
        return next(s for s in range(len(sizes)) if point < Fraction(sum(sizes[: s + 1]), sum(sizes)))

    def promotable(self) -> set[str]:
        """Return the paused trials that the rule lets go on."""
        assert isinstance(self.rule, RungOptions)
        found = set()
        for place, order in self.rungs.items():
            if self.rule.delayed and len(order) < self.rule.eta * (len(self.left[place]) + 1):
                continue
            found |= {trial for _, trial in order[: len(order) // self.rule.eta] if self.phase[trial] == "paused"} - self.left[place]
        return found

    def counts(self) -> Counter[str]:
        return Counter(self.phase.values())

    def _launched(self, event: Launched) -> None:
        trial = event.trial
        assert self.phase[trial] == ("paused" if event.why in ("promotion", "drain") else "pending")
        assert event.attempt == self.attempt[trial] + 1
        assert event.from_epoch <= self.epochs[trial] < event.until_epoch
        self.attempt[trial] = event.attempt
        self.phase[trial] = "running"
        if event.why not in ("promotion", "drain"):
            return
        assert isinstance(self.rule, RungOptions)
        place = self.bracket(trial), event.from_epoch
        order = self.rungs[place]
        position = bisect.bisect_left(order, (self.values[place[1], trial], trial))
        assert order[position][1] == trial
        assert position < len(order) // self.rule.eta or event.why == "drain", "promoted from below the top floor(n / eta)"
        assert trial not in self.left[place]
        self.left[place].add(trial)
        if event.why == "promotion":
            self.promoted[place].add(trial)
            if self.rule.delayed:
                assert len(self.promoted[place]) <= len(order) // self.rule.eta


class Witness:
    """A search under watch: each answer is held against the journal, and the driver may be killed in the middle of a write."""

    def __init__(self, sweep: Sweep, *, seed: int = 0, every: int = 1) -> None:
        self.sweep = sweep
        self.journal = _Watched(Ledger(sweep))
        self.search, _ = make_search(sweep, (), self.journal)
        self._rng = random.Random(seed)
        self._every = every  # an idle worker's case is looked into once in so many times: it takes a walk over all rungs
        self._idle = 0
        self.search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))

    @property
    def ledger(self) -> Ledger:
        return self.journal.ledger

    def next_job(self, now: float) -> Job | None:
        job = self.search.next_job(now)
        if job is None:
            self._idle += 1
            if self._idle % self._every == 0 or self.search.done:
                self._nothing_can_be_trained()
        return job

    def report(self, event: Reported, now: float) -> Decision:
        before = len(self.journal.events)
        decision = self.search.report(event, now)
        said = [fact for fact in self.journal.events[before:] if isinstance(fact, Decided)]
        ended = any(isinstance(fact, Ended) for fact in self.journal.events[before:])
        if said:
            assert [(fact.action, fact.rung_epochs, fact.cutoff, fact.reason) for fact in said] == [
                (decision.action, decision.rung_epochs, decision.cutoff, decision.reason)
            ]
        else:
            assert decision.action == ("stop" if ended else "continue")
        assert ended == (decision.action == "stop")
        return decision

    def lost(self, trial: str, attempt: int, reason: str, now: float) -> None:
        self.search.lost(trial, attempt, reason, now)

    def end(self, trial: str, attempt: int, status: EndStatus, reason: str, now: float, log_tail: Sequence[str] = ()) -> None:
        self.search.end(trial, attempt, status, reason, now, log_tail)

    def restart(self, now: float) -> "Witness":
        """Open the search again after its driver was killed while it wrote: the last write may be there in part, or not at all."""
        kept = self._rng.randint(self.journal.last_write, len(self.journal.events))
        events = self.journal.events[:kept]
        self.journal = _Watched(Ledger(self.sweep))
        self.journal(events, True)
        self.search, _ = make_search(self.sweep, events, self.journal)
        self.search.record(DriverStarted(at=stamp(now), host="host", pid=1, slots=1))
        return self

    def check_the_end(self) -> None:
        """Check what must hold of a sweep that has ended, without a budget and in a space that was not used up."""
        assert self.search.done
        counts = self.ledger.counts()
        assert set(counts) <= {"paused", "stopped", "completed", "diverged", "failed", "out_of_memory"}
        assert counts.total() - counts["out_of_memory"] == self.sweep.search.trials, "exactly the trials asked for"
        assert self.search.history.counts() == dict(counts)
        if isinstance(self.ledger.rule, RungOptions) and self.ledger.rule.variant == "promotion" and self.ledger.rule.drain == "leader":
            assert counts["completed"] or not counts["paused"], "somebody could have been trained in full"

    def _nothing_can_be_trained(self) -> None:
        counts = self.ledger.counts()
        assert not counts["pending"]
        assert counts.total() - counts["out_of_memory"] == self.sweep.search.trials
        if isinstance(self.ledger.rule, RungOptions) and self.ledger.rule.variant == "promotion":
            assert not self.ledger.promotable()


class _Watched(Recorder):
    """A journal in memory that shows the ledger each event and remembers where its last write began."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.last_write = 0

    def __call__(self, events: Sequence[Event], sync: bool) -> None:
        self.last_write = len(self.events)
        super().__call__(events, sync)
        for event in events:
            self.ledger(event)
