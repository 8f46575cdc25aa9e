"""Ray's and Optuna's own decision code behind the two questions of the simulator; Syne Tune's is in `peers_syne_tune.py`.

What is the peer's and what is ours: the peer says whether a trial goes on. Rows come in the order that all methods share, unless the
peer proposes. A trial whose score is not finite ends there and then, as it would in our engine, and the peer is told that it failed.
Options are the peer's defaults, except the length of a full training and the first comparison, which is at 1/16 of it.
"""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Protocol

from benchmarks.curve_tables import CurveTable
from results.events import Reported
from trainable.config.train import TrainConfig
from tuner.decisions import CONTINUE, Decision, Job

STOP = Decision(action="stop")


def first_rung(max_epochs: int) -> int:
    """Return 1/16 of a full training in whole epochs, at least 1."""
    return max(1, -(-max_epochs // 16))


class Rule(Protocol):
    """What a peer decides."""

    ladder: Sequence[int] | None

    def propose(self, unused: Sequence[int]) -> int:
        """Return the row to start next.

        Args:
            unused: Rows that no trial has yet, at least one, in the order that all methods share.
        """

    def start(self, trial: str, row: int) -> None:
        """Take note of a new trial."""

    def goes_on(self, trial: str, epoch: int, score: float) -> bool:
        """Take in a score and say whether the trial goes on; below the last epoch and at it."""

    def failed(self, trial: str) -> None:
        """Take note of a trial that diverged."""


class Peer:
    """A peer's rule as a steering: one segment a trial, from the first epoch to the last."""

    def __init__(self, rule: Rule, configs: Sequence[TrainConfig], order: Sequence[int]) -> None:
        self.ladder = rule.ladder
        self._rule = rule
        self._configs = configs
        self._unused = list(order)
        self._num_trials = 0

    def next_job(self, now: float) -> Job | None:
        """Return a new trial; None when the table is used up."""
        if not self._unused:
            return None
        row = self._rule.propose(self._unused)
        self._unused.remove(row)
        self._num_trials += 1
        trial = f"t{self._num_trials:05d}"
        self._rule.start(trial, row)
        config = self._configs[row]
        return Job(
            trial=trial,
            config=config,
            from_epoch=0,
            until_epoch=config.max_epochs,
            attempt=1,
            checkpoint=None,
            checkpoint_epochs=config.max_epochs,
        )

    def report(self, event: Reported, now: float) -> Decision:
        """Pass on a score and the peer's answer."""
        if event.score is None:
            self._rule.failed(event.trial)
            return STOP
        return CONTINUE if self._rule.goes_on(event.trial, event.epoch, event.score) else STOP


class RayAsha:
    """`ray.tune.schedulers.AsyncHyperBandScheduler` with one bracket: eta 4."""

    def __init__(self, table: CurveTable) -> None:
        from ray.tune.schedulers import AsyncHyperBandScheduler

        grace = first_rung(table.max_epochs)
        self.ladder: Sequence[int] | None = geometric(grace, 4, table.max_epochs)
        self._scheduler = AsyncHyperBandScheduler(
            time_attr="training_iteration", metric="score", mode="max", max_t=table.max_epochs, grace_period=grace, reduction_factor=4
        )
        self._trials: dict[str, SimpleNamespace] = {}

    def propose(self, unused: Sequence[int]) -> int:
        """Return the next row: a scheduler proposes nothing."""
        return unused[0]

    def start(self, trial: str, row: int) -> None:
        """Add the trial."""
        self._trials[trial] = SimpleNamespace(trial_id=trial)
        self._scheduler.on_trial_add(None, self._trials[trial])

    def goes_on(self, trial: str, epoch: int, score: float) -> bool:
        """Ask the scheduler."""
        answer = self._scheduler.on_trial_result(None, self._trials[trial], {"training_iteration": epoch, "score": score})
        return bool(answer == "CONTINUE")

    def failed(self, trial: str) -> None:
        """Tell the scheduler; what the trial reported before stays counted, as in Ray."""
        self._scheduler.on_trial_error(None, self._trials[trial])


class OptunaPruner:
    """One of `optuna.pruners`, asked after every epoch."""

    def __init__(self, kind: str, table: CurveTable, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        epochs, first = table.max_epochs, first_rung(table.max_epochs)
        pruner: optuna.pruners.BasePruner
        match kind:
            case "sha":
                self.ladder: Sequence[int] | None = geometric(first, 4, epochs)
                pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=4)
            case "hyperband":
                self.ladder = geometric(1, 3, epochs)
                pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)
            case _:
                self.ladder = None
                pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=first)
        self._epochs = epochs
        self._states = optuna.trial.TrialState
        self._study = optuna.create_study(direction="maximize", pruner=pruner, study_name=f"replay-{seed}")
        self._trials: dict[str, optuna.Trial] = {}

    def propose(self, unused: Sequence[int]) -> int:
        """Return the next row: a pruner proposes nothing."""
        return unused[0]

    def start(self, trial: str, row: int) -> None:
        """Ask the study for a trial."""
        self._trials[trial] = self._study.ask()

    def goes_on(self, trial: str, epoch: int, score: float) -> bool:
        """Report a score, and prune or complete the trial."""
        theirs = self._trials[trial]
        theirs.report(score, epoch)
        if epoch == self._epochs:
            self._study.tell(theirs, score)
            return False
        if theirs.should_prune():
            self._study.tell(theirs, state=self._states.PRUNED)
            return False
        return True

    def failed(self, trial: str) -> None:
        """Tell the study."""
        self._study.tell(self._trials[trial], state=self._states.FAIL)


def geometric(first: int, eta: int, below: int) -> tuple[int, ...]:
    """Return first * eta**k below a full training, ascending."""
    return tuple(_powers(first, eta, below))


def _powers(first: int, eta: int, below: int) -> Iterator[int]:
    while first < below:
        yield first
        first *= eta
