"""What TrainConfig accepts at a dotted path: whether the field exists, and which values it may have."""

import functools
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from search_spaces.errors import KeyPath
from search_spaces.wording import annotation_of, bare, models_in, tagged
from trainable.config.train import TrainConfig

# Decided by the sweep as a whole, and the place in the file that decides them.
ELSEWHERE = {
    "data": "`data:` at the top of the file",
    "max_epochs": "the scheduler's max_epochs",
    "metric": "`objective:` at the top of the file",
    "initial": "final.stages",
}


def has_field(keys: Sequence[str | int]) -> bool:
    """Say whether TrainConfig itself names a field at this path; an argument of the user's own function is none."""
    return field(tuple(keys)) not in (None, Any)


@functools.cache
def field(keys: KeyPath, family: str | None = None) -> Any:
    """Return the type, with its bounds, of the field at this path; None where there is no such field. The empty path is TrainConfig.

    Args:
        keys: The path.
        family: Of the model, where it is known; else a field of any family will do.
    """
    annotation: Any = TrainConfig
    for key in keys:
        base, _ = bare(annotation)
        if base is Any:
            return Any
        if models := models_in(base):
            found = [annotation_of(model.model_fields[key]) for model in tagged(models, family) if key in model.model_fields]
            if not found:
                return None
            annotation = _either(found)
        elif get_origin(base) is dict:
            annotation = get_args(base)[1]
        elif isinstance(key, int) and get_origin(base) is tuple:
            annotation = get_args(base)[0]
        elif isinstance(key, int) and (lists := [part for part in map(_inner, get_args(base)) if get_origin(part) is tuple]):
            annotation = get_args(lists[0])[0]
        else:
            return None
    return annotation


def known_keys(keys: Sequence[str | int], family: str | None = None) -> list[str]:
    """Return the keys that a mapping at this path may have; empty where no mapping belongs."""
    base, _ = bare(field(tuple(keys), family))
    return list(dict.fromkeys(name for model in tagged(models_in(base), family) for name in model.model_fields))


def families_with(name: str) -> list[str]:
    """Return the families of which a field of the model is one."""
    return [family for family in get_args(field(("model", "family"))) if field(("model", name), family) is not None]


def _either(annotations: Sequence[Any]) -> Any:
    """Return the type that takes part for all: words of every family are put together, else the first family speaks."""
    if all(get_origin(annotation) is Literal for annotation in annotations):
        return Literal[tuple(dict.fromkeys(word for annotation in annotations for word in get_args(annotation)))]
    return annotations[0]


def _inner(annotation: Any) -> Any:
    return bare(annotation)[0]
