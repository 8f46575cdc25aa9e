"""Slots: how many trials fit."""

import pytest

from search_spaces.sweep import ResourceOptions
from tuner.errors import UsageError
from tuner.slots import Slots, number, plan


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
    assert plan(ResourceOptions.model_validate(options), [available]) == expected


def test_no_slot_fits_is_an_error_that_says_what_is_there() -> None:
    with pytest.raises(UsageError, match="asks for 4 cpus and 0 gpus, the cluster has 2 and 0"):
        plan(ResourceOptions(cpus=4), [{"CPU": 2.0}])
    with pytest.raises(UsageError, match="lower resources"):
        plan(ResourceOptions(gpus=1.0), [{"CPU": 2.0}])


def test_a_trial_never_spans_two_nodes_and_a_gpu_is_shared_on_its_node() -> None:
    nodes = [{"CPU": 3.0, "GPU": 1.0}, {"CPU": 3.0, "GPU": 2.0}, {"memory": 1.0}]
    assert plan(ResourceOptions(cpus=2, gpus=0.0), nodes).count == 2
    assert plan(ResourceOptions(cpus=1, gpus=0.5), nodes).count == 2 + 3
    assert plan(ResourceOptions(cpus=1), nodes) == Slots(3, 1, 1.0)
    assert plan(ResourceOptions(cpus=1), nodes, gpus=0.25) == Slots(6, 1, 0.25)
    with pytest.raises(UsageError, match="asks for 4 cpus and 0 gpus, the largest of 3 nodes has 3 and 2"):
        plan(ResourceOptions(cpus=4, gpus=0.0), nodes)


def test_where_nodes_are_started_by_demand_the_workers_asked_for_are_asked_of_the_cluster() -> None:
    assert plan(ResourceOptions(workers=8, autoscale=True), [{"CPU": 2.0}]).count == 8
    assert number(ResourceOptions(workers=8), [{"CPU": 2.0}], 0.0) == 2
    assert number(ResourceOptions(), [], 0.0) == 0
