"""YAML 1.2 with lines."""

from pathlib import Path
from typing import Any

import pytest

from search_spaces.errors import Problem, SweepError
from search_spaces.yaml_source import Source, read

SAMPLE = """\
# a comment
name: sample
trial:
  lr: {choice: [0.1, 1e-2]}
  model:
    - blocks: [1, 1]
      channels: 16
"""


def source_of(folder: Path, text: str) -> Source:
    path = folder / "sweep.yaml"
    path.write_text(text)
    return read(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("5_000_000", 5_000_000),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("-3", -3),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("12h", "12h"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        (".inf", float("inf")),
        ("none", "none"),
        ("[1, a, {b: 2.0}]", [1, "a", {"b": 2.0}]),
        ("&anchor [1, 2]", [1, 2]),
    ],
)
def test_scalars_are_read_by_yaml_1_2(tmp_path: Path, text: str, value: Any) -> None:
    found = source_of(tmp_path, f"key: {text}\n").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_alias_stands_for_its_anchor(tmp_path: Path) -> None:
    assert source_of(tmp_path, "a: &x {b: 1}\nc: *x\n").data == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ((), (2, 1)),
        (("name",), (2, 1)),
        (("trial", "lr"), (4, 3)),
        (("trial", "lr", "choice"), (4, 8)),
        (("trial", "lr", "choice", 1), (4, 22)),
        (("trial", "model", 0), (6, 7)),
        (("trial", "model", 0, "channels"), (7, 7)),
        (("trial", "model", 0, "blocks", 1), (6, 19)),
        (("trial", "nothing", "here"), (3, 1)),
        (("trial", "lr", "choice", 9), (4, 8)),
        (("search",), (2, 1)),
    ],
)
def test_position_is_that_of_the_key_the_item_or_the_nearest_parent(
    tmp_path: Path, path: tuple[str | int, ...], position: tuple[int, int]
) -> None:
    assert source_of(tmp_path, SAMPLE).position(path) == position


def test_mistake_in_an_override_has_no_line(tmp_path: Path) -> None:
    source = source_of(tmp_path, SAMPLE)
    overridden = source.with_data(source.data, [("trial", "lr")])
    assert str(overridden.mistake(Problem(("trial", "lr", "choice"), "this", "must be that"))) == "-s: trial.lr.choice: this, must be that"
    assert str(overridden.mistake(Problem(("name",), "this", "must be that"))).endswith("sweep.yaml:2:1: name: this, must be that")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [*x]\n", ":1:4: an alias inside its own anchor"),
        ("a: *x\n", ":1:4: an alias (*name) without its anchor (&name)"),
        ("? [a]\n: 1\n", ":1:3: a list or mapping as a key"),
        ("a: b: c\n", ":1:5: a colon where no key can stand"),
        ("a: 1\n---\nb: 2\n", "a second document"),
        ("a: [" + "[" * 2_000, "nested too deeply"),
        ("a: \x01\n", "must be printable text"),
        ("just text\n", ":1:1: a single value at the top of the file"),
        ("# only a comment\n", "an empty file"),
    ],
)
def test_what_is_no_sweep_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SweepError) as caught:
        source_of(tmp_path, text)
    assert message in str(caught.value)


def test_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert source_of(tmp_path, "\ufeffa: 1\n").data == {"a": 1}


def test_file_that_is_not_there_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        SweepError, match=r"cannot be read \(No such file or directory\), must be a sweep file; `shortlist init` writes one"
    ):
        read(tmp_path / "nothing.yaml")
