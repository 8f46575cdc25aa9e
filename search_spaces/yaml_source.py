"""A YAML 1.2 file as plain data, which knows the line of every key: `1e-4` is a number, `on` is text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from search_spaces.errors import KeyPath, Mistake, Problem, SweepError, dotted

BASES = {"0b": 2, "0o": 8, "0x": 16}


@dataclass(frozen=True, slots=True)
class Source:
    """One file that was read.

    Attributes:
        file: Its name as the user gave it.
        data: Plain dicts, lists and scalars.
        root: The same as YAML nodes, which carry lines.
        overridden: Paths that `-s` has set, with all beneath them.
    """

    file: str
    data: dict[str, Any]
    root: Node
    overridden: frozenset[KeyPath] = frozenset()

    def position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column, from 1: of the key, of the item of a list, else of the nearest parent that is there."""
        node, mark = self.root, self.root.start_mark
        for part in path:
            entry = _entry(node, part)
            if entry is None:
                break
            node, mark = entry
        return mark.line + 1, mark.column + 1

    def mistake(self, problem: Problem) -> Mistake:
        """Give a problem its place; what an override has set has no line."""
        file, (line, column) = self.file, self.position(problem.path)
        if any(problem.path[: len(path)] == path for path in self.overridden):
            file, line, column = "-s", 0, 0
        return Mistake(file=file, line=line, column=column, path=dotted(problem.path), seen=problem.seen, required=problem.required)

    def with_data(self, data: dict[str, Any], overridden: Sequence[KeyPath]) -> "Source":
        """Return the source with overrides laid over it; lines stay those of the file."""
        return replace(self, data=data, overridden=frozenset(overridden))


def read(path: Path | str) -> Source:
    """Read a file whose top level is a mapping.

    Raises:
        SweepError: It is not there, not UTF-8, not YAML, or says a key twice; with line and column where there is one.
    """
    file = str(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise _error(file, 0, 0, f"cannot be read ({error.strerror})", "must be a sweep file; `shortlist init` writes one") from None
    root = _compose(_decoded(content, file), file)
    if root is None:
        raise _error(file, 0, 0, "an empty file", "must hold a sweep; `shortlist init` writes one to start from")
    if not isinstance(root, MappingNode):
        kind = "a list" if isinstance(root, SequenceNode) else "a single value"
        raise _at(root, file, f"{kind} at the top of the file", "must be a mapping of keys such as name, data, trial and scheduler")
    source = Source(file, _data(root, file), root)
    if mistakes := list(_repeated(root, file, ())):
        raise SweepError(mistakes)
    return source


def scalar_or_tree(text: str, file: str) -> Any:
    """Return the plain data that a piece of YAML stands for.

    Raises:
        SweepError: It is not YAML.
    """
    root = _compose(text, file)
    if root is None:
        return None
    if mistakes := list(_repeated(root, file, ())):
        raise SweepError(mistakes)
    return _data(root, file)


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
        seen = f"a byte that is not UTF-8 (0x{content[error.start]:02x})"
        raise _error(file, before.count(b"\n") + 1, column, seen, "must be UTF-8 text; save the file in that encoding") from None


def _compose(text: str, file: str) -> Node | None:
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
        return node
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        lines = text.splitlines()
        indent = re.match(r"\s*", lines[line - 1])[0] if 0 < line <= len(lines) else ""  # type: ignore[index]  # \s* always matches
        if "\t" in indent:
            raise _error(
                file, line, indent.index("\t") + 1, "a tab in the indentation", "must be spaces; YAML allows no tabs there"
            ) from None
        if "another document" in (error.problem or ""):
            raise _error(file, line, column, "a second document", "must be one document; write each sweep to a file of its own") from None
        raise _error(file, line, column, _plain(error.problem or str(error)), "must be YAML; look at this line and the one above") from None
    except RecursionError:
        raise _error(file, 0, 0, "nested too deeply to be read", "must have fewer levels") from None
    except YAMLError as error:  # ReaderError: a control character
        raise _error(file, 0, 0, str(error).splitlines()[0], "must be printable text") from None


def _plain(problem: str) -> str:
    words = {
        "mapping values are not allowed here": "a colon where no key can stand",
        "could not find expected ':'": "a key without a colon",
        "but found another document": "a second document after ---",
    }
    if problem.startswith("expected <block end>"):
        return "an entry that is not indented like the ones above it"
    if problem.startswith(("expected ',' or", "expected the node content")):
        return "a bracket that is not closed, or a comma missing before this"
    if problem.startswith("found undefined alias"):
        return "an alias (*name) without its anchor (&name)"
    return next((plain for yaml, plain in words.items() if problem.startswith(yaml)), problem)


def _data(node: Node, file: str) -> Any:
    """Turn nodes into plain data; a node that contains itself is refused."""
    done: dict[int, Any] = {}
    open_nodes: set[int] = set()

    def convert(node: Node) -> Any:
        if id(node) in open_nodes:
            raise _at(node, file, "an alias inside its own anchor", "must be written out")
        if id(node) in done:
            return done[id(node)]
        open_nodes.add(id(node))
        match node:
            case MappingNode():
                result: Any = {_key(key, file): convert(value) for key, value in node.value}
            case SequenceNode():
                result = [convert(item) for item in node.value]
            case ScalarNode():
                result = _scalar(node)
        open_nodes.remove(id(node))
        done[id(node)] = result
        return result

    return convert(node)


def _key(node: Node, file: str) -> str:
    if not isinstance(node, ScalarNode):
        raise _at(node, file, "a list or mapping as a key", "must be a plain name")
    return str(node.value)


def _scalar(node: ScalarNode) -> bool | int | float | str | None:
    """Read a scalar by YAML 1.2's core schema; digits may be grouped (5_000_000), dates stay text."""
    text: str = node.value
    plain = text.lower().replace("_", "")
    try:
        match str(node.tag).rpartition(":")[2]:
            case "null":
                return None
            case "bool":
                return plain == "true"
            case "int":
                return int(plain, BASES.get(plain.lstrip("+-")[:2], 10))
            case "float":
                return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:  # an explicit tag that the text belies: `!!int abc`
        pass
    return text


def _repeated(node: Node, file: str, path: KeyPath) -> Iterator[Mistake]:
    """Yield a mistake for every key that its mapping has said before."""
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _repeated(item, file, (*path, index))
    if not isinstance(node, MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        here = (*path, key.value)
        line, column = key.start_mark.line + 1, key.start_mark.column + 1
        if key.value in lines:
            required = f"must stand once; it is also on line {lines[key.value]}"
            yield Mistake(file=file, line=line, column=column, path=dotted(here), seen="a key for the second time", required=required)
        lines.setdefault(key.value, line)
        yield from _repeated(value, file, here)


def _entry(node: Node, part: str | int) -> tuple[Node, Any] | None:
    if isinstance(node, MappingNode):
        return next(((value, key.start_mark) for key, value in node.value if key.value == part), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and 0 <= part < len(node.value):
        return node.value[part], node.value[part].start_mark
    return None


def _error(file: str, line: int, column: int, seen: str, required: str) -> SweepError:
    return SweepError([Mistake(file=file, line=line, column=column, path="", seen=seen, required=required)])


def _at(node: Node, file: str, seen: str, required: str) -> SweepError:
    return _error(file, node.start_mark.line + 1, node.start_mark.column + 1, seen, required)
