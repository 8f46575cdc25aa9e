"""docs/sweep-file.md: up to date, complete, and every example on it is accepted by the loader."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from search_spaces import reference
from search_spaces.load import load
from search_spaces.scheduler_options import RULES

PAGE = Path(__file__).parents[1] / "docs" / "sweep-file.md"

BASE: Mapping[str, Any] = {
    "name": "base",
    "data": {"name": "digits"},
    "trial": {
        "model": {"family": "resnet", "blocks": [1], "channels": 8},
        "optimizer": {"choice": ["sgd", "adam"]},
        "lr": {"loguniform": [1e-4, 1e-1]},
        "batch_size": {"choice": [64, 128]},
    },
    "search": {"sampler": "random", "trials": 8},
    "scheduler": {"asha": {"max_epochs": 27}},
}
SECTIONS = {section.title: section for section in reference.sections()}
EXAMPLES = [(section, example) for section in SECTIONS.values() for example in section.examples]


def parsed(section: reference.Section, example: str) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(reference.in_place(section, example)))


def as_a_file(content: Mapping[str, Any], images: Path) -> dict[str, Any]:
    """Return an example laid over a sweep that lacks nothing: it takes the place of what is there, below `trial` field by field."""
    file = {**BASE, **content, "trial": {**BASE["trial"], **content.get("trial", {})}}
    if "asha" in BASE["scheduler"] and not set(file["scheduler"]) & set(RULES):  # patience stands beside a rule
        file["scheduler"] = {**BASE["scheduler"], **file["scheduler"]}
    if file["data"].get("path"):
        file["data"] = {**file["data"], "path": str(images)}
    return file


def test_the_page_in_docs_is_the_one_that_the_models_give() -> None:
    assert PAGE.read_text() == reference.render(), "write it anew: python -m search_spaces.reference > docs/sweep-file.md"


@pytest.mark.parametrize("section", SECTIONS.values(), ids=SECTIONS)
def test_every_key_of_the_sweep_file_says_what_it_means(section: reference.Section) -> None:
    assert section.about
    assert [name for name, *_, meaning in reference.rows(section) if not meaning] == []


@pytest.mark.parametrize(
    ("section", "example"), EXAMPLES, ids=[f"{section.title}-{number}" for number, (section, _) in enumerate(EXAMPLES)]
)
def test_every_example_on_the_page_is_accepted(section: reference.Section, example: str, tmp_path: Path) -> None:
    for name in ("train.parquet", "test.parquet"):
        (tmp_path / name).touch()
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(as_a_file(parsed(section, example), tmp_path), text)
    (tmp_path / "sweep.yaml").write_text(text.getvalue())
    load(tmp_path / "sweep.yaml")


def test_every_key_stands_in_an_example() -> None:
    everywhere = {path for section, example in EXAMPLES for path in keys(parsed(section, example), ())}
    for section in SECTIONS.values():
        own = {path for example in section.examples for path in keys(parsed(section, example), ())}
        shown = own if section.tag else everywhere  # what another family shows does not count
        assert [name for name in section.fields if (*section.path, name) not in shown] == [], section.title


def keys(content: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key; the items of a list of mappings have the list's name and [] in theirs."""
    if isinstance(content, dict):
        for name, inner in content.items():
            yield (*path, name)
            yield from keys(inner, (*path, name))
    elif isinstance(content, list) and path:
        for inner in content:
            yield from keys(inner, (*path[:-1], f"{path[-1]}[]"))


def test_numbers_with_a_unit_say_it() -> None:
    units = {(title, name): unit for title, section in SECTIONS.items() for name, _, unit, *_ in reference.rows(section)}
    assert units["budget", "`wall_clock`"] == "seconds"
    assert units["constraints", "`max_memory`"] == "bytes"
    assert units["scheduler.asha", "`max_epochs`"] == "epochs"
    assert units["trial", "`weight_decay`"] == ""
    assert {unit for (_, name), unit in units.items() if name.endswith("epochs`")} == {"epochs"}


def test_what_only_the_program_fills_in_is_not_on_the_page() -> None:
    names = {(title, name) for title, section in SECTIONS.items() for name in section.fields}
    assert ("trial", "lr") in names
    assert not {("trial", "initial"), ("trial", "metric"), ("data", "train_on"), ("trial.model, family builder", "code")} & names
