"""The language of `where:`: what it computes, what it refuses."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.expressions import Expression, Fault, parse
from search_spaces.operations import Inapplicable

KNOWN: dict[str, Any] = {
    "lr": 0.5,
    "batch_size": 64,
    "optimizer": "sgd",
    "momentum": None,
    "flip": True,
    "model.blocks": [1, 2, 3],
    "holes": [1, None],
}


def value(text: str) -> Any:
    parsed = parse(text)
    assert isinstance(parsed, Expression), parsed
    return parsed.value(KNOWN.__getitem__)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("batch_size * 8 <= 512", True),
        ("batch_size * 8 < 512", False),
        ("1 < batch_size / 2 <= 32 < 100", True),
        ("batch_size // 10 + batch_size % 10 - -2", 12),
        ("2 ** 10 == 1024 and 2 ** -1 == 0.5", True),
        ("optimizer == 'sgd' and flip == true", True),
        ("optimizer in ['adam', \"sgd\"] and 3 not in (1, 2)", True),
        ("sum(model.blocks) + len(model.blocks) + max(model.blocks) + min(4, 5) + abs(-1)", 6 + 3 + 3 + 4 + 1),
        ("model.blocks[0] + model.blocks[-1]", 4),
        ("log(1) + log2(8) + log10(100)", 5.0),
        ("1 if lr > 1 else 2 if lr > 0.1 else 3", 2),
        ("not flip or lr == 0.5", True),
        ("  lr\n  <\n  1", True),
    ],
)
def test_expression_comes_to(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("momentum < 0.5", None),
        ("momentum * 2 + 1 == 3", None),
        ("not momentum < 0.5", None),
        ("momentum < 0.5 and lr > 1", False),
        ("momentum < 0.5 and lr < 1", None),
        ("momentum < 0.5 or lr < 1", True),
        ("momentum < 0.5 or lr > 1", None),
        ("momentum == null", True),
        ("null != momentum or 3 < 2", False),
        ("lr != null", True),
        ("momentum in [0.5, 0.9]", None),
        ("momentum in [0.5, null]", True),
        ("lr in [0.9, null]", None),
        ("1 if momentum > 0.5 else 2", None),
        ("max(holes)", None),
        ("max(1, momentum)", None),
        ("momentum == momentum", None),
    ],
)
def test_null_makes_null_as_in_sql(text: str, expected: Any) -> None:
    assert value(text) is expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 / (lr - 0.5) < 1", "divides by zero"),
        ("batch_size % 0 == 1", "divides by zero"),
        ("9 ** 9 ** 9 > 1", "a number becomes too large"),
        ("1e299 * 100 > 1", "a number becomes too large"),
        ("(-1) ** 0.5 > 1", "a negative number has no such power"),
        ("log(lr - 1) > 0", "log of -0.5, which is not > 0"),
        ("optimizer < 3", "< cannot compare text with a number"),
        ("model.blocks[3] > 1", "there is no item 3 in a list of 3"),
        ("lr + optimizer > 1", r"\+ takes a number, not 'sgd'"),
        ("lr and flip", "and takes true or false, not 0.5"),
    ],
)
def test_expression_without_a_value_says_why(text: str, reason: str) -> None:
    with pytest.raises(Inapplicable, match=reason):
        value(text)


def test_the_rest_is_not_looked_at_once_the_answer_is_known() -> None:
    assert value("lr == 0.5 or 1 / (lr - 0.5) > 1") is True
    assert value("lr != 0.5 and 1 / (lr - 0.5) > 1") is False
    assert value("1 / 0 if lr > 1 else 3") == 3


@pytest.mark.parametrize(
    ("text", "column", "seen"),
    [
        ("", 1, "an empty text"),
        ("lr = 1", 4, "a single ="),
        ("lr < 1 && flip", 9, "&& or ||"),
        ("lr < 1 and", 11, "an end too early"),
        ("é == 'é' and foo(1)", 14, "function foo"),
        ("  mim(1, 2)", 3, "function mim"),
        ("lr is None", 7, "None"),
        ("flip == True", 9, "True"),
        ("lr < 1 and x[1:2]", 14, "'1:2'"),
        ("[b for b in model.blocks]", 1, "'[b for b in model.blocks]'"),
        ("(lambda: 1)()", 1, "function lambda: 1"),
        ("__import__('os').system('ls')", 1, "function __import__('os').system"),
        ("lr.__class__().x", 1, "'lr.__class__()'"),
        ("f'{lr}'", 1, "\"f'{lr}'\""),
        ("1e400 < lr", 1, "'1e309'"),
        ("len(1, 2) < lr", 1, "len of 2 arguments"),
        ("lr @ 2", 1, "'lr @ 2'"),
        ("lr \x00 < 2", 4, "a null character"),
    ],
)
def test_what_is_no_expression_is_refused_at_its_column(text: str, column: int, seen: str) -> None:
    found = parse(text)
    assert isinstance(found, Fault)
    assert (found.column, found.seen) == (column, seen)
    assert found.required.startswith(("must ", "did you mean"))


@pytest.mark.parametrize("text", ["-" * 900 + "lr", "(" * 400 + "lr" + ")" * 400, "not " * 240 + "flip", "lr" + "+lr" * 300, "lr[" * 300])
def test_depth_and_length_are_bounded(text: str) -> None:
    assert isinstance(parse(text), Fault)
    assert isinstance(parse("lr < 1" + " " * 1_000), Fault)


ATOMS = st.sampled_from(["lr", "batch_size", "momentum", "model.blocks", "optimizer", "flip", "9", "0", "2.5", "1e200", "null", "'sgd'"])
WRAPS = (
    "({0} + {1})",
    "({0} * {1})",
    "({0} ** {1})",
    "({0} / {1})",
    "({0} < {1})",
    "({0} and {1})",
    "({0} if {1} else {0})",
    "max({0}, {1})",
)
TEXTS = st.recursive(ATOMS, lambda inner: st.builds(str.format, st.sampled_from(WRAPS), inner, inner), max_leaves=12)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_whatever_can_be_read_has_a_value_or_says_why_it_has_none(text: str) -> None:
    parsed = parse(text)
    assert isinstance(parsed, Expression)
    try:
        found = parsed.value(KNOWN.__getitem__)
    except Inapplicable as error:
        found = str(error) or pytest.fail("no reason")
    assert found is None or isinstance(found, bool | int | float | str | list)


@given(st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Expression) or (found.seen and 1 <= found.column <= len(text) + 1)
