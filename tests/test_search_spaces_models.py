"""Networks under `trial.model`: families side by side, the user's own network with domains among its arguments."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from search_spaces.load import load
from search_spaces.schema import json_schema
from search_spaces.space import Space
from search_spaces.yaml_source import read
from trainable.config.builder import BuilderConfig
from trainable.config.families import WideResNetConfig

HEAD = "version: 1\nname: models\ndata: {name: digits}\nsearch: {trials: 4}\nscheduler: {asha: {max_epochs: 9}}\ntrial:\n  lr: 0.1\n"
FAMILIES = """
  model:
    choice:
      - {label: plain, blocks: [1, 1], channels: {choice: [8, 16]}, activation: {choice: [relu, mish]}, dropout: {uniform: [0.1, 0.3]}}
      - {label: wide, family: wide_resnet, depth: {choice: [10, 16]}, width: {randint: [1, 4]}}
      - {label: early, family: preact, blocks: [{randint: [1, 2]}, 1], channels: 8}
      - {label: stack, family: vgg, layout: {choice: [A, D]}, norm: {choice: [batch, none]}}
      - {label: mine, builder: "nets:make", kwargs: {width: {choice: [8, 16]}}}
"""
PARAMETER = """
  model:
    family: {choice: [resnet, preact, wide_resnet]}
    blocks: {value: [1, 1], when: {family: [resnet, preact]}}
    channels: {choice: [8, 16], when: {family: [resnet, preact]}}
    se_ratio: {value: 2, when: {family: resnet}}
    depth: {value: 10, when: {family: wide_resnet}}
    width: {randint: [1, 2], when: {family: wide_resnet}}
"""
KWARGS = """
  model:
    builder: {choice: ["nets:make", "nets:other"]}
    kwargs:
      width: {lograndint: [8, 64]}
      sizes: [3, {choice: [5, 7]}, {quniform: [0.5, 1.5, 0.5]}]
      head: {kind: linear, scale: {loguniform: [1e-3, 1.0]}, label: kept}
      act: {choice: [{label: smooth, name: gelu, beta: {uniform: [0, 1]}}, {label: sharp, name: relu}, null]}
      nothing: null
      empty: {}
"""


def space(tmp_path: Path, text: str) -> tuple[Space, dict[str, Any]]:
    file = tmp_path / "sweep.yaml"
    file.write_text(HEAD + text)
    sweep = load(file)
    jsonschema.Draft202012Validator(json_schema()).validate(read(file).data)
    return Space.parse(sweep.trial), sweep.base_config()


def test_families_stand_side_by_side_in_one_choice(tmp_path: Path) -> None:
    found, base = space(tmp_path, FAMILIES)
    built = {values["model"]: found.build(values, base) for values in found.combinations(lambda domain: domain.values() or (domain.low,))}
    assert {label: config.model.family for label, config in built.items()} == {
        "plain": "resnet", "wide": "wide_resnet", "early": "preact", "stack": "vgg", "mine": "builder",
    }  # fmt: skip
    assert built["plain"].dropout == 0.1
    assert isinstance(built["wide"].model, WideResNetConfig)
    assert (built["wide"].model.depth, built["wide"].model.width) == (16, 4)


def test_family_may_be_a_parameter_whose_fields_have_a_when(tmp_path: Path) -> None:
    found, base = space(tmp_path, PARAMETER)
    assert found.size() == 2 + 2 + 2
    assert [found.build(values, base).model.family for values in found.grid()] == ["resnet"] * 2 + ["preact"] * 2 + ["wide_resnet"] * 2


def test_arguments_of_a_builder_hold_domains_at_any_depth(tmp_path: Path) -> None:
    found, base = space(tmp_path, KWARGS)
    assert found.searched == (
        "model.builder", "model.kwargs.width", "model.kwargs.sizes.1", "model.kwargs.sizes.2", "model.kwargs.head.scale",
        "model.kwargs.act", "model.kwargs.act.beta",
    )  # fmt: skip
    config = found.build(
        {
            "model.builder": "nets:other", "model.kwargs.width": 8, "model.kwargs.sizes.1": 7, "model.kwargs.sizes.2": 1.0,
            "model.kwargs.head.scale": 0.5, "model.kwargs.act": "smooth", "model.kwargs.act.beta": 0.25,
        },
        base,
    )  # fmt: skip
    assert isinstance(config.model, BuilderConfig)
    assert config.model.builder == "nets:other"
    assert config.model.kwargs == {
        "width": 8,
        "sizes": [3, 7, 1.0],
        "head": {"kind": "linear", "scale": 0.5, "label": "kept"},  # a label of no option is an argument like any other
        "act": {"name": "gelu", "beta": 0.25},
        "nothing": None,
        "empty": {},
    }


@pytest.mark.parametrize("path", ["model.pool=2", "model.norm=group", "model.activation=silu"])
def test_override_reaches_a_field_of_the_family(tmp_path: Path, path: str) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(HEAD + "  model: {blocks: [1, 1], channels: 8}\n")
    name, _, value = path.partition("=")
    sweep = load(file, [f"trial.{path}"])
    config = Space.parse(sweep.trial).build({}, sweep.base_config())
    assert str(getattr(config.model, name.removeprefix("model."))) == value
