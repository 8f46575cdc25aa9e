"""What TrainConfig accepts at a dotted path: whether the field exists, and which values it may have."""

import functools
from collections.abc import Sequence
from typing import Any, get_args, get_origin

from search_spaces.errors import KeyPath
from search_spaces.wording import annotation_of, bare, models_in
from trainable.config.train import TrainConfig

# Decided by the sweep as a whole, and the place in the file that decides them.
ELSEWHERE = {"data": "`data:` at the top of the file", "max_epochs": "the scheduler's max_epochs"}


def has_field(keys: Sequence[str | int]) -> bool:
    """Say whether TrainConfig has a field at this path."""
    return field(tuple(keys)) is not None


@functools.cache
def field(keys: KeyPath) -> Any:
    """Return the type, with its bounds, of the field at this path; None where there is no such field. The empty path is TrainConfig."""
    annotation: Any = TrainConfig
    for key in keys:
        base, _ = bare(annotation)
        if models := models_in(base):
            found = [annotation_of(model.model_fields[key]) for model in models if key in model.model_fields]
            if not found:
                return None
            annotation = found[0]
        elif isinstance(key, int) and get_origin(base) is tuple:
            annotation = get_args(base)[0]
        elif isinstance(key, int) and (lists := [part for part in get_args(base) if get_origin(part) is tuple]):
            annotation = get_args(lists[0])[0]
        else:
            return None
    return annotation


def known_keys(keys: Sequence[str | int]) -> list[str]:
    """Return the keys that a mapping at this path may have; empty where no mapping belongs."""
    base, _ = bare(field(tuple(keys)))
    return [name for model in models_in(base) for name in model.model_fields]
