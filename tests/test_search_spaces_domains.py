"""Domains: bounds included, samples inside, units between 0 and 1."""

import math
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.domain_words import parse
from search_spaces.domains import Choice, Domain, LogRandInt, LogUniform, Option, QUniform, RandInt, Uniform, option_name

numbers = st.floats(-1e6, 1e6, allow_nan=False)
positive = st.floats(1e-9, 1e9)
steps = st.builds(lambda low, count, q: QUniform(low, low + count * q, q), st.integers(-50, 50), st.integers(0, 40), st.integers(1, 9))
decimal_steps = st.builds(lambda low, count: QUniform(low / 100, (low + count) / 100, 0.01), st.integers(-50, 50), st.integers(0, 40))
domains = st.one_of(
    st.lists(st.one_of(st.booleans(), st.text(max_size=3)), min_size=1, max_size=5, unique=True).map(
        lambda names: Choice(tuple(Option(name, name, index) for index, name in enumerate(names)))
    ),
    st.tuples(numbers, numbers).map(lambda ends: Uniform(min(ends), max(ends))),
    st.tuples(positive, positive).map(lambda ends: LogUniform(min(ends), max(ends))),
    steps,
    decimal_steps,
    st.tuples(st.integers(-100, 100), st.integers(0, 50)).map(lambda ends: RandInt(ends[0], sum(ends))),
    st.tuples(st.integers(1, 100), st.integers(0, 50)).map(lambda ends: LogRandInt(ends[0], sum(ends))),
)


@given(domains, st.integers(0, 1_000))
def test_every_sample_is_contained_and_has_its_unit_between_0_and_1(domain: Domain, seed: int) -> None:
    rng = Random(seed)
    for _ in range(5):
        value: Any = domain.sample(rng)
        assert domain.contains(value)
        assert 0.0 <= domain.unit(value) <= 1.0


@given(domains)
def test_values_are_all_contained_distinct_and_in_the_order_of_their_units(domain: Domain) -> None:
    values = domain.values()
    if values is None:
        return
    found: list[Any] = list(values)
    assert all(domain.contains(value) for value in found)
    assert len(set(map(repr, found))) == len(found)
    units = [domain.unit(value) for value in found]
    assert units == sorted(units)
    assert units[0] == 0.0
    assert units[-1] == (1.0 if len(found) > 1 else 0.0)


@given(domains, st.integers(0, 1_000))
def test_equal_generators_give_equal_samples(domain: Domain, seed: int) -> None:
    assert domain.sample(Random(seed)) == domain.sample(Random(seed))


@pytest.mark.parametrize("domain", [RandInt(1, 3), LogRandInt(1, 3), QUniform(1, 3, 1)])
def test_both_bounds_are_drawn(domain: Domain) -> None:
    rng = Random(0)
    assert {domain.sample(rng) for _ in range(200)} == {1, 2, 3}


@pytest.mark.parametrize("domain", [Uniform(0.5, 2.0), LogUniform(0.5, 2.0), QUniform(0.5, 2.0, 0.5)])
def test_both_bounds_are_contained_and_what_lies_beyond_is_not(domain: Domain) -> None:
    assert domain.contains(0.5)
    assert domain.contains(2.0)
    assert not domain.contains(0.49)
    assert not domain.contains(2.01)
    assert not domain.contains("1")
    assert not domain.contains(True)
    assert not domain.contains(math.nan)


def test_log_domains_give_each_order_of_magnitude_its_share() -> None:
    rng = Random(0)
    for domain in (LogUniform(1e-4, 1.0), LogRandInt(1, 9_999)):
        low: Any = domain.low
        decades = [0] * 4
        for _ in range(4_000):
            value: Any = domain.sample(rng)
            decades[min(3, int(math.log10(value / low) + 1e-9))] += 1
        # Each count is binomial(4000, 1/4): sigma 27.4; beyond 5 sigma once in a million runs, and the seed is fixed.
        assert all(abs(count - 1_000) < 5 * 27.4 for count in decades), decades


def test_unit_is_taken_on_the_scale_that_is_searched() -> None:
    assert LogUniform(1e-4, 1e-2).unit(1e-3) == pytest.approx(0.5)
    assert Uniform(0.0, 4.0).unit(1.0) == 0.25
    assert Uniform(3.0, 3.0).unit(3.0) == 0.0


def test_decimal_steps_are_exact_and_never_pass_the_upper_bound() -> None:
    assert QUniform(0.1, 0.5, 0.1).values() == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert QUniform(1, 9, 3).values() == (1, 4, 7)
    assert QUniform(0.1, 0.5, 0.1).contains(0.3)
    assert not QUniform(0.1, 0.5, 0.1).contains(0.35)


def test_a_huge_range_of_integers_is_not_written_out() -> None:
    values = RandInt(0, 2**40).values()
    assert len(values) == 2**40 + 1


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (16, 16),
        (0.1, 0.1),
        (True, True),
        (None, None),
        ("sgd", "sgd"),
        ({"label": "deep", "x": 1}, "deep"),
        ([1, 1], "[1,1]"),
        ({"x": 1}, '{"x":1}'),
    ],
)
def test_an_option_is_recorded_as_a_scalar(content: Any, name: Any) -> None:
    assert option_name(content) == name


def test_true_and_1_are_different_options() -> None:
    domain, problems = parse("choice", [True, 1], ())
    assert not problems
    assert isinstance(domain, Choice)
    assert domain.index(1) == 1


@pytest.mark.parametrize(
    ("word", "argument", "message"),
    [
        ("uniform", 3, "3, must be [low, high] with low <= high, both included"),
        ("quniform", [0, 1], "2 numbers, must be [low, high, q]"),
        ("uniform", [0, True], "high is true, must be a finite number"),
        ("uniform", [0, float("inf")], "high is inf, must be a finite number"),
        ("uniform", [0, 10**400], "high is a number of 401 digits, must be a finite number"),
        ("lograndint", [1.5, 4], "low is 1.5, must be a whole number; round it or use loguniform"),
        ("quniform", [0, 1, 1e-9], "q is 1e-09, which makes more than 1,000,000 steps, must be larger"),
        ("choice", [{"uniform": [0, 1]}, 2], "a domain as an option, must be a value"),
        ("choice", [1, 1.0], "1.0 a second time, must be an option that no other option has"),
    ],
)
def test_what_makes_no_domain_is_said_in_words(word: str, argument: Any, message: str) -> None:
    _, problems = parse(word, argument, ("trial", "x", word))
    assert [f"{problem.seen}, {problem.required}" for problem in problems if message in f"{problem.seen}, {problem.required}"]


@given(domains)
def test_values_made_of_units_are_contained_ascend_and_reach_both_ends(domain: Domain) -> None:
    made: list[Any] = [domain.from_unit(step / 64) for step in range(65)]
    assert all(domain.contains(value) for value in made)
    units = [domain.unit(value) for value in made]
    assert units == sorted(units)
    assert units[0] == pytest.approx(0.0, abs=1e-9)
    several = domain.values() is None or len(domain.values() or ()) > 1
    assert units[-1] == pytest.approx(1.0 if several else 0.0, abs=1e-9)


@pytest.mark.parametrize(
    "domain",
    [Choice(tuple(Option(name, name, i) for i, name in enumerate("abc"))), QUniform(0.0, 0.6, 0.1), RandInt(3, 12), LogRandInt(1, 9)],
)
def test_evenly_distributed_units_give_each_value_the_share_in_which_it_is_sampled(domain: Domain) -> None:
    number = 20_000
    by_unit = Counter(domain.from_unit((step + 0.5) / number) for step in range(number))
    rng = Random(1)
    sampled = Counter(domain.sample(rng) for _ in range(number))
    assert list(by_unit) == list(domain.values() or ())
    for value, count in by_unit.items():
        share = count / number
        # The count of samples is binomial(20000, share); beyond 5 sigma once in a million runs, and the seed is fixed.
        assert abs(sampled[value] - count) < 5 * math.sqrt(number * share * (1 - share)) + 1


def test_whole_numbers_on_a_log_scale_have_the_weight_of_the_interval_above_them() -> None:
    number = 100_000
    made = Counter(LogRandInt(1, 9).from_unit((step + 0.5) / number) for step in range(number))
    for value in range(1, 10):
        assert made[value] / number == pytest.approx(math.log10(1 + 1 / value), abs=2e-5)  # Benford's law


@pytest.mark.parametrize("domain", [Uniform(-1.0, 3.0), LogUniform(1e-4, 1e-1)])
def test_unit_of_a_continuous_value_is_where_it_came_from(domain: Any) -> None:
    for step in range(11):
        assert domain.unit(domain.from_unit(step / 10)) == pytest.approx(step / 10)
