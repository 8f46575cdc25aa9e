"""Events as lines of the journal: one JSON object each.

A journal of a newer release may hold kinds that this one does not know: `decode` then refuses, naming the kind.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from results.errors import NewerFormat
from results.events import KINDS, Event


def encode(event: Event) -> dict[str, Any]:
    """Return the event as a JSON object whose first key, `event`, names its kind."""
    kind = type(event).__name__
    encoded = {"event": kind} | {name: getattr(event, name) for name in _fields(kind)}
    if encoded.get("step_losses", ()) is None:
        del encoded["step_losses"]  # one line an epoch: what few sweeps record costs the others nothing
    return encoded


def decode(line: Mapping[str, Any]) -> Event:
    """Return the event that `encode` wrote.

    Raises:
        NewerFormat: The kind, or one of its fields, is unknown to this release.
        TypeError: A field is missing.
        ValueError: No `event` names the kind.
    """
    values = dict(line)
    name = values.pop("event", None)
    if not isinstance(name, str):
        raise ValueError("no `event` names its kind")
    if name not in KINDS:
        raise NewerFormat(f"the journal holds a {name!r}, which this release does not know; read it with the release that wrote it")
    if unknown := values.keys() - _fields(name).keys():
        raise NewerFormat(
            f"{name} in the journal has {sorted(unknown)}, which this release does not know; read it with the release that wrote it"
        )
    for key in _tuples(name) & values.keys():
        values[key] = tuple(values[key])
    kind: Callable[..., Event] = KINDS[name]
    return kind(**values)


@cache
def _fields(kind: str) -> dict[str, None]:
    """Return the names of the fields, in order."""
    return dict.fromkeys(item.name for item in dataclasses.fields(KINDS[kind]))


@cache
def _tuples(kind: str) -> frozenset[str]:
    """Return the fields that are tuples: JSON has only lists."""
    hints = typing.get_type_hints(KINDS[kind])
    return frozenset(name for name in _fields(kind) if _is_tuple(hints[name]))


def _is_tuple(hint: Any) -> bool:
    if isinstance(hint, types.UnionType):
        return any(_is_tuple(part) for part in typing.get_args(hint))
    return typing.get_origin(hint) is tuple
