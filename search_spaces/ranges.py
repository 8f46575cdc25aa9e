"""What an expression may come to while its names are only known to lie somewhere: interval arithmetic, and sets of few values.

An answer may be too wide, never too narrow: what is not among the possible values never comes up. Evaluation that fails counts as
nothing here, for it refuses the candidate anyway.

Source of the interval rules: Moore, Kearfott & Cloud, Introduction to Interval Analysis, 2009, chapter 2. Rounding is monotone for
+ - * /, so that ends computed in floating point enclose what is computed between them; powers and logarithms are widened by SLACK.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.domains import is_number
from search_spaces.expressions import Apply, Literal, Name, Node
from search_spaces.operations import Inapplicable, apply

MAX_VALUES = 64  # combinations of single values that are looked at one by one
SLACK = 1e-12  # relative; a library's power or logarithm is off by a few units of 1e-16


@dataclass(frozen=True, slots=True)
class Some:
    """One of these values, null included where it is among them."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A number of [low, high]; or null."""

    low: float
    high: float
    null: bool = False


Possible = Some | Span | None
"""What a value may be; None for anything at all."""

TRUTHS = Some((True, False, None))
Read = Callable[[str], Possible]


def possible(node: Node, read: Read) -> Possible:
    """Return what a node may come to.

    Args:
        node: The root of an expression, or a part.
        read: Path -> what its value may be.
    """
    match node:
        case Literal(value=value):
            return Some((value,))
        case Name(path=path):
            return read(path)
        case Apply(operation=operation, arguments=arguments):
            return _applied(operation, [possible(argument, read) for argument in arguments])


def either(first: Possible, second: Possible) -> Possible:
    """Return what may be one or the other."""
    if isinstance(first, Some) and not first.values:
        return second
    if isinstance(second, Some) and not second.values:
        return first
    if first is None or second is None:
        return None
    if isinstance(first, Some) and isinstance(second, Some):
        return _some((*first.values, *second.values))
    one, other = _span(first), _span(second)
    if one is None or other is None:
        return None
    return Span(min(one.low, other.low), max(one.high, other.high), one.null or other.null)


def or_null(found: Possible) -> Possible:
    """Return what may also be null."""
    match found:
        case Some(values=values):
            return _some((*values, None))
        case Span(low=low, high=high):
            return Span(low, high, null=True)
    return None


def _applied(operation: str, arguments: Sequence[Possible]) -> Possible:
    if operation in ("and", "or", "not"):
        return _logic(operation, arguments)
    if operation == "if":
        return _chosen(*arguments)
    finite = [argument for argument in arguments if isinstance(argument, Some)]
    if len(finite) == len(arguments) and math.prod(len(argument.values) for argument in finite) <= MAX_VALUES:
        return _each(operation, finite)
    if operation == "is null":
        return _is_null(arguments[0])
    if operation in ("in", "not in"):
        return _membership(operation, *arguments)
    spans = [_span(argument) for argument in arguments]
    known = [span for span in spans if span is not None]
    if len(known) < len(spans):
        return TRUTHS if operation in COMPARISONS else None
    null = any(span.null for span in known)
    if operation in COMPARISONS:
        answers = COMPARISONS[operation](*known)
        return Some((*answers, None)) if null else Some(answers)
    if operation not in SPANS:
        return None
    try:
        low, high = SPANS[operation](*known)
    except (Inapplicable, ZeroDivisionError, OverflowError, TypeError):
        return None  # at an end only; between them there may be a value
    return None if math.isnan(low) or math.isnan(high) else Span(low, high, null)


def _each(operation: str, arguments: Sequence[Some]) -> Possible:
    found = []
    for values in itertools.product(*(argument.values for argument in arguments)):
        try:
            found.append(apply(operation, values))
        except Inapplicable:
            continue
    return _some(found)


def _logic(operation: str, arguments: Sequence[Possible]) -> Possible:
    answers: tuple[Any, ...] | None = None
    for argument in arguments:
        values = argument.values if isinstance(argument, Some) else TRUTHS.values
        last = [answer for answer in answers or () if answer is (operation == "or")]  # what follows is then not looked at
        found: list[Any] = list(last)
        for given in [(value,) for value in values] if answers is None else itertools.product(answers, values):
            try:
                found.append(apply(operation, given))
            except Inapplicable:
                continue
        answers = _some(found).values
    return Some(answers or ())


def _chosen(condition: Possible, first: Possible, second: Possible) -> Possible:
    answers = condition.values if isinstance(condition, Some) else TRUTHS.values
    branches = [branch for answer, branch in ((True, first), (False, second)) if answer in answers]
    if not branches:
        return Some((None,) if None in answers else ())
    found = branches[0] if len(branches) == 1 else either(*branches)
    return or_null(found) if None in answers else found


def _is_null(argument: Possible) -> Possible:
    match argument:
        case Span(null=False):
            return Some((False,))
        case Some(values=values) if None not in values:
            return Some((False,))
    return Some((True, False))


def _membership(operation: str, item: Possible, items: Possible) -> Possible:
    """Look whether numbers of a list lie where the item may be."""
    span = _span(item)
    if span is None or not isinstance(items, Some) or len(items.values) != 1 or not isinstance(items.values[0], list | tuple):
        return TRUTHS
    listed = items.values[0]
    if None in listed or any(is_number(value) and span.low <= value <= span.high for value in listed):
        return TRUTHS
    answer = operation == "not in"
    return Some((answer, None)) if span.null else Some((answer,))


def _some(values: Iterable[Any]) -> Some:
    """Return distinct values; 1 and true are told apart."""
    return Some(tuple({(type(value).__name__, repr(value)): value for value in values}.values()))


def _span(found: Possible) -> Span | None:
    match found:
        case Span():
            return found
        case Some(values=values):
            numbers = [value for value in values if value is not None]
            if numbers and all(is_number(value) for value in numbers):
                return Span(min(numbers), max(numbers), len(numbers) < len(values))
    return None


def _less(first: Span, second: Span) -> tuple[bool, ...]:
    return (True,) if first.high < second.low else (False,) if first.low >= second.high else (True, False)


def _greater(first: Span, second: Span) -> tuple[bool, ...]:
    return _less(second, first)


def _opposite(answers: tuple[bool, ...]) -> tuple[bool, ...]:
    return tuple(not answer for answer in answers)


def _equal(first: Span, second: Span) -> tuple[bool, ...]:
    if first.low > second.high or second.low > first.high:
        return (False,)
    return (True,) if first.low == first.high == second.low == second.high else (True, False)


COMPARISONS: dict[str, Callable[[Span, Span], tuple[bool, ...]]] = {
    "<": _less,
    ">": _greater,
    "<=": lambda first, second: _opposite(_greater(first, second)),
    ">=": lambda first, second: _opposite(_less(first, second)),
    "==": _equal,
    "!=": lambda first, second: _opposite(_equal(first, second)),
}

Ends = tuple[float, float]


def _corners(function: Callable[[float, float], float], first: Span, second: Span) -> Ends:
    values = [function(a, b) for a in (first.low, first.high) for b in (second.low, second.high)]
    if any(math.isnan(value) for value in values):
        return (-math.inf, math.inf)
    return min(values), max(values)


def _quotient(first: Span, second: Span) -> Ends:
    if second.low <= 0 <= second.high:
        return (-math.inf, math.inf)
    return _corners(lambda a, b: a / b, first, second)


def _whole_quotient(first: Span, second: Span) -> Ends:
    low, high = _quotient(first, second)
    # `//` takes the exact quotient, `/` a rounded one: one whole number of room on either side.
    return (low if math.isinf(low) else math.floor(low) - 1, high if math.isinf(high) else math.floor(high) + 1)


def _remainder(first: Span, second: Span) -> Ends:
    return (min(0.0, second.low), max(0.0, second.high))


def _power(first: Span, second: Span) -> Ends:
    if first.low > 0 or (first.low == 0 and second.low >= 0):
        return _wider(*_corners(lambda a, b: float(a) ** float(b), first, second))
    if second.low == second.high and second.low == int(second.low) and second.low >= 0:
        low, high = _corners(lambda a, b: float(a) ** float(b), first, second)
        return _wider(0.0 if second.low % 2 == 0 and first.low <= 0 <= first.high else low, high)
    return (-math.inf, math.inf)


def _magnitude(number: Span) -> Ends:
    ends = abs(number.low), abs(number.high)
    return (0 if number.low <= 0 <= number.high else min(ends), max(ends))


def _logarithm(name: str) -> Callable[[Span], Ends]:
    function = {"log": math.log, "log2": math.log2, "log10": math.log10}[name]

    def ends(number: Span) -> Ends:
        high = -math.inf if number.high <= 0 else function(number.high)  # numbers <= 0 have none, and refuse the candidate
        return _wider(-math.inf if number.low <= 0 else function(number.low), high)

    return ends


def _wider(low: float, high: float) -> Ends:
    return low - SLACK * (1 + abs(low)) if math.isfinite(low) else low, high + SLACK * (1 + abs(high)) if math.isfinite(high) else high


SPANS: dict[str, Callable[..., Ends]] = {
    "+": lambda a, b: (a.low + b.low, a.high + b.high),
    "-": lambda a, b: (a.low - b.high, a.high - b.low),
    "*": lambda a, b: _corners(lambda x, y: x * y, a, b),
    "/": _quotient,
    "//": _whole_quotient,
    "%": _remainder,
    "**": _power,
    "negative": lambda a: (-a.high, -a.low),
    "abs": _magnitude,
    "min": lambda *spans: (min(span.low for span in spans), min(span.high for span in spans)),
    "max": lambda *spans: (max(span.low for span in spans), max(span.high for span in spans)),
    "log": _logarithm("log"),
    "log2": _logarithm("log2"),
    "log10": _logarithm("log10"),
}
