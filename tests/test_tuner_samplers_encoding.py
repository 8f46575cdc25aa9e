"""Candidates as points."""

import random

import numpy as np
import pytest

from search_spaces.space import Space
from tuner.samplers.encoding import Encoding, logarithmic

MODEL = {"family": "resnet", "blocks": [1], "channels": 8}


def encoded(tree: dict[str, object], **values: object) -> list[float]:
    return Encoding(Space.parse({"model": MODEL, **tree})).point(values).tolist()  # type: ignore[arg-type]  # values of a space


def test_a_number_is_its_place_on_its_search_scale() -> None:
    assert encoded({"lr": {"loguniform": [1e-4, 1e-2]}}, lr=1e-3) == pytest.approx([0.5, 1.0])
    assert encoded({"dropout": {"uniform": [0.0, 0.4]}}, dropout=0.1) == pytest.approx([0.25, 1.0])


def test_two_options_lie_as_far_apart_as_the_ends_of_a_range() -> None:
    space = {"optimizer": {"choice": ["sgd", "adam", "adagrad"]}}
    one, other = (np.array(encoded(space, optimizer=name)) for name in ("sgd", "adagrad"))
    assert np.linalg.norm(one - other) == pytest.approx(1.0)


def test_a_choice_among_numbers_is_in_order_on_the_scale_on_which_they_are_even() -> None:
    sizes = {"batch_size": {"choice": [16, 64, 32, 128, 256]}}
    assert [encoded(sizes, batch_size=size)[0] for size in (16, 32, 64, 128, 256)] == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])
    assert logarithmic([16, 32, 64, 128, 256])
    assert not logarithmic([10, 20, 30, 40, 50])
    assert not logarithmic([0, 1, 100])
    assert not logarithmic([1.0, 2.0])


def test_an_inactive_parameter_sits_in_the_middle_and_says_so() -> None:
    tree = {"optimizer": {"choice": ["sgd", "adam"]}, "momentum": {"uniform": [0.5, 0.9], "when": {"optimizer": "sgd"}}}
    assert encoded(tree, optimizer="sgd", momentum=0.9)[2:] == pytest.approx([1.0, 1.0])
    assert encoded(tree, optimizer="adam")[2:] == [0.5, 0.0]


def test_parameters_that_share_a_path_have_their_own_coordinates() -> None:
    lr = [{"loguniform": [1e-2, 1.0], "when": {"optimizer": "sgd"}}, {"loguniform": [1e-4, 1e-2], "when": {"optimizer": "adam"}}]
    tree = {"optimizer": {"choice": ["sgd", "adam"]}, "lr": lr}
    assert encoded(tree, optimizer="sgd", lr=1e-1)[2:] == pytest.approx([0.5, 1.0, 0.5, 0.0])
    assert encoded(tree, optimizer="adam", lr=1e-4)[2:] == pytest.approx([0.5, 0.0, 0.0, 1.0])


def test_every_draw_of_a_nested_space_has_one_point_of_the_same_length() -> None:
    options = [{"label": "small", **MODEL}, {"label": "wide", **MODEL, "channels": {"choice": [16, 32]}}]
    space = Space.parse({"model": {"choice": options}, "lr": {"loguniform": [1e-4, 1e-1]}, "decay_norms": {"choice": [True, False]}})
    encoding = Encoding(space)
    rng = random.Random(0)
    points = np.array([encoding.point(space.sample(rng)) for _ in range(50)])
    assert points.shape == (50, len(encoding.groups_D))
    assert encoding.num_parameters == 4
    assert points.min() >= 0.0
    assert points.max() <= 1.0
