"""What a sweep file may say under `scheduler`: one rule that decides who goes on, and patience beside it (docs/scheduling.md)."""

from typing import Annotated, Literal

from pydantic import Field

from search_spaces.quantities import Epochs
from trainable.config.base import Frozen, Unit


class RungOptions(Frozen):
    """A ladder of rungs: r is min_epochs, R is max_epochs."""

    variant: Literal["promotion", "stopping"] = Field(
        default="promotion",
        description="promotion: at each rung a trial waits until it is among the best 1/eta; stopping: one that is not stops.",
    )
    delayed: bool = Field(default=False, description="promotion only: eta trials must stand at a rung for each one sent up.")
    min_epochs: Epochs | None = Field(default=None, description="First rung; max_epochs / 27 rounded up, at least 2, by default.")
    max_epochs: Epochs = Field(description="Epochs of a trial trained in full.")
    eta: Annotated[int, Field(strict=True, ge=2, le=1_000)] = Field(default=3, description="About 1/eta of a rung goes on.")
    drain: Literal["leader", "none"] = Field(
        default="leader",
        description="promotion only: when nothing else is left and no trial was trained in full, the leader goes on; where a finite "
        "space is used up, so do the next best, as long as the budget lasts.",
    )

    @property
    def first_rung(self) -> int:
        """Return min_epochs, or its default."""
        return self.min_epochs or early(self.max_epochs)


class AshaOptions(RungOptions):
    """Asynchronous successive halving (Li et al., MLSys 2020): r is min_epochs, R is max_epochs.

    Example:
        variant: promotion
        delayed: true
        min_epochs: 2
        max_epochs: 54
        eta: 3
        drain: leader
    """


class HyperbandOptions(RungOptions):
    """Asynchronous Hyperband (Li et al., MLSys 2020): brackets of asha, each with its first rung one step higher.

    Example:
        variant: promotion
        delayed: false
        min_epochs: 1
        max_epochs: 27
        eta: 3
        drain: leader
        brackets: 2
    """

    brackets: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        default=None, description="How many; as many as first rungs fit between min_epochs and max_epochs by default."
    )

    @property
    def most_brackets(self) -> int:
        """Return how many first rungs `first_rung * eta**s` are <= max_epochs: the paper's s_max + 1."""
        number, epochs = 0, self.first_rung
        while epochs <= self.max_epochs:
            number, epochs = number + 1, epochs * self.eta
        return number


class MedianOptions(Frozen):
    """Median stopping rule (Golovin et al., KDD 2017): below the median of the others' running averages, a trial stops.

    Example:
        max_epochs: 27
        grace_epochs: 3
        min_trials: 5
    """

    max_epochs: Epochs = Field(description="Epochs of a trial trained in full.")
    grace_epochs: Epochs | None = Field(
        default=None, description="First epoch at which a trial may stop; max_epochs / 27 rounded up, at least 2, by default."
    )
    min_trials: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = Field(
        default=3, description="Other trials that must have reached an epoch before one stops there."
    )

    @property
    def first_look(self) -> int:
        """Return grace_epochs, or its default."""
        return self.grace_epochs or early(self.max_epochs)


class RunAllOptions(Frozen):
    """Every trial is trained in full.

    Example:
        max_epochs: 27
    """

    max_epochs: Epochs = Field(description="Epochs of every trial.")


class PatienceOptions(Frozen):
    """Beside a rule: a trial whose score has stood still stops, wherever it is.

    Example:
        epochs: 5
        min_delta: 0.001
    """

    epochs: Epochs = Field(description="Epochs in a row without an improvement that stop a trial.")
    min_delta: Annotated[Annotated[float, Field(ge=0.0, allow_inf_nan=False)], Unit("the metric's")] = Field(
        default=0.0, description="What counts as an improvement: more than this, in the metric's own unit."
    )


Rule = AshaOptions | HyperbandOptions | MedianOptions | RunAllOptions


class SchedulerOptions(Frozen):
    """Who goes on: exactly one rule, and patience beside it.

    Example:
        asha: {max_epochs: 27, eta: 3}
        patience: {epochs: 5}

        hyperband: {max_epochs: 27}

        median: {max_epochs: 27}

        none: {max_epochs: 27}
    """

    asha: AshaOptions | None = None
    hyperband: HyperbandOptions | None = None
    median: MedianOptions | None = None
    none: RunAllOptions | None = None
    patience: PatienceOptions | None = Field(default=None, description="An extra rule beside the one above: stop trials on a plateau.")

    @property
    def rule(self) -> Rule:
        """Return the rule that was chosen (`checks.py` sees to it that there is exactly one)."""
        rule = self.asha or self.hyperband or self.median or self.none
        assert rule is not None
        return rule


RULES = tuple(name for name in SchedulerOptions.model_fields if name != "patience")


def early(max_epochs: int) -> int:
    """Return when trials are compared first by default: 1/27 of the length needs least training on replayed curves, one epoch is a bet."""
    return min(max_epochs, max(2, -(-max_epochs // 27)))
