"""What an expression can do with values: the operators and functions of `where:`, and how they treat null.

A value is a number, text, true or false, a list, or null. As in SQL, null in arithmetic or in a comparison gives null, `and`, `or` and
`not` know three answers, and a constraint that comes to null holds (SQL's CHECK does the same). `== null` alone looks at null itself.

Every result stays below MOST, so that no expression can take long: 9**9**9 is refused by its size before it is computed.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.domains import is_number, same
from search_spaces.wording import shown

MOST = 1e300  # absolute value of any number that comes up

NUMBER, TEXT, TRUTH, LIST, NULL = "a number", "text", "true or false", "a list", "null"
ANY_KIND = frozenset({NUMBER, TEXT, TRUTH, LIST, NULL})


class Inapplicable(ValueError):
    """An expression has no value for a candidate: it divides by zero, or compares text with a number. The candidate is refused."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator or function.

    Attributes:
        function: Its value; for `takes_null` alone arguments may be None.
        takes: Kinds that each argument may have; the last holds for all further ones.
        gives: Kind of the result; None where it is that of an argument.
        alike: Whether all arguments must be of one kind.
        takes_null: Whether null is an argument like any other instead of making the result null.
        fewest: Arguments that it needs at least.
        most: Arguments that it takes at most.
    """

    function: Callable[..., Any]
    takes: tuple[frozenset[str], ...]
    gives: str | None
    alike: bool = False
    takes_null: bool = False
    fewest: int = 1
    most: int = 1


def kind(value: Any) -> str:
    """Return what sort of thing a value is, in the words of messages."""
    match value:
        case None:
            return NULL
        case bool():
            return TRUTH
        case int() | float():
            return NUMBER
        case str():
            return TEXT
        case list() | tuple():
            return LIST
    return "a mapping"


def apply(name: str, arguments: Sequence[Any]) -> Any:
    """Return the value of an operation.

    Raises:
        Inapplicable: It has none for these arguments.
    """
    operation = OPERATIONS[name]
    if not operation.takes_null and any(argument is None for argument in arguments):
        return None
    for index, argument in enumerate(arguments):
        takes = operation.takes[min(index, len(operation.takes) - 1)]
        if kind(argument) not in takes and not (operation.takes_null and argument is None):
            raise Inapplicable(f"{name} takes {' or '.join(sorted(takes))}, not {shown(argument)}")
    if operation.alike and len({kind(argument) for argument in arguments}) > 1:
        raise Inapplicable(f"{name} cannot compare {' with '.join(kind(argument) for argument in arguments)}")
    try:
        result = operation.function(*arguments)
    except ZeroDivisionError:
        raise Inapplicable("divides by zero") from None
    except OverflowError:
        raise Inapplicable("a number becomes too large") from None
    if isinstance(result, int | float) and not abs(result) <= MOST:
        raise Inapplicable("a number becomes too large")
    return result


def conjunction(answers: Sequence[bool | None]) -> bool | None:
    """Return `and` of three-valued answers: false where one is, else null where one is (Kleene's strong logic)."""
    return False if any(answer is False for answer in answers) else None if any(answer is None for answer in answers) else True


def negation(answer: bool | None) -> bool | None:
    """Return `not` of a three-valued answer."""
    return None if answer is None else not answer


def _and(*answers: bool | None) -> bool | None:
    return conjunction(answers)


def _or(*answers: bool | None) -> bool | None:
    return negation(conjunction([negation(answer) for answer in answers]))


def _if(condition: bool | None, first: Any, second: Any) -> Any:
    return None if condition is None else first if condition else second


def _power(base: float, exponent: float) -> Any:
    if base < 0 and exponent != int(exponent):
        raise Inapplicable("a negative number has no such power")
    estimate = float(base) ** float(exponent)  # raises OverflowError long before an exact power becomes slow
    whole = isinstance(base, int) and isinstance(exponent, int) and exponent >= 0 and abs(estimate) <= MOST
    return base**exponent if whole else estimate


def _logarithm(base: str) -> Callable[[float], float]:
    function = {"log": math.log, "log2": math.log2, "log10": math.log10}[base]

    def logarithm(number: float) -> float:
        if number <= 0:
            raise Inapplicable(f"{base} of {shown(number)}, which is not > 0")
        return float(function(number))

    return logarithm


def _numbers(arguments: Sequence[Any]) -> Sequence[Any] | None:
    """Return the numbers that a function is about: its arguments, or the items of its one list; None where one is null."""
    items = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list | tuple) else arguments
    if any(item is None for item in items):
        return None
    if not items or not all(is_number(item) for item in items):
        raise Inapplicable("takes numbers, or a list of numbers")
    return items


def _over(function: Callable[[Sequence[Any]], float]) -> Callable[..., float | None]:
    def of_numbers(*arguments: Any) -> float | None:
        items = _numbers(arguments)
        return None if items is None else function(items)

    return of_numbers


def _in(item: Any, items: Sequence[Any]) -> bool | None:
    if item is None:
        return True if any(other is None for other in items) else None
    if any(other is not None and same(item, other) for other in items):
        return True
    return None if any(other is None for other in items) else False


def _not_in(item: Any, items: Sequence[Any]) -> bool | None:
    return negation(_in(item, items))


def _item(items: Sequence[Any], index: int) -> Any:
    if not -len(items) <= index < len(items):
        raise Inapplicable(f"there is no item {index} in a list of {len(items)}")
    return items[index]


def _different(first: Any, second: Any) -> bool:
    return not same(first, second)


_NUMBER, _TRUTH, _LIST = frozenset({NUMBER}), frozenset({TRUTH}), frozenset({LIST})
_PLAIN = frozenset({NUMBER, TEXT, TRUTH})
_ORDERED = frozenset({NUMBER, TEXT})


def _arithmetic(function: Callable[..., Any], arguments: int = 2) -> Operation:
    return Operation(function, (_NUMBER,), NUMBER, fewest=arguments, most=arguments)


def _comparison(function: Callable[..., Any], takes: frozenset[str]) -> Operation:
    return Operation(function, (takes,), TRUTH, alike=True, fewest=2, most=2)


def _logic(function: Callable[..., Any], most: int) -> Operation:
    return Operation(function, (_TRUTH,), TRUTH, takes_null=True, fewest=1, most=most)


FUNCTIONS: Mapping[str, Operation] = {
    "abs": _arithmetic(abs, 1),
    "log": _arithmetic(_logarithm("log"), 1),
    "log2": _arithmetic(_logarithm("log2"), 1),
    "log10": _arithmetic(_logarithm("log10"), 1),
    "min": Operation(_over(min), (_NUMBER | _LIST,), NUMBER, fewest=1, most=20),
    "max": Operation(_over(max), (_NUMBER | _LIST,), NUMBER, fewest=1, most=20),
    "sum": Operation(_over(sum), (_LIST,), NUMBER),
    "len": Operation(len, (_LIST,), NUMBER),
}

OPERATIONS: Mapping[str, Operation] = {
    **FUNCTIONS,
    "+": _arithmetic(operator.add),
    "-": _arithmetic(operator.sub),
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(operator.truediv),
    "//": _arithmetic(operator.floordiv),
    "%": _arithmetic(operator.mod),
    "**": _arithmetic(_power),
    "negative": _arithmetic(operator.neg, 1),
    "<": _comparison(operator.lt, _ORDERED),
    "<=": _comparison(operator.le, _ORDERED),
    ">": _comparison(operator.gt, _ORDERED),
    ">=": _comparison(operator.ge, _ORDERED),
    "==": _comparison(same, _PLAIN | _LIST),
    "!=": _comparison(_different, _PLAIN | _LIST),
    "is null": Operation(lambda value: value is None, (ANY_KIND,), TRUTH, takes_null=True),
    "in": Operation(_in, (_PLAIN, _LIST), TRUTH, takes_null=True, fewest=2, most=2),
    "not in": Operation(_not_in, (_PLAIN, _LIST), TRUTH, takes_null=True, fewest=2, most=2),
    "and": _logic(_and, 1_000),
    "or": _logic(_or, 1_000),
    "not": _logic(negation, 1),
    "if": Operation(_if, (_TRUTH, ANY_KIND), None, takes_null=True, fewest=3, most=3),
    "item": Operation(_item, (_LIST, _NUMBER), None, fewest=2, most=2),
    "list": Operation(lambda *items: list(items), (_PLAIN,), LIST, takes_null=True, fewest=1, most=1_000),
}
