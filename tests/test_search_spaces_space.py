"""The space: drawn, listed, counted, built."""

import copy
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.errors import SweepError
from search_spaces.space import Space, merged

BASE = {"data": {"name": "digits"}, "max_epochs": 3, "seed": 7}
MODEL = {"family": "resnet", "blocks": [1, 1], "channels": 16}
TREE: dict[str, Any] = {
    "model": {
        "choice": [
            {"label": "wide", "family": "resnet", "blocks": [1, 1], "channels": {"choice": [32, 64]}},
            {"label": "deep", "family": "resnet", "blocks": [{"randint": [1, 3]}, 2], "channels": {"randint": [8, 9]}, "stem_channels": 16},
        ]
    },
    "optimizer": {"choice": ["sgd", "adam"]},
    "lr": [
        {"loguniform": [1e-3, 1e-1], "when": {"optimizer": "sgd"}},
        {"value": 1e-3, "when": {"optimizer": "adam", "model": "wide"}},
        {"uniform": [1e-4, 1e-3], "when": {"optimizer": "adam", "model": "deep"}},
    ],
    "momentum": {"value": 0.9, "when": {"optimizer": "sgd"}},
    "augment": {"choice": [{"label": "off", "crop": 0}, {"label": "on", "crop": {"randint": [1, 2]}, "flip": True}]},
}
FINITE = {**TREE, "lr": [{"choice": [0.1, 0.2], "when": {"optimizer": "sgd"}}, {"value": 1e-3, "when": {"optimizer": "adam"}}]}


@given(st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_every_draw_builds_and_its_values_are_those_in_the_configuration(seed: int) -> None:
    space = Space.parse(TREE)
    values = space.sample(Random(seed))
    config = space.build(values, BASE)
    assert config.model.label == values["model"]
    assert config.optimizer == values["optimizer"]
    assert config.lr == values.get("lr", 1e-3)
    assert ("lr" in values) == (values["optimizer"] == "sgd" or values["model"] == "deep")
    assert config.model.channels == values["model.channels"]
    assert config.model.blocks == ((1, 1) if values["model"] == "wide" else (values["model.blocks.0"], 2))
    assert config.model.stem_channels == (None if values["model"] == "wide" else 16)
    assert config.momentum == (0.9 if values["optimizer"] == "sgd" else None)
    assert config.augment.crop == values.get("augment.crop", 0)
    assert (config.seed, config.max_epochs) == (7, 3)
    assert all(isinstance(value, bool | int | float | str | None) for value in values.values())
    assert values == space.sample(Random(seed))


def test_searched_paths_are_distinct_and_constants_are_not_among_them() -> None:
    space = Space.parse(TREE)
    assert space.searched == ("model", "model.channels", "model.blocks.0", "optimizer", "lr", "augment", "augment.crop")
    assert len(space.parameters) == 9


def test_grid_lists_every_candidate_once_the_last_parameter_fastest() -> None:
    space = Space.parse({"model": MODEL, "lr": {"choice": [0.1, 0.2]}, "batch_size": {"quniform": [16, 48, 16]}})
    assert list(space.grid()) == [{"lr": lr, "batch_size": size} for lr in (0.1, 0.2) for size in (16, 32, 48)]


def test_grid_leaves_inactive_parameters_out_and_its_length_is_the_size() -> None:
    space = Space.parse(FINITE)
    found = list(space.grid())
    assert len(found) == len({tuple(sorted(values.items())) for values in found}) == space.size()
    # 2 wide + 6 deep networks, 2 learning rates for sgd and 1 for adam, no crop or one of two.
    assert len(found) == (2 + 3 * 2) * (2 + 1) * (1 + 2)
    for values in found:
        space.build(values, BASE)


def test_space_without_parameters_holds_one_candidate() -> None:
    space = Space.parse({"model": MODEL, "lr": 0.1})
    assert list(space.grid()) == [{}]
    assert space.size() == 1
    assert space.build({}, BASE).lr == 0.1


def test_huge_space_is_counted_without_listing_it() -> None:
    seeds = {"randint": [0, 2**31 - 1]}
    space = Space.parse(
        {"model": MODEL, "lr": {"choice": [0.1, 0.2]}, "seed": seeds, "batch_size": {"randint": [1, 65_536], "when": {"lr": 0.1}}}
    )
    assert space.size() == 2**31 * (65_536 + 1)


def test_grid_of_a_continuous_domain_is_refused_by_name() -> None:
    space = Space.parse(TREE)
    assert space.size() is None
    with pytest.raises(SweepError, match=r"trial\.lr\.0\.loguniform: loguniform is continuous, must be finite for sampler grid"):
        space.grid()


def test_a_parameter_may_stand_before_the_one_that_decides_about_it() -> None:
    space = Space.parse({"momentum": {"uniform": [0.5, 0.9], "when": {"optimizer": "sgd"}}, "optimizer": {"choice": ["sgd", "adam"]}})
    assert space.searched == ("optimizer", "momentum")
    assert all(("momentum" in v) == (v["optimizer"] == "sgd") for v in (space.sample(Random(seed)) for seed in range(20)))


def test_a_constant_decides_at_once_and_silences_what_it_excludes() -> None:
    tree = {"model": MODEL, "lr": 0.1, "optimizer": "adam", "momentum": {"uniform": [0.5, 0.9], "when": {"optimizer": "sgd"}}}
    assert Space.parse(tree).searched == ()
    assert Space.parse({**tree, "optimizer": "sgd"}).searched == ("momentum",)


def test_a_group_may_have_a_when_for_all_its_fields() -> None:
    tree = {"batch_size": {"choice": [16, 32]}, "augment": {"crop": {"choice": [1, 2]}, "flip": True, "when": {"batch_size": 16}}}
    space = Space.parse({"model": MODEL, "lr": 0.1, **tree})
    assert space.size() == 3
    assert not space.build({"batch_size": 32}, BASE).augment.flip
    assert space.build({"batch_size": 16, "augment.crop": 2}, BASE).augment.flip


def test_lists_and_unlabelled_mappings_are_options_under_their_json_text() -> None:
    space = Space.parse(
        {"model": {"family": "resnet", "channels": 8, "blocks": {"choice": [[1, 1], [2]]}}, "augment": {"choice": [{"crop": 1}, {}]}}
    )
    assert next(space.grid()) == {"model.blocks": "[1,1]", "augment": '{"crop":1}'}
    assert space.resolve({"model.blocks": "[2]", "augment": "{}"})["model"]["blocks"] == [2]
    assert space.resolve({"model.blocks": "[2]", "augment": "{}"})["augment"] == {}


def test_given_values_are_kept_and_the_rest_is_drawn() -> None:
    space = Space.parse(TREE)
    for seed in range(20):
        values = space.sample(Random(seed), given={"model": "deep", "augment.crop": 2})
        assert values["model"] == "deep"
        assert values.get("augment.crop", 2) == 2


def test_part_is_the_field_with_all_that_decides_about_it() -> None:
    space = Space.parse({**FINITE, "dropout": {"choice": [0, 0.1], "when": {"model.channels": 64}}})
    assert space.part("model").searched == ("model", "model.channels", "model.blocks.0")
    assert space.part("dropout").searched == ("model", "model.channels", "dropout")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": 0.1}, "candidate: batch_size: missing, must have a value"),
        ({"lr": 0.1, "batch_size": 17}, "candidate: batch_size: 17, must be in the domain at trial.batch_size.choice"),
        ({"lr": 0.1, "batch_size": 16, "momentum": 0.9}, "candidate: momentum: 0.9, must be absent"),
    ],
)
def test_values_that_do_not_fit_the_space_are_refused(values: dict[str, Any], message: str) -> None:
    space = Space.parse({"model": MODEL, "lr": {"uniform": [0, 1]}, "batch_size": {"choice": [16, 32]}})
    with pytest.raises(SweepError, match=message):
        space.resolve(values)


def test_combination_that_the_configuration_refuses_is_a_sweep_error() -> None:
    space = Space.parse({"model": MODEL, "lr": 0.1, "optimizer": "adam", "momentum": {"choice": [0.9]}})
    with pytest.raises(SweepError, match=r"momentum: 0\.9, must be left out where optimizer is adam"):
        space.build({"momentum": 0.9}, BASE)


def test_nothing_that_is_handed_in_is_altered() -> None:
    tree, base = copy.deepcopy(TREE), copy.deepcopy(BASE)
    space = Space.parse(tree)
    space.build(space.sample(Random(0)), base)
    assert (tree, base) == (TREE, BASE)
    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}) == {"a": {"b": 3, "c": 2}, "d": [2]}
