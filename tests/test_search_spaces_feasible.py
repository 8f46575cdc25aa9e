"""How much of a space keeps its limits."""

from typing import Any

import pytest

from search_spaces import feasible
from search_spaces.errors import SweepError
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig


def sweep_over(model: Any, max_parameters: int | None) -> Sweep:
    return Sweep.model_validate(
        {
            "name": "test",
            "data": {"name": "digits"},
            "trial": {"model": model, "optimizer": {"choice": ["sgd", "adam"]}, "lr": {"loguniform": [1e-3, 1e-1]}},
            "constraints": {"max_parameters": max_parameters},
            "search": {"trials": 9},
            "scheduler": {"none": {"max_epochs": 3}},
        }
    )


class Counter:
    """Costs a thousand parameters a channel, and counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, config: TrainConfig) -> ArchitectureCost:
        self.calls += 1
        channels = config.model.channels
        assert isinstance(channels, int)
        return ArchitectureCost(parameters=1_000 * channels, flops_per_image=1, activation_bytes_per_image=1)


def check(sweep: Sweep, cost: Counter, **place: Any) -> feasible.Feasibility:
    return feasible.check(Space.parse(sweep.trial), sweep, cost, **place)


def test_finite_space_is_looked_at_in_full_each_network_once() -> None:
    cost = Counter()
    options = [{"label": name, "blocks": [1], "channels": {"choice": [8, 16, 32]}} for name in ("one", "same")]
    found = check(sweep_over({"choice": options}, max_parameters=16_000), cost)
    assert found.exhaustive
    assert cost.calls == found.num_looked_at == 3
    assert found.share == pytest.approx(2 / 3)
    assert found.smallest.parameters == 8_000
    assert {name: cost.parameters for name, cost in found.architectures.items()} == {"one, channels 8": 8_000, "one, channels 16": 16_000}


def test_large_space_is_drawn_from() -> None:
    cost = Counter()
    found = check(sweep_over({"blocks": [1], "channels": {"randint": [1, 50_000]}}, max_parameters=25_000_000), cost)
    assert not found.exhaustive
    # Binomial(2000, 1/2) over nearly distinct networks: sigma of the share is 0.011; the seed is fixed.
    assert abs(found.share - 0.5) < 5 * 0.011


def test_network_without_a_label_is_named_by_what_it_is_made_of() -> None:
    found = check(sweep_over({"blocks": [1, 2], "channels": 8}, max_parameters=None), Counter())
    assert list(found.architectures) == ["resnet [1, 2] of 8 channels"]


def test_space_in_which_nothing_fits_is_refused_with_the_smallest_count() -> None:
    sweep = sweep_over({"blocks": [1], "channels": {"choice": [8, 16]}}, max_parameters=7_999)
    with pytest.raises(SweepError) as caught:
        check(sweep, Counter(), position=("sweep.yaml", 12, 15))
    assert str(caught.value) == (
        "sweep.yaml:12:15: constraints.max_parameters: 7,999 is met by none of the 2 networks, "
        "must be >= 8,000, the smallest found; raise it or make `trial.model` smaller"
    )
    with pytest.raises(SweepError, match=r"^test: constraints\.max_parameters"):
        check(sweep, Counter())
