"""Limits on a candidate."""

from search_spaces.constraints import broken, explained
from search_spaces.sweep import Constraints
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig

CONFIG = TrainConfig.model_validate({"model": {"blocks": [1], "channels": 8}, "data": {"name": "digits"}, "lr": 0.1, "max_epochs": 1})
COST = ArchitectureCost(parameters=1_001, flops_per_image=1, activation_bytes_per_image=1)


def test_the_limit_itself_is_allowed_and_one_more_is_not() -> None:
    assert broken(Constraints(max_parameters=1_001), CONFIG, COST) is None
    assert broken(Constraints(max_parameters=1_000), CONFIG, COST) == "max_parameters"
    assert broken(Constraints(), CONFIG, COST) is None


def test_broken_limit_is_explained_with_its_figures() -> None:
    assert explained(Constraints(max_parameters=1_000), CONFIG, COST) == "1,001 parameters, must be <= 1,000"
    assert explained(Constraints(), CONFIG, COST) == ""
