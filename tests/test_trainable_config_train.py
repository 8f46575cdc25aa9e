"""The recipe's own rules: what each choice reads, what it refuses, what makes two recipes the same."""

from typing import Any

import pytest
from pictures import recipe
from pydantic import ValidationError

from trainable.config.recipe import CHOOSERS, OPTIMIZERS, SCHEDULES, forgotten, optional_fields
from trainable.config.train import TrainConfig

ALL = [(chooser, choice) for chooser, choices in CHOOSERS.items() for choice in choices]


@pytest.mark.parametrize(("chooser", "choice"), ALL)
def test_each_choice_gets_its_defaults_and_nothing_else(chooser: str, choice: str) -> None:
    config = recipe(**{chooser: choice})
    defaults = CHOOSERS[chooser][choice].fields
    for name in optional_fields(chooser):
        assert getattr(config, name) == defaults.get(name)


@pytest.mark.parametrize(("chooser", "choice"), ALL)
def test_fields_that_a_choice_ignores_are_refused_with_the_remedy(chooser: str, choice: str) -> None:
    values: dict[str, Any] = {name: spec.fields[name] for spec in CHOOSERS[chooser].values() for name in spec.fields}
    for name in optional_fields(chooser) - CHOOSERS[chooser][choice].fields.keys():
        with pytest.raises(ValidationError, match=rf"{name} is .+, must be left out where {chooser} is {choice}.+; add `when: "):
            recipe(**{chooser: choice, name: values[name]})


def test_every_field_with_several_readers_is_described_and_optional() -> None:
    for chooser in CHOOSERS:
        for name in optional_fields(chooser):
            field = TrainConfig.model_fields[name]
            assert field.default is None
            assert field.description


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer": "nesterov", "momentum": 0.0}, "momentum is 0.0, must be > 0 for nesterov"),
        ({"schedule": "cosine", "warmup_epochs": 4, "max_epochs": 4}, "warmup_epochs is 4, must be < max_epochs, which is 4"),
        ({"schedule": "multistep", "milestones": [0.5, 0.5]}, r"milestones is \[0.5, 0.5\], must be ascending"),
        ({"lookahead_alpha": 0.5}, "lookahead_alpha is 0.5, must be left out where lookahead_k is 0"),
    ],
)
def test_fields_that_do_not_agree_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        recipe(**fields)


def test_every_ignored_field_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        recipe(optimizer="adam", momentum=0.9, schedule="constant", lr_floor=0.1, lookahead_alpha=0.5)
    for name in ("momentum", "lr_floor", "lookahead_alpha"):
        assert f"{name} is" in str(caught.value)


def test_learning_rates_of_the_studies_are_within_bounds() -> None:
    assert recipe(optimizer="adadelta", lr=1.0).lr == 1.0
    assert recipe(lr=1e-6).lr == 1e-6


def test_lookahead_has_a_default_where_it_is_on() -> None:
    assert recipe(lookahead_k=5).lookahead_alpha == 0.8
    assert recipe().lookahead_alpha is None


def test_dumped_configuration_is_the_same_again() -> None:
    for chooser, choice in ALL:
        config = recipe(**{chooser: choice}, lookahead_k=5)
        assert TrainConfig.model_validate(config.model_dump(mode="json")) == config
        assert TrainConfig.model_validate_json(config.model_dump_json()).hash() == config.hash()


def test_hash_tells_recipes_apart_that_compute_different_things() -> None:
    changes: list[dict[str, Any]] = [
        *({"optimizer": name} for name in OPTIMIZERS),
        *({"schedule": name} for name in SCHEDULES if name != "constant"),
        *({"mixup": 0.1}, {"cutmix": 0.1}, {"accumulation": 2}, {"clip_norm": 1.0}, {"ema_decay": 0.9}, {"label_smoothing": 0.1}),
        *({"lookahead_k": 5}, {"lookahead_k": 5, "lookahead_alpha": 0.5}, {"decay_norms": False}, {"patience": 3}, {"keep_best": True}),
        {"patience": 3, "metric": "val_loss"},
    ]
    assert len({recipe(**change).hash() for change in changes}) == len(changes)


def test_metric_counts_only_where_something_goes_by_it() -> None:
    assert recipe(metric="val_loss").hash() == recipe().hash()


def test_change_of_choice_forgets_what_was_meant_for_the_old_one() -> None:
    assert forgotten("optimizer", "sgd", "nesterov") == set()
    assert forgotten("optimizer", "sgd", "rmsprop") == {"momentum", "alpha", "eps"}
    assert forgotten("schedule", "constant", "cosine") == {"lr_floor", "restarts", "restart_growth"}
