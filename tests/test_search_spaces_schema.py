"""The JSON Schema for editors agrees with the loader."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from search_spaces.schema import json_schema
from search_spaces.trial_fields import ELSEWHERE
from search_spaces.yaml_source import read
from trainable.config.train import TrainConfig

SHIPPED = Path(__file__).parents[1] / "search_spaces"
BROKEN = Path(__file__).parent / "broken_sweeps"
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def test_schema_is_a_schema_of_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_sweeps_fit_the_schema(path: Path) -> None:
    VALIDATOR.validate(read(path).data)


@pytest.mark.parametrize(
    "name",
    [
        "unknown_key",
        "wrong_type",
        "empty_choice",
        "unknown_metric",
        "eta_one",
        "list_for_mapping",
        "unknown_field",
        "values_out_of_bounds",
        "too_many_brackets",
        "hyperband_that_stops",
        "median_after_the_end",
    ],
)
def test_broken_sweeps_do_not_fit_the_schema(name: str) -> None:
    assert not VALIDATOR.is_valid(read(BROKEN / f"{name}.yaml").data)


@pytest.mark.parametrize(
    "scheduler",
    [
        {"hyperband": {"max_epochs": 27, "eta": 3, "min_epochs": 1, "variant": "stopping", "brackets": 2}},
        {"median": {"max_epochs": 27, "grace_epochs": 3, "min_trials": 5}},
        {"asha": {"max_epochs": 27}, "patience": {"epochs": 5, "min_delta": 0.001}},
    ],
)
def test_every_rule_and_patience_fit_the_schema(scheduler: dict[str, Any]) -> None:
    VALIDATOR.validate(read(SHIPPED / "digits.yaml").data | {"scheduler": scheduler})


def test_every_field_of_a_trial_may_be_searched_and_is_described() -> None:
    properties: dict[str, Any] = json_schema()["properties"]["trial"]["properties"]
    assert set(properties) == set(TrainConfig.model_fields) - ELSEWHERE.keys()
    for name, info in TrainConfig.model_fields.items():
        if name in properties and info.description:
            assert properties[name]["description"] == info.description
