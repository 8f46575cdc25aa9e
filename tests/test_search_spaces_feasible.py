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


def test_large_space_is_drawn_from_and_few_networks_are_counted() -> None:
    cost = Counter()
    found = check(sweep_over({"blocks": [1], "channels": {"randint": [1, 50_000]}}, max_parameters=25_000_000), cost)
    assert not found.exhaustive
    assert cost.calls <= feasible.NUM_COUNTED * 4  # one candidate in two fits
    # Binomial(100, 1/2): sigma of the share is 0.05; the seed is fixed.
    assert abs(found.share - 0.5) < 4 * 0.05


def test_network_without_a_label_is_named_by_what_it_is_made_of() -> None:
    found = check(sweep_over({"blocks": [1, 2], "channels": 8}, max_parameters=None), Counter())
    assert list(found.architectures) == ["resnet [1, 2] of 8 channels"]
    assert found.share == 1.0


def test_space_in_which_nothing_fits_is_refused_with_the_nearest() -> None:
    sweep = sweep_over({"blocks": [1], "channels": {"choice": [8, 16]}}, max_parameters=7_999)
    with pytest.raises(SweepError) as caught:
        check(sweep, Counter(), position=lambda keys: ("sweep.yaml", 12, 15))
    assert str(caught.value) == (
        "sweep.yaml:12:15: constraints.max_parameters: broken by each of 2 candidates, "
        "the nearest has 8,000 parameters, must be <= 7,999; raise it or search for less"
    )
    with pytest.raises(SweepError, match=r"^test: constraints\.max_parameters"):
        check(sweep, Counter())


def test_every_limit_that_had_a_part_in_it_is_named_at_its_own_line() -> None:
    sweep = sweep_over({"blocks": [1], "channels": {"choice": [8, 16, 32]}}, max_parameters=16_000)
    sweep = sweep.model_copy(update={"constraints": sweep.constraints.model_copy(update={"where": ("lr > 0", "model.channels > 16")})})
    lines = {"max_parameters": 5, "where": 6}
    with pytest.raises(SweepError) as caught:
        check(sweep, Counter(), position=lambda keys: ("s.yaml", lines[str(keys[1])], 3))
    assert str(caught.value).splitlines() == [
        "s.yaml:5:3: constraints.max_parameters: broken by 1 of 3 candidates, and no candidate keeps every limit, "
        "the nearest has 32,000 parameters, must be <= 16,000; raise it or search for less",
        "s.yaml:6:3: constraints.where.1: 'model.channels > 16' is broken by 2 of 3 candidates, and no candidate keeps every limit, "
        "the nearest has model.channels 16, must meet model.channels > 16; change it or the domains",
    ]


def test_configurations_are_checked_without_counting_a_network() -> None:
    sweep = sweep_over({"blocks": [1], "channels": {"choice": [8, 16]}}, max_parameters=1)
    feasible.check_configurations(sweep)
    sweep = sweep.model_copy(update={"constraints": sweep.constraints.model_copy(update={"where": ("lr * 3 > 1",)})})
    with pytest.raises(SweepError, match=r"'lr \* 3 > 1' is broken by each of 2,000 candidates drawn, the nearest has lr 0\.09"):
        feasible.check_configurations(sweep)


@pytest.mark.parametrize(("limit", "share"), [(0.0101, 0.5 * 0.0091**2 / 0.999), (0.00241, 0.5 * 0.00141**2 / 0.999)])
def test_share_of_a_tiny_part_is_found_though_no_draw_hits_it(limit: float, share: float) -> None:
    sweep = sweep_over({"blocks": [1], "channels": 8}, max_parameters=None)
    trial = {**sweep.trial, "lr": {"uniform": [0.001, 1]}, "weight_decay": {"uniform": [0, 1]}}
    limits = sweep.constraints.model_copy(update={"where": (f"lr + weight_decay < {limit}",)})
    found = check(sweep.model_copy(update={"trial": trial, "constraints": limits}), Counter())
    assert found.share == pytest.approx(share, rel=0.1)  # a binomial over 1,000 points in boxes of which more than half fit: sigma 3 %
