"""Points that a sweep file names: nested or dotted, by label, with the values that the domains themselves would draw."""

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from search_spaces import points
from search_spaces.load import load
from search_spaces.space import Space

SPACE = Space.parse(
    {
        "model": {
            "choice": [
                {"label": "small", "family": "resnet", "blocks": [1], "channels": {"choice": [8, 16]}},
                {"label": "deep", "family": "resnet", "blocks": {"choice": [[1, 1], [2, 2]]}, "channels": 8},
            ]
        },
        "optimizer": {"choice": ["sgd", "adam"]},
        "lr": [{"loguniform": [1e-2, 1.0], "when": {"optimizer": "sgd"}}, {"loguniform": [1e-4, 1e-2], "when": {"optimizer": "adam"}}],
        "augment": {"crop": {"quniform": [0, 4, 2]}},
    }
)


@pytest.mark.parametrize(
    ("point", "values"),
    [
        ({"model": "small", "model.channels": 16}, {"model": "small", "model.channels": 16}),
        ({"model": {"label": "small", "channels": 16}}, {"model": "small", "model.channels": 16}),
        ({"model": {"label": "deep", "blocks": [2, 2]}}, {"model": "deep", "model.blocks": "[2,2]"}),
        ({"augment": {"crop": 2}, "lr": 1}, {"augment.crop": 2, "lr": 1.0}),
        ({"augment.crop": 4.0}, {"augment.crop": 4}),
    ],
)
def test_a_point_may_be_nested_or_dotted_and_names_options_by_label(point: dict[str, Any], values: dict[str, Any]) -> None:
    read, problems = points.read(point, SPACE)
    assert problems == []
    assert read == values
    assert list(map(type, read.values())) == list(map(type, values.values()))


def test_a_value_of_another_branch_is_wrong_beside_what_decides_and_right_alone() -> None:
    assert points.read({"lr": 0.5}, SPACE)[1] == []
    (problem,) = points.read({"lr": 0.5, "optimizer": "adam"}, SPACE)[1]
    assert (problem.path, problem.required) == (("lr",), "must be a number from 0.0001 to 0.01")
    assert points.read({"lr": 0.5, "optimizer": "adam"}, SPACE, consistent=False)[1] == []


def test_what_hangs_on_a_missing_value_is_not_asked_for_as_well() -> None:
    missing = points.incomplete({"optimizer": "sgd", "augment.crop": 0}, SPACE, ())
    assert [problem.seen for problem in missing] == ["no model", "no lr"]


SAMPLERS = (Path(__file__).parent.parent / "docs" / "samplers.md").read_text()
TRIAL = """
trial:
  model: {family: resnet, blocks: [1], channels: 16}
  optimizer: {choice: [sgd, adam]}
  lr: LR
  batch_size: {choice: [64, 128]}
"""


@pytest.mark.parametrize("example", re.findall(r"(?m)^    search:.*\n(?:^     .*\n)*", SAMPLERS))
def test_examples_of_the_documentation_have_no_mistakes(example: str, tmp_path: Path) -> None:
    search = re.sub(r" +#.*", "", textwrap.dedent(example))
    lr = "{choice: [0.1, 0.001]}" if "grid}" in search else "{loguniform: [1e-4, 1.0]}"
    head = "version: 1\nname: example\ndata: {name: digits}\nscheduler: {asha: {max_epochs: 9}}"
    trial = TRIAL.replace("LR", lr)
    if "one_factor" in search:
        block = re.search(r"(?m)^    trial:\n(?:^      .*\n)+", SAMPLERS)
        assert block is not None
        trial = "\n" + textwrap.dedent(block[0])
    file = tmp_path / "sweep.yaml"
    file.write_text(head + trial + search)
    load(file)
