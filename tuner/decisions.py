"""What the search answers, as plain values. Imports no rule, no ray, no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from results.events import Action
from trainable.config.train import TrainConfig


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A candidate as a sampler proposes it, before anything has been checked.

    Attributes:
        values: Searched parameter -> value, active ones only.
        draw: The draw that gave it, 0-based.
        source: Name of what proposed it.
    """

    values: Mapping[str, Any]
    draw: int
    source: str


# What a sampler answers that will have more to propose when what runs has ended.
WAIT = Suggestion(values={}, draw=-1, source="wait")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One segment of a trial: what one worker trains before it asks again.

    Attributes:
        trial: The trial's id.
        config: Its complete recipe.
        from_epoch: Epochs already trained; 0 is a fresh start.
        until_epoch: Train up to and including this epoch.
        attempt: Number of this segment within its trial, 1-based; reports of an older one are ignored.
        checkpoint: Checkpoint folder to start from, relative to the sweep; None for a fresh start.
        checkpoint_epochs: Epochs, >= 1, between periodic checkpoints; one is always written at `until_epoch`.
    """

    trial: str
    config: TrainConfig
    from_epoch: int
    until_epoch: int
    attempt: int
    checkpoint: str | None
    checkpoint_epochs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a trial does after an epoch.

    Attributes:
        rung_epochs: The rung it was compared at; None between rungs.
        cutoff: The score that had to be met, in the metric's own sign; None where there was none.
        reason: One line for people.
    """

    action: Action
    rung_epochs: int | None = None
    cutoff: float | None = None
    reason: str = ""


CONTINUE = Decision(action="continue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A paused trial that goes on.

    Attributes:
        from_epoch: The rung it waits at.
        until_epoch: Where its next segment ends.
        value: Its score at that rung, higher is better.
    """

    trial: str
    from_epoch: int
    until_epoch: int
    value: float
