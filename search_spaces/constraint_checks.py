"""Mistakes in the expressions of `constraints.where`: what cannot be read, names that nobody knows, text held against numbers."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from search_spaces.constraints import COSTS, FORMULAS
from search_spaces.domains import same
from search_spaces.errors import KeyPath, Problem
from search_spaces.expressions import Apply, Fault, Literal, Name, Node, parse, walk
from search_spaces.flatten import Flattened
from search_spaces.operations import ANY_KIND, LIST, NULL, NUMBER, OPERATIONS, TEXT, TRUTH, kind
from search_spaces.readings import Names, Reading
from search_spaces.space import Space
from search_spaces.trial_fields import field
from search_spaces.wording import bare, closest, listed, models_in, shown, unknown

ORDER = (NUMBER, TEXT, TRUTH, LIST, NULL)


def problems(constraints: Any, flattened: Flattened | None) -> Iterator[Problem]:
    """Yield every mistake in the expressions, each with its place in the file and its place in the expression.

    Args:
        constraints: What stands there, as plain data.
        flattened: What stands under `trial`; None where that is no mapping.
    """
    where = constraints.get("where") if isinstance(constraints, dict) else None
    names = None if flattened is None else Names(Space(flattened.settings), None)
    broken = () if flattened is None else flattened.broken
    for index, text in enumerate(where if isinstance(where, list) else [where]):
        place: KeyPath = ("constraints", "where", index) if isinstance(where, list) else ("constraints", "where")
        if not isinstance(text, str):
            continue  # pydantic has said so
        for fault in faults(text, names, broken):
            yield Problem(place, f"{shown(text)} at character {fault.column}: {fault.seen}", fault.required)


def faults(text: str, names: Names | None, broken: Collection[str] = ()) -> Iterator[Fault]:
    """Yield what is wrong with one expression.

    Args:
        text: The expression.
        names: What its names may stand for; None where that is not known.
        broken: Paths under `trial` of which something is wrong already; nothing is said about them.
    """
    parsed = parse(text)
    if isinstance(parsed, Fault):
        yield parsed
        return
    if not parsed.names:
        yield Fault(1, "an expression without a name", "must look at a field such as batch_size, or at parameters")
        return
    if names is None:
        return
    wrong = list(_names(parsed.root, names, broken))
    yield from wrong
    if not wrong:
        found: list[Fault] = []
        kinds = _kinds(parsed.root, names, broken, found)
        yield from found
        if not found and TRUTH not in kinds:
            yield Fault(1, _one_of(kinds - {NULL}), "must be true or false, such as a comparison")


def _names(root: Node, names: Names, broken: Collection[str]) -> Iterator[Fault]:
    told: set[str] = set()
    for node in walk(root):
        if not isinstance(node, Name) or node.path in told or _is_cost(node.path) or _lies_in(node.path, broken):
            continue
        told.add(node.path)
        if names.reading(node.path) is not None:
            continue
        annotation = field(tuple(node.path.split(".")))
        if annotation is not None and models_in(bare(annotation)[0]):
            yield Fault(node.column, f"{node.path}, which is a mapping", f"must be one of its fields, such as {_example(node.path, names)}")
        else:
            yield Fault(node.column, f"unknown name {node.path}", _guess(node.path, names))


def _guess(path: str, names: Names) -> str:
    known = [*names.known(), *COSTS, *FORMULAS]
    if closest(path, known) is not None:
        return unknown(path, known)
    tail = [name for name in known if name.rpartition(".")[2] == path]
    return (
        f"did you mean {tail[0]}?" if tail else "must be a field of a trial by its dotted path, parameters, flops_per_image or memory_bytes"
    )


def _example(path: str, names: Names) -> str:
    return next((name for name in names.known() if name.startswith(f"{path}.")), f"{path}.label")


def _kinds(node: Node, names: Names, broken: Collection[str], found: list[Fault]) -> frozenset[str]:
    """Return the kinds of thing that a node can come to; what can never be is added to `found`."""
    match node:
        case Literal(value=value):
            return frozenset({kind(value)})
        case Name(path=path):
            if _is_cost(path):
                return frozenset({NUMBER})
            reading = names.reading(path)
            return ANY_KIND if reading is None or _lies_in(path, broken) else reading.kinds
    given = [_kinds(argument, names, broken, found) for argument in node.arguments]
    operation = OPERATIONS[node.operation]
    for index, (argument, kinds) in enumerate(zip(node.arguments, given, strict=True)):
        takes = operation.takes[min(index, len(operation.takes) - 1)]
        if kinds - {NULL} and not kinds & takes:
            required = f"must be {_one_of(takes)} for {_spoken(node.operation)}"
            found.append(Fault(argument.column, f"{_what(argument)}, which is {_one_of(kinds - {NULL})}", required))
    if operation.alike:
        first, second = (kinds - {NULL} for kinds in given)
        if first and second and not first & second:
            found.append(Fault(node.column, f"{_one_of(first)} {node.operation} {_one_of(second)}", "must be two of one kind"))
    _check_words(node, names, found)
    null = frozenset() if operation.takes_null and node.operation != "if" else frozenset({NULL} if any(NULL in k for k in given) else ())
    if node.operation == "if":
        return given[1] | given[2] | null
    if node.operation == "item":
        return ANY_KIND
    if node.operation in ("and", "or", "not", "in", "not in"):
        return frozenset({TRUTH, NULL})
    return frozenset({operation.gives or TRUTH}) | null


def _check_words(node: Apply, names: Names, found: list[Fault]) -> None:
    """Refuse a text that the field beside it never is: `optimizer == "sdg"`."""
    if node.operation not in ("==", "!=", "in", "not in"):
        return
    first, second = node.arguments
    if isinstance(second, Name) and isinstance(first, Literal):
        first, second = second, first
    reading = names.reading(first.path) if isinstance(first, Name) and not _is_cost(first.path) else None
    if reading is None or reading.values is None:
        return
    items: Sequence[Node] = second.arguments if isinstance(second, Apply) and second.operation == "list" else [second]
    for item in items:
        if isinstance(item, Literal) and isinstance(item.value, str) and not any(same(item.value, value) for value in reading.values):
            found.append(Fault(item.column, f"{shown(item.value)}, which {reading.path} never is", _among(item.value, reading)))


def _among(word: str, reading: Reading) -> str:
    values = list(dict.fromkeys(value for value in reading.values or () if isinstance(value, str)))
    guess = closest(word, values)
    return f"did you mean {guess}?" if guess else f"must be among its values: {listed(values)}"


def _what(node: Node) -> str:
    match node:
        case Name(path=path):
            return path
        case Literal(value=value):
            return "null" if value is None else shown(value)
    return f"the result of {_spoken(node.operation)}"


def _spoken(operation: str) -> str:
    return {"negative": "-", "item": "[]", "if": "a condition", "list": "a list"}.get(operation, operation)


def _one_of(kinds: frozenset[str]) -> str:
    return " or ".join(name for name in ORDER if name in kinds)


def _is_cost(path: str) -> bool:
    return path in COSTS or path in FORMULAS


def _lies_in(path: str, broken: Collection[str]) -> bool:
    return any(path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.") for other in broken)
