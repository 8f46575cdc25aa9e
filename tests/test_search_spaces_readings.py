"""What names in expressions stand for: what the built configuration says."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.constraint_checks import faults
from search_spaces.readings import Names
from search_spaces.space import Space

BASE = {"data": {"name": "digits", "validation": 0.2}, "max_epochs": 3, "metric": "val_accuracy", "seed": 7}
TREE: dict[str, Any] = {
    "model": {
        "choice": [
            {"label": "wide", "family": "wide_resnet", "depth": {"choice": [10, 16]}, "width": 2},
            {"label": "deep", "blocks": [{"randint": [1, 3]}, 2], "channels": {"randint": [8, 9]}, "dropout": {"uniform": [0, 0.5]}},
            {"label": "list", "family": "preact", "blocks": {"choice": [[1, 1], [2]]}, "channels": 8, "block_dropout": 0.25},
            {"label": "own", "builder": "nets:make", "kwargs": {"width": {"choice": [1, 2]}}},
        ]
    },
    "optimizer": {"choice": ["sgd", "adam", "rmsprop"]},
    "lr": [{"loguniform": [1e-3, 1e-1], "when": {"optimizer": "sgd"}}, {"value": 1e-3, "when": {"optimizer": ["adam", "rmsprop"]}}],
    "momentum": {"value": 0.5, "when": {"optimizer": "sgd", "model": ["deep", "own"]}},
    "schedule": {"choice": ["cosine", "multistep"]},
    "lookahead_k": {"choice": [0, 5]},
    "accumulation": {"choice": [2, 4], "when": {"lookahead_k": 5}},
    "augment": {"choice": [{"label": "off", "crop": 0}, {"label": "on", "crop": {"randint": [1, 2]}, "flip": True}]},
}
NAMES = [
    *("lr", "optimizer", "momentum", "beta1", "alpha", "schedule", "milestones", "lr_floor", "lookahead_k", "lookahead_alpha", "dropout"),
    *("accumulation", "batch_size", "augment.crop", "augment.flip", "augment.erasing", "model.label", "model.family", "model.blocks"),
    *("model.channels", "model.depth", "model.width", "model.stem_kernel", "model.norm", "model.block_dropout", "model.kwargs.width"),
    *("max_epochs", "seed", "metric", "data.name", "data.validation", "weight_decay", "precision", "patience", "normalize"),
]


def configured(config: Any, path: str) -> Any:
    content = config.model_dump(mode="json")
    content.setdefault("normalize", True)  # left out of what is stored while it has its default
    for key in path.split("."):
        content = content.get(key, getattr(config.model, key, None)) if isinstance(content, dict) else None
    return content


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_every_name_reads_what_the_configuration_has(seed: int) -> None:
    space = Space.parse(TREE)
    names = Names(space, BASE)
    values = space.sample(Random(seed))
    config = space.build(values, BASE)
    known = space.known(values)
    for path in NAMES:
        reading = names.reading(path)
        assert reading is not None, path
        expected = getattr(config.augment, path.partition(".")[2]) if path.startswith("augment.") else configured(config, path)
        found = reading.value(known)
        assert (list(found) if isinstance(found, tuple) else found) == expected, path
    model, augment = names.reading("model"), names.reading("augment")
    assert model is not None
    assert augment is not None
    assert (model.value(known), augment.value(known)) == (values["model"], values["augment"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch_size * acumulation <= 512", (14, "unknown name acumulation", "did you mean accumulation?")),
        ("channels < 3", (1, "unknown name channels", "did you mean model.channels?")),
        ("1 < parameter", (5, "unknown name parameter", "did you mean parameters?")),
        ("lr < data", (6, "data, which is a mapping", "must be one of its fields, such as data.label")),
        ("optimizer == 'sdg'", (14, "'sdg', which optimizer never is", "did you mean sgd?")),
        ("'wide' != model and model not in ['depp']", (35, "'depp', which model never is", "did you mean deep?")),
        ("lr < 'a'", (1, "a number < text", "must be two of one kind")),
        ("lr + optimizer < 3", (6, "optimizer, which is text", "must be a number for +")),
        ("lr and augment.flip", (1, "lr, which is a number", "must be true or false for and")),
        ("lr + 1", (1, "a number", "must be true or false, such as a comparison")),
        ("sum(lr) < 1", (5, "lr, which is a number", "must be a list for sum")),
        ("1 < 2", (1, "an expression without a name", "must look at a field such as batch_size, or at parameters")),
        ("momentum == null", None),
        ("sum(model.blocks) < 9 and model.blocks[0] > 1", None),
        ("model.kwargs.width > 1 or memory_bytes + flops_per_image < 3", None),
    ],
)
def test_what_can_never_be_meant_is_found_before_anything_runs(text: str, message: tuple[int, str, str] | None) -> None:
    found = list(faults(text, Names(Space.parse(TREE), None)))
    assert [(fault.column, fault.seen, fault.required) for fault in found] == ([] if message is None else [message])
