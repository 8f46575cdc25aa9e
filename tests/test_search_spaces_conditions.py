"""The meaning of `when`."""

from typing import Any

import pytest

from search_spaces.conditions import Condition, active, cycles, exclusive, parse

PATHS = ["optimizer", "model", "model.blocks", "model.label", "augment.crop", "network.label"]


def resolved(when: Any, scope: tuple[str, ...] = ()) -> list[tuple[str, tuple[Any, ...]]]:
    found, problems = parse(when, ("trial", "x", "when"), scope, PATHS)
    assert not problems
    return [(condition.path, condition.values) for condition in found]


def test_a_key_is_looked_for_beside_the_parameter_first_then_further_out() -> None:
    assert resolved({"blocks": 3}, scope=("model",)) == [("model.blocks", (3,))]
    assert resolved({"optimizer": "sgd"}, scope=("model",)) == [("optimizer", ("sgd",))]
    assert resolved({"model.blocks": 3}, scope=("augment",)) == [("model.blocks", (3,))]


def test_a_mapping_that_is_no_choice_goes_by_its_label() -> None:
    assert resolved({"network": "deep"}) == [("network.label", ("deep",))]


def test_values_are_compared_with_the_names_of_options() -> None:
    assert resolved({"model.blocks": [[1, 1], {"label": "deep"}]}) == [("model.blocks", ("[1,1]", "deep"))]


def test_all_keys_must_hold_and_an_absent_parameter_holds_nothing() -> None:
    conditions = [Condition("optimizer", ("sgd", "adam"), ()), Condition("flip", (True,), ())]
    assert active(conditions, {"optimizer": "adam", "flip": True})
    assert not active(conditions, {"optimizer": "adam", "flip": False})
    assert not active(conditions, {"optimizer": "adam", "flip": 1})
    assert not active(conditions, {"optimizer": "adam"})
    assert active([], {})


def test_conditions_exclude_each_other_by_one_key_without_a_value_in_common() -> None:
    sgd, adam, both = (Condition("optimizer", names, ()) for names in (("sgd",), ("adam",), ("sgd", "adam")))
    flip = Condition("flip", (True,), ())
    assert exclusive([sgd], [adam, flip])
    assert not exclusive([sgd], [both])
    assert not exclusive([sgd], [flip])
    assert not exclusive([], [sgd])


@pytest.mark.parametrize(
    ("when", "message"),
    [({}, "an empty mapping"), ("sgd", "'sgd'"), ({"optimizer": []}, "an empty list"), ({"optimiser": 1}, "did you mean optimizer?")],
)
def test_a_when_that_says_nothing_is_refused(when: Any, message: str) -> None:
    found, problems = parse(when, ("trial", "x", "when"), (), PATHS)
    assert not found
    assert message in f"{problems[0].seen}, {problems[0].required}"


def test_each_circle_is_found_once() -> None:
    assert list(cycles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"], "e": ["e"], "f": []})) == [("a", "b", "c"), ("e",)]
