"""What a sweep would have cost and found under other settings, computed from the curves that it left. Nothing is trained.

The production engine runs again, on simulated workers, over the recorded trials in their order. Another setting may ask for epochs that
were never trained: those scores nobody knows. They are filled in twice at the extremes (every unknown trial worse than all known, then
better) and many times at random, and what all outcomes have in common is known; where they part, the range is said. An epoch that was
recorded takes the seconds that it took, an unknown one the mean of its trial.

Other lengths cannot be replayed (a schedule that ends elsewhere gives other curves), nor other candidates.
"""

import heapq
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from results import ranking
from results.events import DriverStarted, Reported, SweepStarted, stamp
from results.history import History, TrialRecord
from search_spaces import load
from search_spaces.feasible_space import Feasible
from search_spaces.overrides import parse_override
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from tuner.budget import Budget
from tuner.decisions import Job, Suggestion
from tuner.errors import UsageError
from tuner.schedulers import scheduler
from tuner.search import Search

RANDOM_FILLINGS = 20  # outcomes between the extremes; where nothing is unknown one outcome says all

# How far above the best recorded score an unknown one may lie at random, as a share of the range of all scores.
ABOVE_THE_BEST = 0.05

# Parts of a sweep whose recorded curves stay what they were when it changes.
CHANGEABLE = ("scheduler", "search.trials", "budget", "resources.workers")
ENDED_BADLY = ("diverged", "out_of_memory", "failed")

Filling = Literal["worst", "best", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner:
    """A trial that may come out first.

    Attributes:
        trial: Its id.
        outcomes: Share of the outcomes in which it does, 0..1.
        epochs: Epochs up to which its curve is recorded.
        score: The metric at its last recorded epoch, in its own sign.
    """

    trial: str
    outcomes: float
    epochs: int
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One setting's outcomes; low and high are the least and the most of them.

    Attributes:
        setting: What was changed, in words; `as it was set` for nothing.
        trials: Trials launched.
        epochs: Epochs trained, in the outcome in which every unknown score is the worst.
        epochs_low: The least.
        epochs_high: The most.
        device_s: Seconds of workers' time, likewise.
        device_s_low: The least.
        device_s_high: The most.
        wall_s: Seconds from the first epoch to the last, likewise.
        wall_s_low: The least.
        wall_s_high: The most.
        completed_low: Trials trained in full: the least.
        completed_high: The most.
        winners: Who may come out first, the likeliest first; one where it is known.
        unknown_trials: Trials whose curve ends before an epoch that some outcome asks for.
        unknown_epochs_high: Epochs that were never trained, the most of the outcomes.
    """

    setting: str
    trials: int
    epochs: int
    epochs_low: int
    epochs_high: int
    device_s: float
    device_s_low: float
    device_s_high: float
    wall_s: float
    wall_s_low: float
    wall_s_high: float
    completed_low: int
    completed_high: int
    winners: list[Winner]
    unknown_trials: list[str]
    unknown_epochs_high: int


def changed(sweep: Sweep, overrides: Sequence[str], *, num_recorded: int) -> Sweep:
    """Return the sweep with other settings.

    Args:
        sweep: As it was stored.
        overrides: Texts of `-s`.
        num_recorded: Trials that it left.

    Raises:
        UsageError: A setting cannot be replayed.
        SweepError: A value is none.
    """
    content = sweep.model_dump(mode="json")
    for text in overrides:
        path, value = parse_override(text)
        if not any(f"{path}.".startswith(f"{part}.") for part in CHANGEABLE):
            raise UsageError(
                f"-s {text}: another {path} would have other curves, nobody knows them; replay changes {', '.join(CHANGEABLE)}"
            )
        branch = content
        *parents, name = path.split(".")
        for parent in parents:
            branch[parent] = branch.get(parent) or {}
            branch = branch[parent]
        branch[name] = value
        if parents[:2] == ["scheduler", "none"]:
            content["scheduler"] = {"none": content["scheduler"]["none"]}
    options = load.resolved(content)
    if options.max_epochs != sweep.max_epochs:
        seen = f"scheduler: max_epochs is {options.max_epochs}"
        raise UsageError(f"{seen}, must stay {sweep.max_epochs}: trials of another length have other curves, nobody knows them")
    if options.search.trials != sweep.search.trials and (options.search.trials or 0) > num_recorded:
        raise UsageError(f"search.trials: {options.search.trials}, must be at most the {num_recorded} trials recorded; nobody knows others")
    return options


def variants(sweep: Sweep, *, workers: int) -> list[tuple[str, list[str]]]:
    """Return the settings that are compared where none was named: words, and the overrides that make them."""
    rows: list[tuple[str, list[str]]] = [("as it was set", [])]
    if (asha := sweep.scheduler.asha) is not None:
        other = "stopping" if asha.variant == "promotion" else "promotion"
        rows += [(f"eta {eta}", [f"scheduler.asha.eta={eta}"]) for eta in (2, 3, 4) if eta != asha.eta]
        rows += [
            (f"min_epochs {epochs}", [f"scheduler.asha.min_epochs={epochs}"])
            for epochs in (max(1, asha.first_rung // 2), 2 * asha.first_rung)
            if epochs != asha.first_rung and epochs <= asha.max_epochs
        ]
        rows.append((f"variant {other}", [f"scheduler.asha.variant={other}", "scheduler.asha.delayed=false"]))
        if asha.variant == "promotion":
            rows.append((f"delayed {str(not asha.delayed).lower()}", [f"scheduler.asha.delayed={str(not asha.delayed).lower()}"]))
    else:
        rows.append(("asha", [f"scheduler={{asha: {{max_epochs: {sweep.max_epochs}}}}}"]))
    if sweep.search.trials and sweep.search.trials > 3:
        rows.append((f"{sweep.search.trials // 2} trials", [f"search.trials={sweep.search.trials // 2}"]))
    if sweep.scheduler.none is None:
        rows.append(("no early stopping", [f"scheduler={{none: {{max_epochs: {sweep.max_epochs}}}}}"]))
    rows += [
        (f"{count} worker{'s' if count != 1 else ''}", [f"resources.workers={count}"])
        for count in (1, 2 * workers, 8 * workers)
        if count != workers
    ]
    return rows


def replay(sweep: Sweep, history: History, *, setting: str, workers: int) -> Replay:
    """Return what a setting would have cost and found.

    Args:
        sweep: The recorded sweep with other settings (`changed`).
        history: What was recorded.
        setting: The settings in words.
        workers: Trials at once.

    Raises:
        UsageError: No trial was recorded.
    """
    if not history.trials:
        raise UsageError(f"{sweep.name} has no trial yet, there is nothing to replay")
    worst = _Outcome(sweep, history, workers, "worst", 0)
    outcomes = [worst]
    if worst.unknown:
        outcomes += [_Outcome(sweep, history, workers, "best", 0)]
        outcomes += [_Outcome(sweep, history, workers, "random", seed) for seed in range(RANDOM_FILLINGS)]
    firsts = [first for outcome in outcomes if (first := outcome.first()) is not None]
    winners = [
        Winner(
            trial=trial,
            outcomes=firsts.count(trial) / len(outcomes),
            epochs=record.epochs,
            score=record.last.score if record.last else None,
        )
        for trial in dict.fromkeys(firsts)
        if (record := history.trials[trial])
    ]
    epochs, device_s, wall_s = ([getattr(outcome, name) for outcome in outcomes] for name in ("epochs", "device_s", "wall_s"))
    completed = [outcome.search.history.num_completed for outcome in outcomes]
    return Replay(
        setting=setting,
        trials=len(worst.search.history.trials),
        epochs=worst.epochs,
        epochs_low=min(epochs),
        epochs_high=max(epochs),
        device_s=worst.device_s,
        device_s_low=min(device_s),
        device_s_high=max(device_s),
        wall_s=worst.wall_s,
        wall_s_low=min(wall_s),
        wall_s_high=max(wall_s),
        completed_low=min(completed),
        completed_high=max(completed),
        winners=sorted(winners, key=lambda winner: -winner.outcomes),
        unknown_trials=sorted(set().union(*(outcome.unknown.keys() for outcome in outcomes))),
        unknown_epochs_high=max(sum(outcome.unknown.values()) for outcome in outcomes),
    )


class _Outcome:
    """One run of the engine over the recorded curves, with the unknown scores filled in one way.

    Attributes:
        search: The sweep as it ended.
        epochs: Epochs trained.
        device_s: Seconds of workers' time.
        wall_s: Seconds from the first epoch to the last.
        unknown: Trial -> its epochs that were never trained.
    """

    def __init__(self, sweep: Sweep, history: History, workers: int, filling: Filling, seed: int) -> None:
        self._recorded = list(history.trials.values())
        self._mode = sweep.objective.mode
        self._sign = sweep.objective.sign
        self._filling = filling
        self._rng = random.Random(seed)
        known = [self._sign * one.score for record in self._recorded for one in record.curve.values() if one.score is not None]
        self._low, self._high = min(known, default=0.0), max(known, default=1.0)
        # An unknown trial keeps its place in the order, so that one outcome is one possible truth: 0 worst, 1 best.
        self._places = {record.trial: self._rng.random() for record in self._recorded}
        self.search = self._search(sweep, workers)
        self.epochs = 0
        self.device_s = 0.0
        self.wall_s = 0.0
        self.unknown: dict[str, int] = {}
        self._run(workers)

    def first(self) -> str | None:
        """Return the recorded trial that comes out first; None where no trial has a rank."""
        order = ranking.order(self.search.history)
        return self._record(order[0].trial).trial if order and ranking.ranked(order[0]) else None

    def _search(self, sweep: Sweep, workers: int) -> Search:
        recorded = self._recorded
        proposed: list[TrialRecord] = []

        def propose(history: History, draw: int) -> Suggestion | None:
            if draw >= len(recorded):
                return None
            proposed[:] = [recorded[draw]]
            return Suggestion(values=recorded[draw].values, draw=draw, source="replay")

        space = Space.parse(sweep.trial)
        search = Search(
            sweep,
            space=space,
            scheduler=scheduler.build(sweep.scheduler.rule, sign=sweep.objective.sign, patience=sweep.scheduler.patience),
            propose=propose,
            feasible=Feasible(space, sweep, cost=None),  # recorded trials have kept every limit
            cost=lambda config: ArchitectureCost(**proposed[0].cost),
            budget=Budget(sweep.budget),
            history=History(),
            append=lambda events, sync: None,
        )
        search.apply(
            SweepStarted(
                at=stamp(0.0),
                sweep=sweep.name,
                sweep_hash="",
                metric=sweep.objective.metric,
                mode=self._mode,
                parameters=search.searched,
                ladder=search.ladder,
                max_epochs=sweep.max_epochs,
                num_trials=search.num_trials,
                commit=None,
                versions={},
            )
        )
        search.apply(DriverStarted(at=stamp(0.0), host="", pid=0, slots=workers))
        return search

    def _run(self, workers: int) -> None:
        """The loop of `simulate`, with each epoch's own seconds, and trials that end as they ended."""
        running: list[tuple[float, int, Job, int]] = []
        now, order = 0.0, 0
        while True:
            while len(running) < workers and (job := self.search.next_job(now)) is not None:
                order += 1
                heapq.heappush(running, (now + self._seconds(job, job.from_epoch + 1)[1], order, job, job.from_epoch + 1))
            if not running:
                break
            now, _, job, epoch = heapq.heappop(running)
            record = self._record(job.trial)
            ended = record.ended
            if ended is not None and ended.status in ENDED_BADLY and epoch > record.epochs:
                self.search.end(job.trial, job.attempt, ended.status, ended.reason, now)
                continue
            if ended is not None and ended.status == "completed" and epoch > record.epochs:
                self.search.end(job.trial, job.attempt, "completed", ended.reason, now)  # its own patience ran out
                continue
            report = self._report(job, epoch, now)
            self.epochs += 1
            self.device_s += report.device_s
            decision = self.search.report(report, now)
            if decision.action == "continue" and epoch < job.until_epoch:
                order += 1
                heapq.heappush(running, (now + self._seconds(job, epoch + 1)[1], order, job, epoch + 1))
        self.wall_s = now

    def _record(self, trial: str) -> TrialRecord:
        """Return the recorded trial that a trial of the replay stands for; its draw is its number."""
        return self._recorded[self.search.history.trials[trial].draw]

    def _seconds(self, job: Job, epoch: int) -> tuple[float, float]:
        """Return an epoch's seconds on the device, and until it is reported."""
        record = self._record(job.trial)
        if (known := record.curve.get(epoch)) is not None:
            return known.device_s, known.wall_s
        if record.curve:
            return record.device_s / len(record.curve), record.wall_s / len(record.curve)
        others = [(one.device_s / len(one.curve), one.wall_s / len(one.curve)) for one in self._recorded if one.curve]
        return (statistics.fmean(one for one, _ in others), statistics.fmean(one for _, one in others)) if others else (0.0, 0.0)

    def _report(self, job: Job, epoch: int, now: float) -> Reported:
        record = self._record(job.trial)
        device_s, wall_s = self._seconds(job, epoch)
        known = record.curve.get(epoch)
        if known is None:
            self.unknown[record.trial] = self.unknown.get(record.trial, 0) + 1
        score = known.score if known is not None else self._sign * self._filled(record)
        names = ("val_accuracy", "val_loss", "train_accuracy", "train_loss", "lr", "images_per_s")
        figures: Mapping[str, Any] = dict.fromkeys(names, float("nan"))
        return Reported(
            at=stamp(now), trial=job.trial, attempt=job.attempt, score=score, checkpoint="replayed", worker="", device="", epoch=epoch,
            wall_s=wall_s, device_s=device_s, peak_memory_bytes=0, **figures,
        )  # fmt: skip

    def _filled(self, record: TrialRecord) -> float:
        """Return a score, higher is better, for an epoch that nobody has trained."""
        width = (self._high - self._low) or 1.0
        match self._filling:
            case "worst":
                return self._low - width * (1 + self._places[record.trial])
            case "best":
                return self._high + width * (1 + self._places[record.trial])
        # Curves seldom fall: from the trial's own last score to a little above the best of all.
        own = record.last.score if record.last is not None else None
        floor = self._low if own is None else self._sign * own
        return floor + (self._high + ABOVE_THE_BEST * width - floor) * self._places[record.trial]
