"""Learning rate at a step: pure arithmetic over the horizon `max_epochs`, so that a longer run re-derives the whole curve."""

import math
from typing import assert_never

from trainable.config.train import TrainConfig

# A share of the horizon is a float: 0.7 * 10 steps is a hair more than 7. Boundaries this near to a step lie on it.
TOLERANCE = 1e-6


def lr_at(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of one optimizer step.

    Args:
        config: Its `lr` is the highest rate, its `max_epochs` the horizon.
        step: Steps taken before this one, 0 <= step < max_epochs * steps_per_epoch.
        steps_per_epoch: Optimizer steps in one epoch, >= 1.

    Source:
        cosine: Loshchilov & Hutter, "SGDR", 2016, arXiv:1608.03983, equation 5. The first step of a cycle has `lr`; its last stays
        just above the floor. onecycle: Smith & Topin, 2017, arXiv:1708.07120, in torch's form (two cosine phases); the momentum is
        left alone, where torch by default moves it against the rate. trapezoid: Hägele et al., 2024, arXiv:2405.18392, with the
        linear cooldown. The warm-up is Goyal et al.'s, 2017, arXiv:1706.02677: linear, the first step already moves.
    """
    num_steps = config.max_epochs * steps_per_epoch
    assert 0 <= step < num_steps, f"step {step} of {num_steps}"
    if config.schedule == "onecycle":
        return config.lr * _one_cycle(config, step, num_steps)
    assert config.warmup_epochs is not None
    num_warmup = round(config.warmup_epochs * steps_per_epoch)
    if step < num_warmup:
        return config.lr * (step + 1) / num_warmup
    match config.schedule:
        case "constant":
            return config.lr
        case "step":
            assert config.step_share is not None
            assert config.gamma is not None
            return config.lr * config.gamma ** math.floor((step + TOLERANCE) / (config.step_share * num_steps))
        case "multistep":
            assert config.milestones is not None
            assert config.gamma is not None
            return config.lr * config.gamma ** sum(step + TOLERANCE >= milestone * num_steps for milestone in config.milestones)
        case "cosine":
            return config.lr * _cosine(config, step - num_warmup, num_steps - num_warmup)
        case "trapezoid":
            assert config.cooldown_share is not None
            assert config.lr_floor is not None
            left = min(1.0, (num_steps - step) / (config.cooldown_share * num_steps))
            return config.lr * (config.lr_floor + (1 - config.lr_floor) * left)
    assert_never(config.schedule)


def _cosine(config: TrainConfig, step: int, num_steps: int) -> float:
    """Return the share of lr at a step of a curve of restarts + 1 cosines, each `restart_growth` times as long as the one before."""
    assert config.lr_floor is not None
    assert config.restarts is not None
    assert config.restart_growth is not None
    lengths = [config.restart_growth**cycle for cycle in range(config.restarts + 1)]
    unit = num_steps / sum(lengths)
    begin = 0.0
    for length in lengths[:-1]:
        if step + TOLERANCE < begin + length * unit:
            break
        begin += length * unit
    else:
        length = lengths[-1]
    progress = min(1.0, max(0.0, step - begin) / (length * unit))
    return config.lr_floor + (1 - config.lr_floor) * (1 + math.cos(math.pi * progress)) / 2


def _one_cycle(config: TrainConfig, step: int, num_steps: int) -> float:
    """Return the share of lr: half a cosine up to the peak, half a cosine down, which the last step ends."""
    assert config.warmup_share is not None
    assert config.lr_start is not None
    assert config.lr_floor is not None
    peak, last = max(0.0, config.warmup_share * num_steps - 1), num_steps - 1
    if step < peak:
        return _between(config.lr_start, 1.0, step / peak)
    return _between(1.0, config.lr_floor, (step - peak) / (last - peak) if last > peak else 0.0)


def _between(start: float, end: float, progress: float) -> float:
    """Return the value on the half cosine from start (progress 0) to end (1)."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * progress))
