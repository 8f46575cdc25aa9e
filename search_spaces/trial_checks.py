"""What stands under `trial`, held against TrainConfig: unknown fields, values out of bounds, combinations that it refuses.

Single values are checked where they stand. Combinations are checked by building configurations: all that the choices make where
they are few, else draws in which every option takes part.
"""

import itertools
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from pydantic import ValidationError

from search_spaces.conditions import Condition
from search_spaces.domain_words import WORDS
from search_spaces.domains import Choice, Domain, LogUniform, QUniform, Uniform, Value
from search_spaces.errors import KeyPath, Problem, dotted
from search_spaces.refusals import explained
from search_spaces.settings import Constant, Flattened, Parameter, Setting
from search_spaces.space import Space, merged
from search_spaces.trial_fields import ELSEWHERE, field, known_keys, wrong_value
from search_spaces.wording import annotation_of, closest, described, listed, shown, unknown
from trainable.config.train import TrainConfig

MAX_COMBINATIONS = 512  # of choices, built one by one in about 50 ms
DRAWS_PER_OPTION = 3
ELSEWHERE_STAND_IN: Mapping[str, Any] = {"data": {"name": "digits"}, "max_epochs": 1}


def problems(flattened: Flattened) -> list[Problem]:
    """Return what TrainConfig has against the tree under `trial`, each finding once."""
    found = [problem for leaf in flattened.leaves for problem in _of_leaf(leaf)]
    found += _of_conditions(flattened)
    found += _missing(flattened)
    found = list(dict.fromkeys(found))
    doubtful = {dotted(problem.path) for problem in (*flattened.problems, *found)}
    return found + list(_of_combinations(flattened, doubtful))


def _of_leaf(leaf: Setting) -> Iterator[Problem]:
    """Check one leaf by itself."""
    if leaf.keys[0] in ELSEWHERE:
        yield Problem(_place(leaf, 1), "set under trial", f"must be set by {ELSEWHERE[str(leaf.keys[0])]}; remove it here")
        return
    for depth, key in enumerate(leaf.keys):
        if field(leaf.keys[: depth + 1]) is None:
            yield _no_field(leaf.keys[:depth], key, _place(leaf, depth), _place(leaf, depth + 1))
            return
    if isinstance(leaf, Constant):
        yield from _of_value(leaf.keys, leaf.value, leaf.place)
    elif isinstance(leaf.domain, Choice):
        yield from _of_options(leaf.keys, leaf.domain, leaf.place)
    else:
        yield from _of_bounds(leaf, leaf.domain)


def _of_value(keys: KeyPath, value: Any, place: KeyPath) -> Iterator[Problem]:
    wrong = wrong_value(keys, value, place)
    if wrong and isinstance(value, list) and value and not any(wrong_value(keys, item, place) for item in value):
        yield Problem(place, shown(value), f"must be {described(field(keys))}; to search over these write {{choice: {shown(value)}}}")
    else:
        yield from wrong
