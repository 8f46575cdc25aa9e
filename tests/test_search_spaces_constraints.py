"""Limits on a candidate."""

from typing import Any

import pytest
import torch

from search_spaces.constraints import Rule, broken, rules
from search_spaces.readings import Names
from search_spaces.space import Space
from search_spaces.sweep import Constraints
from trainable import optimizers
from trainable.config.cost import ArchitectureCost
from trainable.config.recipe import OPTIMIZERS
from trainable.config.train import TrainConfig

COST = ArchitectureCost(parameters=1_001, flops_per_image=500, activation_bytes_per_image=10)
TREE: dict[str, Any] = {"model": {"blocks": [1], "channels": 8}, "lr": 0.1, "optimizer": {"choice": list(OPTIMIZERS)}, "batch_size": 4}


def rules_of(tree: dict[str, Any] | None = None, **limits: Any) -> tuple[Rule, ...]:
    return rules(Constraints.model_validate(limits), Names(Space.parse(TREE | (tree or {})), {"max_epochs": 9}))


def answer(**limits: Any) -> str | None:
    found = broken(rules_of(**limits), {"optimizer": "sgd"}, COST)
    return None if found is None else found.name


def test_the_limit_itself_is_allowed_and_one_more_is_not() -> None:
    assert answer(max_parameters=1_001) is None
    assert answer(max_parameters=1_000) == "max_parameters"
    assert answer(max_flops=500) is None
    assert answer(max_flops=499) == "max_flops"
    # sgd with its momentum: weights, gradients and one number more, 4 bytes each; and 4 images' activations.
    assert answer(max_memory=3 * 4 * 1_001 + 4 * 10) is None
    assert answer(max_memory=3 * 4 * 1_001 + 4 * 10 - 1) == "max_memory"
    assert answer() is None


def test_broken_limit_is_explained_with_its_figures() -> None:
    (rule,) = rules_of(max_parameters=1_000)
    assert rule.explained({"optimizer": "sgd"}, COST) == "1,001 parameters, must be <= 1,000"
    (rule,) = rules_of(where="batch_size * accumulation > 4 or lr / (accumulation - 1) < 1")
    assert rule.explained({}, None) == "divides by zero where batch_size 4, accumulation 1, lr 0.1, must have a value"
    (rule,) = rules_of(where="memory_bytes < 5")
    assert rule.explained({"optimizer": "sgd"}, COST) == "memory_bytes 12052, must meet memory_bytes < 5"


def test_limits_that_need_no_counting_come_first() -> None:
    found = rules_of(max_parameters=1, where=["parameters < batch_size", "lr < 1", "momentum == null"])
    assert [rule.name for rule in found] == ["where: lr < 1", "where: momentum == null", "max_parameters", "where: parameters < batch_size"]
    assert broken(found, {"optimizer": "sgd"}, None) is found[1]  # sgd has a momentum; nothing was counted


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("changes", [{}, {"momentum": 0.0}, {"momentum": 0.5}])
def test_estimate_counts_the_numbers_that_torch_keeps(optimizer: str, changes: dict[str, float]) -> None:
    if (changes and "momentum" not in OPTIMIZERS[optimizer].fields) or (optimizer == "nesterov" and changes.get("momentum") == 0):
        return
    tree = {"model": {"blocks": [1], "channels": 8}, "lr": 0.1, "optimizer": optimizer, **changes}
    config = TrainConfig.model_validate({**tree, "data": {"name": "digits"}, "max_epochs": 1})
    module = torch.nn.Linear(100, 100)
    built = optimizers.build(config, module)
    module(torch.ones(1, 100)).sum().backward()
    built.step()
    kept = sum(value.numel() for state in built.state_dict()["state"].values() for value in state.values() if value.numel() > 1)
    (rule,) = rules(Constraints(max_memory=1), Names(Space.parse(tree), {}))
    cost = ArchitectureCost(parameters=10_100, flops_per_image=1, activation_bytes_per_image=0)
    assert rule.ends(rule.lookup({}, cost))[0] == 4 * (2 * 10_100 + kept)


def test_shortfall_falls_towards_what_keeps_the_limit() -> None:
    (rule,) = rules_of({"lr": {"uniform": [0.1, 1]}}, where="lr < 0.1 and batch_size == 4")
    assert rule.shortfall({"lr": 0.05}, None) == 0
    assert 0 < rule.shortfall({"lr": 0.1}, None) < rule.shortfall({"lr": 0.2}, None) < rule.shortfall({"lr": 0.3}, None) < 1


@pytest.mark.parametrize(("text", "number"), [("5M", 5_000_000), ("1.5G", 1_500_000_000), ("100k", 100_000), (7, 7)])
def test_counts_may_have_a_unit(text: Any, number: int) -> None:
    assert Constraints.model_validate({"max_parameters": text, "max_flops": text}).max_flops == number
    assert Constraints.model_validate({"max_memory": "1.5KiB"}).max_memory == 1_536


def test_what_is_stored_of_a_sweep_without_new_limits_is_as_it_was() -> None:
    assert Constraints(max_parameters=3).model_dump(mode="json") == {"max_parameters": 3}
    assert Constraints.model_validate({"where": "lr < 1"}).model_dump(mode="json") == {"max_parameters": None, "where": ["lr < 1"]}
