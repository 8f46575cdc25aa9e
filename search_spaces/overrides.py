"""Dotted paths that change what is there: `-s path=value` a sweep file, `final.overrides` a configuration."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.errors import KeyPath, Mistake, SweepError, dotted
from search_spaces.space import merged
from search_spaces.wording import shown
from search_spaces.yaml_source import Source, scalar_or_tree
from trainable.config.recipe import CHOOSERS, forgotten
from trainable.config.train import TrainConfig

FILE = "-s"  # stands in messages where the file's name would


def overridden(source: Source, overrides: Sequence[str]) -> tuple[Source, list[Mistake]]:
    """Lay overrides over a file, in their order.

    Args:
        source: The file; it is not altered.
        overrides: `scheduler.asha.max_epochs=9`: a dotted path, list indexes included, and a YAML value.

    Returns:
        The result, and what is wrong with those overrides that could not be followed.
    """
    data = copy.deepcopy(source.data)
    paths: list[KeyPath] = []
    mistakes: list[Mistake] = []
    for text in overrides:
        try:
            path, value = parse_override(text)
            paths.append(_set(data, path.split("."), value))
        except SweepError as error:
            mistakes += error.mistakes
    return source.with_data(data, paths), mistakes


def parse_override(text: str) -> tuple[str, Any]:
    """Return the dotted path and the plain value of `path=value`.

    Raises:
        SweepError: There is no path, no =, or the value is not YAML.
    """
    path, sign, value = text.partition("=")
    if not sign or not all(path.split(".")):
        raise SweepError([_mistake("", repr(text), "must be path=value, such as scheduler.asha.max_epochs=9")])
    try:
        return path, scalar_or_tree(value, FILE)
    except SweepError as error:
        raise SweepError(
            [_mistake(path, found.seen, "must be a YAML value; put text with special characters in quotes") for found in error.mistakes]
        ) from None


def changed(config: TrainConfig, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a configuration with `final.overrides` laid over it, not validated yet.

    Keys are dotted paths; a mapping changes the fields that it names. With another optimizer or schedule, values that were meant for the
    old one are forgotten: those that only one of the two reads, or for which they have defaults of their own.
    """
    content = config.model_dump(mode="json")
    for path, value in overrides.items():
        *parents, name = path.split(".")
        change: dict[str, Any] = {name: value}
        for parent in reversed(parents):
            change = {parent: change}
        content = merged(content, change)
    for chooser, choices in CHOOSERS.items():
        old, new = getattr(config, chooser), content[chooser]
        if new in choices:  # else the field's own validation names the mistake
            content |= {name: None for name in forgotten(chooser, old, new) if name not in overrides}
    if not content["lookahead_k"] and "lookahead_alpha" not in overrides:
        content["lookahead_alpha"] = None
    if content["model"].get("dropout") is not None and "dropout" not in overrides:  # said anew, in its other place
        del content["dropout"]
    return content


def _set(data: Any, parts: list[str], value: Any) -> KeyPath:
    """Set one place, making the mappings on the way to it; return the place as keys and indexes."""
    keys: list[str | int] = []
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        key: str | int = part
        if isinstance(data, list):
            if not part.isdecimal() or int(part) >= len(data):
                seen = f"no item {part} in a list of {len(data)}"
                raise SweepError(
                    [_mistake(dotted(parts), seen, f"must be an index from 0 to {len(data) - 1}; set the whole list to make it longer")]
                )
            key = int(part)
        elif not isinstance(data, dict):
            raise SweepError([_mistake(dotted(parts), f"{dotted(keys)} is {shown(data)}", "must be a mapping or a list to have entries")])
        keys.append(key)
        if last:
            data[key] = value
        else:
            if isinstance(data, dict) and data.get(part) is None:
                data[part] = {}
            data = data[key]
    return tuple(keys)


def _mistake(path: str, seen: str, required: str) -> Mistake:
    return Mistake(file=FILE, line=0, column=0, path=path, seen=seen, required=required)
