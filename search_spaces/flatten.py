"""The nested tree under `trial` becomes a flat list of settings.

What a mapping means is seen from its keys: a domain word (`choice`, `uniform`, ...) makes a parameter, `value` a constant that may
have a `when`, anything else is a group of fields. A list whose items have a `when` holds alternatives.
"""

from dataclasses import dataclass
from typing import Any

from search_spaces import conditions
from search_spaces.conditions import Condition
from search_spaces.domain_words import WORDS
from search_spaces.domain_words import parse as parse_domain
from search_spaces.domains import Choice, Domain, option_name
from search_spaces.errors import KeyPath, Problem, dotted
from search_spaces.precedence import in_order, possible
from search_spaces.settings import Constant, Parameter, Setting
from search_spaces.trial_fields import has_field
from search_spaces.wording import closest, shown


@dataclass(frozen=True, slots=True)
class Flattened:
    """What was read.

    Attributes:
        settings: In the order of the file, but each after all that its conditions look at; those that can never apply are left out.
        leaves: All that could be read, in the order of the file; also what can never apply, or has a `when` that is wrong.
        problems: What is wrong.
        broken: Paths that would have a setting, were it not for a problem.
    """

    settings: tuple[Setting, ...]
    leaves: tuple[Setting, ...]
    problems: tuple[Problem, ...]
    broken: frozenset[str]


def flatten(tree: dict[str, Any], place: KeyPath = ("trial",)) -> Flattened:
    """Flatten the tree under `trial`, which stands at `place` of the file."""
    reader = _Reader()
    for key, child in tree.items():
        reader.read(child, (key,), (*place, key), ())
    leaves = reader.resolved()
    ordered, problems = in_order([leaf for leaf in leaves if leaf.path not in reader.broken], reader.broken)
    settings, more = possible(ordered, reader.broken)
    return Flattened(settings, tuple(leaves), (*reader.problems, *problems, *more), frozenset(reader.broken))


@dataclass(frozen=True, slots=True)
class _When:
    """A `when` as it stands, not yet looked up."""

    content: Any
    place: KeyPath
    scope: KeyPath


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A leaf as it stands: its domain or its value, and conditions of which some are not yet looked up."""

    keys: KeyPath
    place: KeyPath
    content: Any
    domain: Domain | None
    conditions: tuple[Condition | _When, ...]


class _Reader:
    """Walks the tree and collects leaves and problems."""

    def __init__(self) -> None:
        self.leaves: list[_Leaf] = []
        self.problems: list[Problem] = []
        self.broken: set[str] = set()
        self.alternatives: list[tuple[str, list[KeyPath]]] = []

    def read(self, node: Any, keys: KeyPath, place: KeyPath, given: tuple[Condition | _When, ...]) -> None:
        match node:
            case dict() if _is_leaf(node):
                self._leaf(node, keys, place, given)
            case dict():
                self._group(node, keys, place, given)
            case list() if any(isinstance(item, dict) and _is_leaf(item) and "when" in item for item in node):
                self._alternatives(node, keys, place, given)
            case list() if any(isinstance(item, dict) and _is_leaf(item) for item in node):
                for index, item in enumerate(node):
                    self.read(item, (*keys, index), (*place, index), given)
            case _:
                self._constant(node, keys, place, given)

    def _group(self, node: dict[str, Any], keys: KeyPath, place: KeyPath, given: tuple[Condition | _When, ...]) -> None:
        if "when" in node:
            given = (*given, _When(node["when"], (*place, "when"), keys[:-1]))
        fields = {key: child for key, child in node.items() if key != "when"}
        for key, child in fields.items():
            self.read(child, (*keys, key), (*place, key), given)
        if not fields:
            self._constant({}, keys, place, given)

    def _alternatives(self, nodes: list[Any], keys: KeyPath, place: KeyPath, given: tuple[Condition | _When, ...]) -> None:
        self.alternatives.append((dotted(keys), [(*place, index) for index in range(len(nodes))]))
        for index, node in enumerate(nodes):
            here = (*place, index)
            if not isinstance(node, dict) or not _is_leaf(node):
                self._refuse(here, shown(node), "must be an alternative such as {value: 0.9, when: {optimizer: sgd}}", keys)
            elif "when" not in node:
                self._refuse(here, "an alternative without `when`", "must say when it applies, as the others do", keys)
            else:
                self._leaf(node, keys, here, given)

    def _leaf(self, node: dict[str, Any], keys: KeyPath, place: KeyPath, given: tuple[Condition | _When, ...]) -> None:
        words = [word for word in node if word in WORDS or word == "value"]
        if len(words) > 1:
            self._refuse(place, f"{' and '.join(words)} together", "must be one of them; remove the others", keys)
            return
        for key in node:
            if key not in (*words, "when"):
                guess = closest(key, ("when",))
                self._refuse((*place, key), "unknown key", "did you mean when?" if guess else f"beside {words[0]} only `when` may stand")
        if "when" in node:
            given = (*given, _When(node["when"], (*place, "when"), keys[:-1]))
        word, argument, place = words[0], node[words[0]], (*place, words[0])
        if word == "value":
            self.read(argument, keys, place, given)
            return
        domain, problems = parse_domain(word, argument, place)
        self.problems += problems
        if domain is None:
            self.broken.add(dotted(keys))
            return
        self.leaves.append(_Leaf(keys, place, None, domain, given))
        if isinstance(domain, Choice):
            for index, content in enumerate(argument):
                if isinstance(content, dict) and content and domain.contains(option_name(content)):
                    self._option(content, keys, (*place, index), given)

    def _option(self, content: dict[str, Any], keys: KeyPath, place: KeyPath, given: tuple[Condition | _When, ...]) -> None:
        given = (*given, Condition(dotted(keys), (option_name(content),), place))
        for key, child in content.items():
            # A label names the option; it is passed on only where the configuration has a field for it.
            if key != "label" or has_field((*keys, "label")):
                self.read(child, (*keys, key), (*place, key), given)

    def _constant(self, value: Any, keys: KeyPath, place: KeyPath, given: tuple[Condition | _When, ...]) -> None:
        self.leaves.append(_Leaf(keys, place, value, None, given))

    def _refuse(self, place: KeyPath, seen: str, required: str, keys: KeyPath | None = None) -> None:
        self.problems.append(Problem(place, seen, required))
        if keys is not None:
            self.broken.add(dotted(keys))

    def resolved(self) -> list[Setting]:
        """Look up every `when`, now that all paths are known."""
        paths = {dotted(leaf.keys) for leaf in self.leaves} | self.broken
        known: dict[KeyPath, tuple[Condition, ...]] = {}
        wrong: set[KeyPath] = set()
        leaves: list[Setting] = []
        sound: list[Setting] = []
        for leaf in self.leaves:
            found: list[Condition] = []
            for item in leaf.conditions:
                if isinstance(item, Condition):
                    found.append(item)
                    continue
                if item.place not in known:  # one `when` may govern many leaves; its problems are told once
                    known[item.place], problems = conditions.parse(item.content, item.place, item.scope, paths)
                    self.problems += problems
                    wrong |= {item.place} if problems else set()
                found += known[item.place]
            setting = _setting(leaf, tuple(found))
            leaves.append(setting)
            if any(isinstance(item, _When) and item.place in wrong for item in leaf.conditions):
                self.broken.add(setting.path)
            else:
                sound.append(setting)
        self._check_alternatives(sound)
        return leaves

    def _check_alternatives(self, settings: list[Setting]) -> None:
        for path, places in self.alternatives:
            found = {place: next((s for s in settings if s.place[: len(place)] == place), None) for place in places}
            for second, first in ((second, first) for later, second in enumerate(places) for first in places[:later]):
                one, other = found[first], found[second]
                if one and other and not conditions.exclusive(one.conditions, other.conditions):
                    self._refuse(
                        second,
                        f"may apply together with alternative {first[-1]}",
                        f"must exclude it, or {path} would have two values; give one key of `when` different values in both",
                        one.keys,
                    )


def _setting(leaf: _Leaf, found: tuple[Condition, ...]) -> Setting:
    path = dotted(leaf.keys)
    if leaf.domain is None:
        return Constant(path, leaf.content, found, leaf.keys, leaf.place)
    return Parameter(path, leaf.domain, found, leaf.keys, leaf.place)


def _is_leaf(node: dict[str, Any]) -> bool:
    return "value" in node or any(word in node for word in WORDS)
