import dataclasses
import json
import typing
from collections.abc import Mapping
from typing import Any, get_args

import pytest
import recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from results.columns import CURVE_COLUMNS
from results.errors import NewerFormat
from results.event_lines import decode, encode
from results.events import KINDS, Event, Reported, Suggested, seconds, stamp
from trainable.metrics import EpochMetrics

TEXT = st.text(max_size=8)
FIELDS = {
    "str": TEXT,
    "int": st.integers(min_value=0, max_value=2**53),
    "bool": st.booleans(),
    "float": st.floats(allow_nan=False),
    "JSON": st.recursive(st.none() | st.booleans() | st.integers() | TEXT, lambda inner: st.lists(inner, max_size=3), max_leaves=4),
}


def any_event(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Build every field from its annotation, so that a new event or field is covered the day it is written."""
    return st.builds(kind, **{field.name: _values(_hint(kind, field.name)) for field in dataclasses.fields(kind)})


def _hint(kind: type[Event], name: str) -> Any:
    return typing.get_type_hints(kind)[name]


def _values(hint: Any) -> st.SearchStrategy[Any]:
    origin, parts = typing.get_origin(hint), get_args(hint)
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin is tuple:
        return st.lists(_values(parts[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(TEXT, _values(parts[1]), max_size=3)
    if type(None) in parts:
        return st.none() | _values(next(part for part in parts if part is not type(None)))
    return FIELDS["JSON" if hint is Any else hint.__name__]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_event_survives_its_line_of_json(kind: type[Event]) -> None:
    @settings(deadline=None, derandomize=True)
    @given(event=any_event(kind))
    def check(event: Event) -> None:
        assert decode(json.loads(json.dumps(encode(event)))) == event

    check()


def test_a_line_names_its_kind_first() -> None:
    assert next(iter(encode(recorded.stopped()).items())) == ("event", "DriverStopped")


def test_an_unknown_kind_or_field_is_refused_as_newer() -> None:
    with pytest.raises(NewerFormat, match="'Merged', which this release does not know"):
        decode({"event": "Merged", "at": recorded.AT})
    with pytest.raises(NewerFormat, match=r"DriverStopped in the journal has \['mood'\]"):
        decode(encode(recorded.stopped()) | {"mood": "good"})


def test_a_field_that_an_older_release_did_not_write_takes_its_default() -> None:
    line = encode(recorded.suggested("t00001"))
    del line["rejected"]
    event = decode(line)
    assert isinstance(event, Suggested)
    assert event.rejected == {}


def test_reports_and_curves_carry_every_figure_of_an_epoch() -> None:
    figures = {field.name for field in dataclasses.fields(EpochMetrics)}
    assert figures <= {field.name for field in dataclasses.fields(Reported)}
    assert figures <= {column.name for column in CURVE_COLUMNS}


def test_a_time_stamp_is_utc_and_reads_back() -> None:
    assert stamp(0.25) == "1970-01-01T00:00:00.250+00:00"
    assert seconds(stamp(1_780_000_000.125)) == 1_780_000_000.125
