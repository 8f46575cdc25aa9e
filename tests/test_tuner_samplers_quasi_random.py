"""Sobol and Halton points: evenly filled, each coordinate of a path its own, point n depending on (seed, n) alone."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from sweeps import make_sweep

from results.history import History
from search_spaces.space import Space
from tuner.decisions import Suggestion
from tuner.samplers import quasi_random, sampler

MODEL = {"family": "resnet", "blocks": [1], "channels": 8}
FLAT = Space.parse(
    {"model": MODEL, "lr": {"loguniform": [1e-4, 1.0]}, "dropout": {"uniform": [0.0, 0.5]}, "batch_size": {"randint": [1, 64]}}
)
BRANCHED = Space.parse(
    {
        "model": MODEL,
        "optimizer": {"choice": ["sgd", "adam"]},
        "lr": [{"loguniform": [1e-2, 1.0], "when": {"optimizer": "sgd"}}, {"loguniform": [1e-4, 1e-2], "when": {"optimizer": "adam"}}],
        "momentum": {"uniform": [0.5, 0.9], "when": {"optimizer": "sgd"}},
    }
)
KINDS: tuple[Literal["sobol", "halton"], ...] = ("sobol", "halton")


def draws(space: Space, kind: Literal["sobol", "halton"], count: int, *, seed: int = 0, first: int = 0) -> list[Mapping[str, Any]]:
    propose = quasi_random.sampler(space, kind, seed=seed, first_draw=0)
    found = [propose(History(), draw) for draw in range(first, first + count)]
    assert all(isinstance(suggestion, Suggestion) and suggestion.source == kind for suggestion in found)
    return [suggestion.values for suggestion in found if suggestion is not None]


def units(space: Space, found: list[Mapping[str, Any]], path: str) -> list[float]:
    domain = next(parameter.domain for parameter in space.parameters if parameter.path == path)
    return [domain.unit(values[path]) for values in found]


@pytest.mark.parametrize("exponent", [1, 3, 6, 10])
def test_each_half_and_each_sixteenth_of_each_parameter_holds_its_exact_share_of_the_first_sobol_points(exponent: int) -> None:
    found = draws(FLAT, "sobol", 2**exponent, seed=7)
    for path in ("lr", "dropout"):
        parts = min(16, 2**exponent)
        for count in (2, parts):
            shares = Counter(min(count - 1, int(u * count)) for u in units(FLAT, found, path))
            assert shares == dict.fromkeys(range(count), 2**exponent // count)
    if exponent >= 6:
        assert Counter(values["batch_size"] for values in found) == dict.fromkeys(range(1, 65), 2 ** (exponent - 6))


def test_halton_fills_every_twentieth_evenly() -> None:
    found = draws(FLAT, "halton", 1_000)
    for path in ("lr", "dropout"):
        shares = Counter(min(19, int(u * 20)) for u in units(FLAT, found, path))
        # The discrepancy of 1,000 points in three dimensions is small; of independent draws one sigma would be 6.9.
        assert all(abs(count - 50) <= 6 for count in shares.values()), shares


@pytest.mark.parametrize("kind", KINDS)
def test_alternatives_of_a_path_share_a_coordinate_and_each_branch_has_its_own_range(kind: Literal["sobol", "halton"]) -> None:
    found = draws(BRANCHED, kind, 512)
    sgd = [values for values in found if values["optimizer"] == "sgd"]
    assert abs(len(sgd) - 256) <= 2
    assert all(1e-2 <= values["lr"] <= 1.0 and 0.5 <= values["momentum"] <= 0.9 for values in sgd)
    adam = [values for values in found if values["optimizer"] == "adam"]
    assert all(1e-4 <= values["lr"] <= 1e-2 and "momentum" not in values for values in adam)
    assert 100 <= sum(values["lr"] > 0.1 for values in sgd) <= 156


@pytest.mark.parametrize("kind", KINDS)
def test_a_draw_is_the_same_whether_or_not_others_came_before_it(kind: Literal["sobol", "halton"]) -> None:
    together = draws(FLAT, kind, 2_100)
    for number in (0, 1, 1_023, 1_024, 2_099):
        assert draws(FLAT, kind, 1, first=number) == [together[number]]
    assert draws(FLAT, kind, 8, seed=1) != together[:8]


def test_points_to_start_from_move_the_sequence_and_skip_none_of_it() -> None:
    trial = {"model": MODEL, "lr": {"loguniform": [1e-4, 1.0]}}
    alone = sampler.build(make_sweep(trial=trial, search={"sampler": "sobol", "trials": 4}), Space.parse(trial))
    after = sampler.build(make_sweep(trial=trial, search={"sampler": "sobol", "trials": 4, "start": [{"lr": 0.5}]}), Space.parse(trial))
    first, second, third = (after(History(), draw) for draw in range(3))
    assert first == Suggestion(values={"lr": 0.5}, draw=0, source="start")
    for draw, suggestion in enumerate((second, third)):
        expected = alone(History(), draw)
        assert suggestion is not None
        assert expected is not None
        assert suggestion.values == expected.values
        assert suggestion.draw == draw + 1


def test_a_space_without_parameters_has_its_one_candidate() -> None:
    assert draws(Space.parse({"model": MODEL, "lr": 0.1}), "sobol", 3) == [{}, {}, {}]
