"""Values, types and near misses in plain words, for people who mend a sweep file."""

import difflib
import json
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

CUTOFF = 0.66  # of difflib's ratio: sdg still means sgd, adam is not meant by random
DID_YOU_MEAN = "did you mean "
LONGEST_SHOWN = 60  # characters of a value in a message; a longer one is described


@dataclass(frozen=True, slots=True)
class Described:
    """Marks a type whose words are its own: `Annotated[float, Described("seconds, or text such as 12h")]`."""

    words: str


def shown(value: Any) -> str:
    """Return a value as a message shows it: text in quotes, small lists as they are, large things by their kind."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value) if len(value) <= LONGEST_SHOWN else repr(value[: LONGEST_SHOWN - 3] + "...")
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list() | tuple() if any(isinstance(item, dict) for item in value):
            return "a list of mappings"
        case list() | tuple():
            text = json.dumps(value, default=str)
            return text if len(text) <= LONGEST_SHOWN else f"a list of {len(value)}"
    text = str(value)
    return text if len(text) <= LONGEST_SHOWN else f"a number of {len(text)} digits"


def listed(values: Iterable[Any]) -> str:
    """Return values in a row, as they would be written in the file."""
    return ", ".join(str(value) if isinstance(value, str) else shown(value) for value in values)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that the user most likely meant; None where nothing is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=CUTOFF)), None)


def unknown(word: str, known: Iterable[str]) -> str:
    """Return what is required in place of a key that nobody knows."""
    names = sorted(known)
    guess = closest(word, names)
    return f"{DID_YOU_MEAN}{guess}?" if guess else f"must be one of {', '.join(names)}"


def guessed(required: str) -> str | None:
    """Return the key that `unknown` has guessed; None where it has not."""
    return required.removeprefix(DID_YOU_MEAN).removesuffix("?") if required.startswith(DID_YOU_MEAN) else None


def described(annotation: Any) -> str:
    """Return a field's type with its bounds in words: `a whole number >= 1`."""
    base, metadata = bare(annotation)
    if words := next((item.words for item in metadata if isinstance(item, Described)), None):
        return words
    origin, arguments = get_origin(base), get_args(base)
    if len(models_in(base)) > 1:
        name, tags = tags_of(base)
        return f"a mapping with {name} (one of {', '.join(tags)}) and the fields of that {name}"
    if origin in (Union, types.UnionType):
        return ", or ".join(dict.fromkeys(described(_with(part, metadata)) for part in arguments if part is not types.NoneType))
    if origin is Literal:
        return str(arguments[0]) if len(arguments) == 1 else f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        return f"a list{_lengths(metadata)}, each item {described(arguments[0])}"
    if models := models_in(base):
        return f"a mapping with the keys {', '.join(models[0].model_fields)}"
    if base is Any:
        return "anything"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return names.get(base, "a mapping") + _bounds(metadata)


def purpose(field: FieldInfo) -> str:
    """Return a field's description as the beginning of a sentence that goes on with its type; empty where it has none."""
    return f"{field.description.rstrip('.')}, " if field.description else ""


def bare(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Take `Annotated` and `| None` off a type: the type itself, and everything that was said about it."""
    metadata: tuple[Any, ...] = ()
    while True:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            annotation = arguments[0]
            for item in arguments[1:]:
                metadata += tuple(item.metadata) if isinstance(item, FieldInfo) else (item,)
        elif origin in (Union, types.UnionType) and len(parts := [part for part in arguments if part is not types.NoneType]) == 1:
            annotation = parts[0]
        else:
            return annotation, metadata


def models_in(base: Any) -> list[type[BaseModel]]:
    """Return the models that a type without `Annotated` may be: itself, or those of a union."""
    parts = get_args(base) if get_origin(base) in (Union, types.UnionType) else (base,)
    return [part for part in (bare(part)[0] for part in parts) if isinstance(part, type) and issubclass(part, BaseModel)]


def tags_of(base: Any) -> tuple[str, list[str]]:
    """Return the field by which the models of a union are told apart, and the tag of each."""
    models = models_in(base)
    name = next(name for name in models[0].model_fields if all(get_origin(_type(model, name)) is Literal for model in models))
    return name, [str(tag) for model in models for tag in get_args(_type(model, name))]


def tagged(models: Sequence[type[BaseModel]], tag: Any) -> Sequence[type[BaseModel]]:
    """Return the models that a tag names; all of them where it names none."""
    return [model for model in models if any(_is_tag(field.annotation, tag) for field in model.model_fields.values())] or models


def annotation_of(field: FieldInfo) -> Any:
    """Return a field's type together with its bounds."""
    return _with(field.annotation, tuple(field.metadata))


def _type(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].annotation if name in model.model_fields else None


def _is_tag(annotation: Any, tag: Any) -> bool:
    """Say whether a field is one that has this tag as its only word."""
    return get_origin(annotation) is Literal and get_args(annotation) == (tag,)


def _with(annotation: Any, metadata: tuple[Any, ...]) -> Any:
    return Annotated[(annotation, *metadata)] if metadata else annotation


def _bounds(metadata: Iterable[Any]) -> str:
    parts = []
    for item in metadata:
        match item:
            case annotated_types.Ge(ge=bound):
                parts.append(f">= {_number(bound)}")
            case annotated_types.Gt(gt=bound):
                parts.append(f"> {_number(bound)}")
            case annotated_types.Le(le=bound):
                parts.append(f"<= {_number(bound)}")
            case annotated_types.Lt(lt=bound):
                parts.append(f"< {_number(bound)}")
    return " " + " and ".join(parts) if parts else ""


def _number(bound: Any) -> str:
    if isinstance(bound, int) and bound >= 10_000:
        return f"{bound:_}"  # as YAML reads it too
    return f"{bound:g}"


def _lengths(metadata: Iterable[Any]) -> str:
    least = next((item.min_length for item in metadata if isinstance(item, annotated_types.MinLen)), None)
    most = next((item.max_length for item in metadata if isinstance(item, annotated_types.MaxLen)), None)
    match least, most:
        case None | 0, None:
            return ""
        case _, None:
            return f" of at least {least}"
        case None | 0, _:
            return f" of at most {most}"
    return f" of {least} to {most}"
