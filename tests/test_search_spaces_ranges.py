"""Interval arithmetic: what an expression comes to is always among what it was said to be able to come to."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.expressions import Expression, parse
from search_spaces.operations import Inapplicable, kind
from search_spaces.ranges import Possible, Some, Span, possible

NUMBERS = ["a", "b", "c"]
ATOMS = st.sampled_from([*NUMBERS, *NUMBERS, "w", "t", "2", "0", "-1.5", "0.5", "null", "'x'"])
WRAPS = (
    *("({0} + {1})", "({0} - {1})", "({0} * {1})", "({0} / {1})", "({0} // {1})", "({0} % {1})", "({0} ** {1})", "(-{0})", "abs({0})"),
    *(
        "min({0}, {1})",
        "max({0}, {1})",
        "log({0})",
        "log2({0})",
        "log10({0})",
        "({0} if {1} < {0} else {1})",
        "({0} < {1})",
        "({0} >= {1})",
    ),
    *("({0} == {1})", "({0} != {1})", "({0} == null)", "({0} in [1, {1}, null])", "({0} not in [0, 2])", "(t and {0} < {1})"),
    *("({0} > 1 or {1} < 1)", "(not {0} <= {1})", "len([{0}, {1}])", "sum([{0}, {1}])", "[{0}, {1}][0]"),
)
TEXTS = st.recursive(ATOMS, lambda inner: st.builds(str.format, st.sampled_from(WRAPS), inner, inner), max_leaves=8)
ENDS = st.one_of(st.integers(-4, 4), st.floats(-1e3, 1e3, allow_nan=False), st.sampled_from([0.0, 1e-3, 1e150, -1e150]))


def covers(found: Possible, value: Any) -> bool:
    match found:
        case None:
            return True
        case Some(values=values):
            return any(kind(value) == kind(other) and value == other for other in values)
        case Span(low=low, high=high, null=null):
            return null if value is None else kind(value) == "a number" and low <= value <= high
    raise AssertionError(found)


@given(
    text=TEXTS,
    ends=st.lists(st.tuples(ENDS, ENDS), min_size=3, max_size=3),
    at=st.lists(st.floats(0, 1), min_size=3, max_size=3),
    null=st.booleans(),
    data=st.data(),
)
@settings(max_examples=800, deadline=None)
def test_what_comes_up_was_possible(text: str, ends: list[tuple[float, float]], at: list[float], null: bool, data: st.DataObject) -> None:
    parsed = parse(text)
    assert isinstance(parsed, Expression)
    region: dict[str, Possible] = {"w": Some(("x", "y", None)), "t": Some((True, False))}
    values: dict[str, Any] = {"w": data.draw(st.sampled_from(["x", "y", None])), "t": data.draw(st.booleans())}
    for name, pair, share in zip(NUMBERS, ends, at, strict=True):
        low, high = sorted(pair)
        region[name] = Span(low, high, null)
        inside = min(high, max(low, low + share * (high - low)))
        values[name] = None if null and data.draw(st.booleans()) else inside
    try:
        value = parsed.value(values.__getitem__)
    except Inapplicable:
        return  # such a candidate is refused, whatever was said about it
    assert covers(possible(parsed.root, region.__getitem__), value), (text, values)


def test_a_box_is_proved_empty_or_full() -> None:
    parsed = parse("a * b <= 512 and a > 0")
    assert isinstance(parsed, Expression)

    def answers(a: Possible, b: Possible) -> Possible:
        return possible(parsed.root, {"a": a, "b": b}.__getitem__)  # type: ignore[union-attr]  # it was parsed

    assert answers(Span(16, 32), Span(1, 16)) == Some((True,))
    assert answers(Span(64, 128), Span(9, 16)) == Some((False,))
    assert answers(Some((16, 1_024)), Some((1, 64))) == Some((False, True))
    assert answers(Span(64, 128, null=True), Span(9, 16)) == Some((False, None))
