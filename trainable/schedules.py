"""Learning rate at a step: pure arithmetic over the horizon `max_epochs`, so that a longer run re-derives the whole curve."""

import math
from typing import assert_never

from trainable.config.train import TrainConfig


def lr_at(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of one optimizer step.

    Args:
        config: Its `lr` is the highest rate, its `max_epochs` the horizon.
        step: Steps taken before this one, 0 <= step < max_epochs * steps_per_epoch.
        steps_per_epoch: Optimizer steps in one epoch, >= 1.

    Source:
        cosine: Loshchilov & Hutter, 2016, arXiv:1608.03983, equation 5 without restarts, with a floor of zero. The first step
        has `lr`; the last stays just above zero, for a step at zero would be wasted.
    """
    num_steps = config.max_epochs * steps_per_epoch
    assert 0 <= step < num_steps, f"step {step} of {num_steps}"
    match config.schedule:
        case "constant":
            return config.lr
        case "cosine":
            return config.lr * (1 + math.cos(math.pi * step / num_steps)) / 2
    assert_never(config.schedule)
