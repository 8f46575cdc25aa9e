"""The little language of `where:`: `batch_size * accumulation <= 512 and model.channels in [32, 64]`.

A text is read by Python's own parser and turned into nodes of ours; whatever is not listed here is refused by its place. Nothing is ever
run by Python's `eval`. Names are dotted paths of the configuration; what they stand for is not decided here.
"""

import ast
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.operations import FUNCTIONS, MOST, NUMBER, OPERATIONS, TRUTH, apply, kind
from search_spaces.wording import shown, unknown

MAX_LENGTH = 1_000  # characters
MAX_DEPTH = 50  # operations inside one another
WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
COMPARE: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
}
GRAMMAR = "must be made of names, numbers, texts, + - * / // % **, comparisons, in, and, or, not, `a if b else c` and functions"

Lookup = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, text, true, false or null that stands in the expression."""

    value: Any
    column: int


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted path."""

    path: str
    column: int


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation of `OPERATIONS` on what its arguments come to; column is that of its first character, from 1."""

    operation: str
    arguments: tuple["Node", ...]
    column: int


Node = Literal | Name | Apply


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one place of an expression; column counts characters from 1."""

    column: int
    seen: str
    required: str


class _Refused(Exception):
    def __init__(self, node: ast.AST, seen: str, required: str) -> None:
        super().__init__(seen)
        self.node, self.seen, self.required = node, seen, required


@dataclass(frozen=True, slots=True)
class Expression:
    """A text that was understood.

    Attributes:
        text: As it stands in the file.
        root: What it says.
    """

    text: str
    root: Node

    @property
    def names(self) -> tuple[str, ...]:
        """Return the distinct paths, in the order of the text."""
        return tuple(dict.fromkeys(node.path for node in walk(self.root) if isinstance(node, Name)))

    def value(self, lookup: Lookup) -> Any:
        """Return what the expression comes to.

        Args:
            lookup: Path -> value, None for null.

        Raises:
            Inapplicable: It has no value there.
        """
        return _value(self.root, lookup)


def parse(text: str) -> Expression | Fault:
    """Read one expression; the answer is a Fault where it is not understood."""
    if len(text) > MAX_LENGTH:
        return Fault(1, f"an expression of {len(text)} characters", f"must have at most {MAX_LENGTH}; split it into several")
    if "\0" in text:
        return Fault(text.index("\0") + 1, "a null character", GRAMMAR)
    if not text.strip():
        return Fault(1, "an empty text", "must be an expression such as batch_size * accumulation <= 512")
    line = "".join(" " if character.isspace() else character for character in text).rstrip()  # a folded text is one line
    indent = len(line) - len(line.lstrip())
    line = line.lstrip()

    def column(offset: int) -> int:
        return indent + len(line.encode()[:offset].decode(errors="ignore")) + 1

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python warns of 1is or "\d": here they are mistakes
            tree = ast.parse(line, mode="eval").body
    except SyntaxError as error:
        at = error.offset or len(line) + 1  # 0 stands for the end
        return Fault(indent + at, *_syntax(error, line, at))
    except (MemoryError, RecursionError):  # brackets or signs too deep for the parser
        return Fault(1, "an expression that is too deep", f"must nest at most {MAX_DEPTH} levels")
    if _depth(tree) > 2 * MAX_DEPTH:
        return Fault(1, "an expression that is too deep", f"must nest at most {MAX_DEPTH} levels")
    try:
        return Expression(text, _node(tree, column))
    except _Refused as refused:
        return Fault(column(getattr(refused.node, "col_offset", 0)), refused.seen, refused.required)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all beneath it."""
    yield node
    if isinstance(node, Apply):
        for argument in node.arguments:
            yield from walk(argument)


def _syntax(error: SyntaxError, line: str, column: int) -> tuple[str, str]:
    at = column - 1
    if (error.msg or "").startswith("invalid syntax. Maybe you meant '=='") or line[at : at + 1] == "=":
        return "a single =", "must be == to compare"
    if "&&" in line or "||" in line:
        return "&& or ||", "must be the word and, or"
    rest = line[at:].split(maxsplit=1)
    return (shown(rest[0]) if rest else "an end too early"), GRAMMAR


def _depth(tree: ast.AST) -> int:
    """Return how deep a tree is, without recursion."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return deepest


def _node(tree: ast.expr, column: Callable[[int], int]) -> Node:
    at = column(tree.col_offset)

    def inner(*trees: ast.expr) -> tuple[Node, ...]:
        return tuple(_node(child, column) for child in trees)

    match tree:
        case ast.Constant(value=value):
            return Literal(_literal(tree, value), at)
        case ast.Name(id=word) if word in WORDS:
            return Literal(WORDS[word], at)
        case ast.Name() | ast.Attribute():
            return Name(_path(tree), at)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
            return Apply(BINARY[type(sign)], inner(left, right), at)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            found = _node(operand, column)
            if isinstance(found, Literal) and kind(found.value) == NUMBER:
                return Literal(-found.value, at)
            return Apply("negative", (found,), at)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return Apply("not", inner(operand), at)
        case ast.BoolOp(op=sign, values=values):
            return Apply("and" if isinstance(sign, ast.And) else "or", inner(*values), at)
        case ast.Compare():
            return _comparison(tree, column)
        case ast.IfExp(test=test, body=body, orelse=other):
            return Apply("if", inner(test, body, other), at)
        case ast.List(elts=items) | ast.Tuple(elts=items) if items:
            return Apply("list", inner(*items), at)
        case ast.Subscript(value=items, slice=index):
            return Apply("item", inner(items, index), at)
        case ast.Call():
            return _call(tree, column)
    raise _Refused(tree, shown(ast.unparse(tree)), GRAMMAR)


def _comparison(tree: ast.Compare, column: Callable[[int], int]) -> Node:
    """Turn `a < b < c` into `a < b and b < c`, and `a == null` into a question of its own."""
    operands = [_node(child, column) for child in (tree.left, *tree.comparators)]
    parts: list[Node] = []
    for sign, first, second in zip(tree.ops, operands, operands[1:], strict=False):
        if type(sign) not in COMPARE:
            raise _Refused(tree, "is", "must be == or !=, also before null")
        name = COMPARE[type(sign)]
        null = [isinstance(operand, Literal) and operand.value is None for operand in (first, second)]
        if any(null) and name in ("==", "!="):
            question = Apply("is null", (second if null[0] else first,), first.column)
            parts.append(question if name == "==" else Apply("not", (question,), first.column))
        else:
            parts.append(Apply(name, (first, second), first.column))
    return parts[0] if len(parts) == 1 else Apply("and", tuple(parts), parts[0].column)


def _call(tree: ast.Call, column: Callable[[int], int]) -> Node:
    name = tree.func.id if isinstance(tree.func, ast.Name) else ast.unparse(tree.func)
    if name not in FUNCTIONS:
        raise _Refused(tree, f"function {name}", unknown(name, FUNCTIONS))
    operation = OPERATIONS[name]
    if tree.keywords or not operation.fewest <= len(tree.args) <= operation.most:
        wanted = "one argument" if operation.most == 1 else "numbers, or one list"
        raise _Refused(tree, f"{name} of {len(tree.args) + len(tree.keywords)} arguments", f"must have {wanted}")
    return Apply(name, tuple(_node(child, column) for child in tree.args), column(tree.col_offset))


def _literal(tree: ast.Constant, value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        raise _Refused(tree, str(value), f"must be {'null' if value is None else str(value).lower()}")
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > MOST:
        raise _Refused(tree, shown(ast.unparse(tree)), "must be a number below 1e300, or a text in quotes")
    return value


def _path(tree: ast.expr) -> str:
    match tree:
        case ast.Name(id=word):
            return word
        case ast.Attribute(value=parent, attr=word):
            return f"{_path(parent)}.{word}"
    raise _Refused(tree, shown(ast.unparse(tree)), "must be a name before the dot")


def _value(node: Node, lookup: Lookup) -> Any:
    match node:
        case Literal(value=value):
            return value
        case Name(path=path):
            return lookup(path)
    operation, arguments = node.operation, node.arguments
    if operation in ("and", "or"):  # the rest is not looked at once the answer is known: `lr == 0 or 1 / lr < 5`
        answers = []
        for argument in arguments:
            answers.append(apply(operation, [_value(argument, lookup)]))
            if answers[-1] is (operation == "or"):
                return answers[-1]
        return apply(operation, answers)
    if operation == "if":
        condition = apply("and", [_value(arguments[0], lookup)])
        return None if condition is None else _value(arguments[1 if condition else 2], lookup)
    return apply(operation, [_value(argument, lookup) for argument in arguments])


def is_answer(value: Any) -> bool:
    """Say whether an expression came to true, false or null, as a constraint must."""
    return value is None or kind(value) == TRUTH
