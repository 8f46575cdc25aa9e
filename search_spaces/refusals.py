"""What pydantic has against a value, said in plain words and at its place in the file."""

import functools
import json
import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from search_spaces.errors import KeyPath, Problem
from search_spaces.wording import annotation_of, bare, closest, described, listed, models_in, purpose, shown, tagged, tags_of, unknown


def refusals(annotation: Any, value: Any, place: KeyPath = ()) -> list[Problem]:
    """Check a value of the file against a type with bounds, or a model.

    JSON rules: 16.0 and "16" are no whole numbers, true is no number, a list may stand for a tuple.

    Args:
        annotation: The type, as pydantic understands it.
        value: Plain data as read from YAML.
        place: Where the value stands in the file.

    Returns:
        What is wrong, without repetitions; empty where the value is accepted.
    """
    try:
        _adapter(annotation).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        return explained(error, annotation, value, place)
    return []


def explained(error: ValidationError, annotation: Any, value: Any, place: KeyPath) -> list[Problem]:
    """Return pydantic's findings about `value` in our words, each once."""
    return list(dict.fromkeys(problem for found in error.errors() for problem in _explained(found, annotation, value, place)))


@functools.lru_cache(maxsize=512)
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def _explained(details: ErrorDetails, annotation: Any, value: Any, place: KeyPath) -> Iterator[Problem]:
    annotation, value, keys, rest = _walk(annotation, value, details["loc"])
    place = (*place, *keys)
    match details["type"]:
        case "missing":
            name = str(rest[0])
            field = next(model.model_fields[name] for model in models_in(bare(annotation)[0]) if name in model.model_fields)
            yield Problem((*place, name), "missing", f"must be given: {purpose(field)}{described(annotation_of(field))}")
        case "extra_forbidden":
            yield Problem((*place, str(rest[0])), "unknown key", unknown(str(rest[0]), models_in(bare(annotation)[0])[0].model_fields))
        case "value_error":
            for message in str(details["ctx"]["error"]).splitlines():
                yield _of_validator(message, annotation, value, place)
        case "finite_number":
            yield Problem(place, shown(value), f"must be finite, {described(annotation)}")
        case "literal_error" if isinstance(value, str) and (guess := closest(value, map(str, get_args(bare(annotation)[0])))):
            yield Problem(place, shown(value), f"must be {described(annotation)}; did you mean {guess}?")
        case "union_tag_invalid" | "union_tag_not_found" if isinstance(value, dict):
            name, tags = tags_of(bare(annotation)[0])
            tag = value.get(name)
            guess = closest(tag, tags) if isinstance(tag, str) else None
            yield Problem((*place, name), shown(tag), f"must be one of {listed(tags)}" + (f"; did you mean {guess}?" if guess else ""))
        case _:
            yield Problem(place, shown(value), f"must be {described(annotation)}")


def _walk(annotation: Any, value: Any, location: tuple[int | str, ...]) -> tuple[Any, Any, list[int | str], tuple[int | str, ...]]:
    """Follow pydantic's location as far as it names places in the file: type and value there, the keys followed, the rest."""
    keys: list[int | str] = []
    rest = location
    while rest:
        base, _ = bare(annotation)
        part = rest[0]
        models = models_in(base)
        if len(models) > 1 and len(named := tagged(models, part)) == 1:
            annotation, rest = named[0], rest[1:]
            continue
        if models and part in models[0].model_fields and isinstance(value, dict) and part in value:
            annotation = annotation_of(models[0].model_fields[str(part)])
        elif get_origin(base) is tuple and isinstance(part, int) and isinstance(value, list) and part < len(value):
            annotation = get_args(base)[0]
        else:
            break
        value = value[part]
        keys.append(part)
        rest = rest[1:]
    return annotation, value, keys, rest


def _of_validator(message: str, annotation: Any, value: Any, place: KeyPath) -> Problem:
    """Place what a validator of ours says: `<field> is <seen>, must be <required>` where it looks at several fields."""
    found = re.fullmatch(r"(\w+) is (.+?), (must .+)", message)
    if found and any(found[1] in model.model_fields for model in models_in(bare(annotation)[0])):
        return Problem((*place, found[1]), found[2], found[3])
    return Problem(place, shown(value), message)
