"""Each value under `trial`, held against TrainConfig: unknown fields, wrong types, values out of bounds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from search_spaces.domain_words import WORDS
from search_spaces.domains import Choice, LogRandInt, LogUniform, QUniform, RandInt, Uniform
from search_spaces.errors import KeyPath, Problem, dotted
from search_spaces.flatten import Flattened
from search_spaces.refusals import refusals
from search_spaces.settings import Constant, Parameter, Setting
from search_spaces.trial_fields import ELSEWHERE, families_with, field, known_keys
from search_spaces.wording import annotation_of, closest, described, listed, purpose, shown, unknown
from trainable.config.train import TrainConfig


def problems(flattened: Flattened) -> list[Problem]:
    """Return what TrainConfig has against the single values under `trial`, each finding once."""
    families = _families(flattened)
    found = [problem for leaf in flattened.leaves for problem in _of_leaf(leaf, _possible(leaf, families))]
    found += _of_conditions(flattened)
    found += _missing(flattened)
    return list(dict.fromkeys(found))


def no_field(keys: KeyPath, place: KeyPath, depth: int, family: str | None = None) -> Problem:
    """Return the problem of a path that TrainConfig does not have.

    Args:
        keys: The path.
        place: Where its key `depth` stands in the file.
        depth: Number of keys, from the front, that it does have.
        family: Of the model, where it is known.
    """
    parent, key = keys[:depth], keys[depth]
    if "." in str(key):
        return Problem(place, "a dotted path as a key", "must be nested mappings; dots are for -s and final.overrides")
    if family == "builder" and parent == ("model",) and closest(str(key), known_keys(parent, family)) is None:
        return Problem(place, "unknown key", "must stand under kwargs, where the function's arguments are")
    if family is not None and parent == ("model",) and (others := families_with(str(key))):
        required = f"must be a field of {family}; it is one of {listed(others)}, so name that family or remove it"
        return Problem(place, "unknown key", required)
    if known := known_keys(parent, family):
        return Problem(place, "unknown key", unknown(str(key), [name for name in known if parent or name not in ELSEWHERE]))
    if isinstance(key, int):
        return Problem(place[:-1], "a list of domains", f"must be {described(field(parent))}, or alternatives that each have a `when`")
    guess = closest(str(key), (*WORDS, "value", "when"))
    required = f"did you mean {guess}?" if guess not in (None, key) else f"{dotted(parent)} must be {described(field(parent))}, or a domain"
    return Problem(place, "unknown key", required)


def _families(flattened: Flattened) -> dict[KeyPath, list[str]]:
    """Return, for each mapping of a model by its place in the file, the families that it may be of."""
    named: dict[KeyPath, list[str]] = {}
    default: dict[KeyPath, str] = {}
    for leaf in flattened.leaves:
        if leaf.keys[0] != "model" or len(leaf.keys) == 1:
            continue
        group = _place(leaf, 2)[:-1]
        if leaf.keys == ("model", "family"):
            match leaf:
                case Constant(value=value):
                    contents = [value]
                case Parameter(domain=Choice() as choice):
                    contents = list(choice.values())
                case _:
                    contents = []
            named.setdefault(group, []).extend(map(str, contents))
        else:
            default[group] = "builder" if leaf.keys == ("model", "builder") else default.get(group, "resnet")
    known = get_args(field(("model", "family")))
    found = {group: [family] for group, family in default.items()} | named
    return {group: [family for family in families if family in known] for group, families in found.items()}


def _possible(leaf: Setting, families: Mapping[KeyPath, list[str]]) -> list[str]:
    """Return the families beside which a leaf of the model applies; empty where none is known, and for all other leaves."""
    if leaf.keys[0] != "model" or len(leaf.keys) == 1 or leaf.keys[1] == "family":
        return []
    asked = [condition for condition in leaf.conditions if condition.path == "model.family"]
    return [family for family in families[_place(leaf, 2)[:-1]] if all(condition.allows(family) for condition in asked)]


def _of_leaf(leaf: Setting, families: Sequence[str]) -> Iterator[Problem]:
    if leaf.keys[0] in ELSEWHERE:
        yield Problem(_place(leaf, 1), "set under trial", f"must be set by {ELSEWHERE[str(leaf.keys[0])]}; remove it here")
        return
    having = [family for family in families if field(leaf.keys, family) is not None]
    family = next(iter(having or families), None)
    for depth in range(len(leaf.keys)):
        if field(leaf.keys[: depth + 1], family) is None:
            yield no_field(leaf.keys, _place(leaf, depth + 1), depth, family)
            return
    if lacking := [other for other in families if other not in having]:
        required = f"must have `when: {{family: [{listed(having)}]}}`, for {listed(lacking)} has no such field"
        yield Problem(_place(leaf, len(leaf.keys)), f"beside family {listed(lacking)}", required)
    annotation = field(leaf.keys, family)
    match leaf:
        case Constant():
            yield from _of_value(leaf, annotation)
        case Parameter(domain=Choice() as choice):
            for option in choice.options:
                if not isinstance(option.content, dict) or not option.content:  # a mapping's fields are leaves of their own
                    yield from refusals(annotation, option.content, (*leaf.place, option.index))
        case Parameter(domain=Uniform() | LogUniform() | QUniform() | RandInt() | LogRandInt() as domain):
            yield from _of_bounds(leaf, domain, annotation)


def _of_value(leaf: Constant, annotation: Any) -> Iterator[Problem]:
    wrong = refusals(annotation, leaf.value, leaf.place)
    if wrong and isinstance(leaf.value, list) and leaf.value and not any(refusals(annotation, item) for item in leaf.value):
        text = shown(leaf.value).replace('"', "")
        yield Problem(leaf.place, text, f"must be {described(annotation)}; to search over several write {{choice: {text}}}")
    else:
        yield from wrong


def _of_bounds(leaf: Parameter, domain: Uniform | LogUniform | QUniform | RandInt | LogRandInt, annotation: Any) -> Iterator[Problem]:
    """Check both ends of a numeric domain, and that it draws whole numbers where whole ones are needed."""
    wrong = [
        Problem((*leaf.place, index), f"{name} is {problem.seen}", problem.required)
        for index, name, value in ((0, "low", domain.low), (1, "high", domain.high))
        for problem in refusals(annotation, int(value) if value == int(value) else value)
    ]
    yield from wrong
    step = domain.q if isinstance(domain, QUniform) else 0.37 * (domain.high - domain.low)  # any number between will do
    if not wrong and not isinstance(domain, RandInt | LogRandInt) and refusals(annotation, domain.low + step):
        word = str(leaf.place[-1])
        remedy = "give low and q as whole numbers" if word == "quniform" else f"use {word.replace('uniform', 'randint')}"
        yield Problem(leaf.place, f"{word} draws fractions", f"must be {described(annotation)}; {remedy}")


def _of_conditions(flattened: Flattened) -> Iterator[Problem]:
    """Check the values that a `when` expects of constants; `precedence.py` has checked those of parameters."""
    searched = {leaf.path for leaf in flattened.leaves if isinstance(leaf, Parameter)}
    for leaf in flattened.leaves:
        for condition in leaf.conditions:
            keys = tuple(condition.path.split("."))
            if condition.path not in searched and field(keys) is not None:
                for value in condition.values:
                    yield from refusals(field(keys), value, condition.place)


def _missing(flattened: Flattened) -> Iterator[Problem]:
    """Yield the fields without a default that stand nowhere under `trial`."""
    said = {leaf.path.partition(".")[0] for leaf in flattened.leaves} | {path.partition(".")[0] for path in flattened.broken}
    for name, info in TrainConfig.model_fields.items():
        if info.is_required() and name not in ELSEWHERE and name not in said:
            yield Problem(("trial", name), "missing", f"must be given: {purpose(info)}{described(annotation_of(info))}")


def _place(leaf: Setting, depth: int) -> KeyPath:
    """Return where key number `depth` of a leaf stands in the file, from 1."""
    position = 0
    for key in leaf.keys[:depth]:
        position = leaf.place.index(key, position + 1)
    return leaf.place[: position + 1]
