"""Batches larger than the data: refused for every way of saying them."""

from typing import Any

import pytest
from sweeps import make_sweep

from search_spaces.batches import oversized
from search_spaces.sweep import Sweep


def batches(batch_size: Any) -> Sweep:
    trial = {"model": {"family": "resnet", "blocks": [1], "channels": 8}, "lr": 0.1}
    return make_sweep(trial=trial | ({} if batch_size is None else {"batch_size": batch_size}))


@pytest.mark.parametrize(
    "batch_size",
    [101, {"choice": [16, 101]}, {"randint": [1, 101]}, {"lograndint": [1, 101]}, {"value": 101, "when": {"optimizer": "sgd"}}],
)
def test_batch_of_more_images_than_there_are_is_a_problem_at_its_place(batch_size: Any) -> None:
    sweep = batches(batch_size)
    if isinstance(batch_size, dict) and "when" in batch_size:
        sweep = make_sweep(trial=sweep.trial | {"optimizer": {"choice": ["sgd", "adam"]}})
    problem = oversized(sweep, 100)[0]
    assert problem.path[:2] == ("trial", "batch_size")
    assert problem.seen == "101"
    assert "<= 100" in problem.required
    assert oversized(sweep, 101) == []


def test_default_batch_counts_where_none_is_said() -> None:
    assert oversized(batches(None), 127)[0].seen == "128"
    assert oversized(batches(None), 128) == []
