"""Configurations: their hashes outlive releases, and each thing is said in one place."""

from typing import Any

import pytest
from pydantic import ValidationError

from search_spaces.overrides import changed
from trainable.config.families import ResNetConfig
from trainable.config.train import TrainConfig

BUILDER = {"builder": "nets:make", "kwargs": {"width": 8}}


def make(**changes: Any) -> TrainConfig:
    content = {"model": {"blocks": [1, 1], "channels": 16}, "data": {"name": "digits"}, "lr": 0.1, "max_epochs": 3}
    return TrainConfig.model_validate(content | changes)


def test_hash_of_a_configuration_of_the_first_release_is_unchanged() -> None:
    # Before `resnet` had fields beyond skip_kernel, and with every optimizer and schedule of the first release.
    assert make().hash() == "b22ccedbbd67a9f9"


@pytest.mark.parametrize(
    ("field", "default", "other"),
    [("activation", "relu", "gelu"), ("norm", "batch", "none"), ("pool", None, 2), ("se_ratio", None, 4), ("stem_layers", 1, 2),
     ("zero_init", False, True), ("block_dropout", 0.0, 0.1)],
)  # fmt: skip
def test_field_that_came_later_counts_only_where_it_is_not_at_its_default(field: str, default: object, other: object) -> None:
    model = {"blocks": [1, 1], "channels": 16}
    assert make(model=model | {field: default}).hash() == make().hash()
    changed = make(model=model | {field: other})
    assert changed.hash() != make().hash()
    assert TrainConfig.model_validate_json(changed.model_dump_json()) == changed


@pytest.mark.parametrize(
    ("field", "default", "other"),
    [("repeats", 1, 2), ("five_crop", 0, 6), ("vertical_flip", False, True), ("brightness", 0.0, 0.1), ("contrast", 0.0, 0.1),
     ("saturation", 0.0, 0.1), ("grayscale", 0.0, 0.1), ("blur", 0.0, 0.1), ("cutout", 0, 4), ("erasing", 0.0, 0.1)],
)  # fmt: skip
def test_alteration_that_came_later_counts_only_where_it_is_on(field: str, default: object, other: object) -> None:
    assert make(augment={field: default}, normalize=True).hash() == make().hash()
    changed = make(augment={field: other})
    assert changed.hash() != make().hash()
    assert TrainConfig.model_validate_json(changed.model_dump_json()) == changed
    assert make(normalize=False).hash() != make().hash()


def test_family_is_resnet_where_none_is_named_and_builder_beside_one() -> None:
    assert make().model.family == "resnet"
    assert make(model=BUILDER).model.family == "builder"


def test_dropout_of_the_model_is_stored_beside_it() -> None:
    inside = make(model={"blocks": [1, 1], "channels": 16, "dropout": 0.2})
    assert inside == make(dropout=0.2)
    assert inside.hash() == make(dropout=0.2).hash()
    assert inside == make(model=ResNetConfig(blocks=(1, 1), channels=16, dropout=0.2))
    assert TrainConfig.model_validate_json(inside.model_dump_json()) == inside


def test_dropout_in_both_places_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"dropout is 0.1, must be left out where model.dropout is 0.2"):
        make(dropout=0.1, model={"blocks": [1], "channels": 8, "dropout": 0.2})


@pytest.mark.parametrize("key", ["dropout", "model.dropout"])
def test_dropout_of_a_final_takes_the_place_of_the_trials_wherever_either_is_said(key: str) -> None:
    for config in (make(), make(dropout=0.1), make(model={"blocks": [1, 1], "channels": 16, "dropout": 0.1})):
        assert TrainConfig.model_validate(changed(config, {key: 0.3})) == make(dropout=0.3)


def test_dropout_beside_a_builder_is_refused_and_none_is_not() -> None:
    with pytest.raises(ValidationError, match=r"dropout is 0.1, must be left out where model is a builder"):
        make(model=BUILDER, dropout=0.1)
    config = make(model=BUILDER)
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config


def test_code_of_a_builder_is_part_of_the_hash_and_its_label_is_not() -> None:
    assert make(model=BUILDER | {"code": "1"}).hash() != make(model=BUILDER | {"code": "2"}).hash()
    assert make(model=BUILDER | {"label": "a"}).hash() == make(model=BUILDER).hash()
