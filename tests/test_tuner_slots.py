"""Slots: how many trials fit."""

import pytest

from search_spaces.sweep import ResourceOptions
from tuner.errors import UsageError
from tuner.slots import Slots, plan


@pytest.mark.parametrize(
    ("options", "available", "expected"),
    [
        ({}, {"CPU": 2.0}, Slots(2, 1, 0.0)),
        ({"cpus": 2}, {"CPU": 5.0}, Slots(2, 2, 0.0)),
        ({"workers": 1}, {"CPU": 8.0}, Slots(1, 1, 0.0)),
        ({}, {"CPU": 16.0, "GPU": 4.0}, Slots(4, 1, 1.0)),
        ({"gpus": 0.25}, {"CPU": 16.0, "GPU": 2.0}, Slots(8, 1, 0.25)),
        ({"gpus": 0.4}, {"CPU": 16.0, "GPU": 3.0}, Slots(6, 1, 0.4)),
        ({"gpus": 0.1}, {"CPU": 16.0, "GPU": 1.0}, Slots(10, 1, 0.1)),
        ({"gpus": 0.0}, {"CPU": 3.0, "GPU": 8.0}, Slots(3, 1, 0.0)),
    ],
)
def test_slots_that_fit(options: dict[str, float], available: dict[str, float], expected: Slots) -> None:
    assert plan(ResourceOptions.model_validate(options), available) == expected


def test_no_slot_fits_is_an_error_that_says_what_is_there() -> None:
    with pytest.raises(UsageError, match="asks for 4 cpus and 0 gpus, the cluster has 2 and 0"):
        plan(ResourceOptions(cpus=4), {"CPU": 2.0})
    with pytest.raises(UsageError, match="lower resources"):
        plan(ResourceOptions(gpus=1.0), {"CPU": 2.0})
