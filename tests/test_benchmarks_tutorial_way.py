"""The tutorial way: both sides are given the same configurations and the same images."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from wrong_calls import assert_refused

from benchmarks import tutorial_way
from search_spaces.load import load
from search_spaces.space import Space
from trainable.data.resident import resident

FIELDS = ("model", "optimizer", "lr", "momentum", "weight_decay", "batch_size")


def options(data: Path) -> argparse.Namespace:
    return argparse.Namespace(data=data, configurations=5, images=200, epochs=3, slots=2)


def test_both_sides_have_the_same_configurations(tmp_path: Path) -> None:
    (tmp_path / "train-0.parquet").touch()  # whose images nobody looks at
    (tmp_path / "test-0.parquet").touch()
    given = options(tmp_path)
    ours, theirs = tutorial_way.task_of(given, seed=1)
    file = tmp_path / "tutorial-way.yaml"
    file.write_text(json.dumps(ours))
    sweep = load(file, [])
    space = Space.parse(sweep.trial)
    configs = [space.build(values, sweep.base_config()) for values in ours["search"]["configurations"]]
    assert len(configs) == 5
    assert [{name: json.loads(config.model_dump_json())[name] for name in FIELDS} for config in configs] == theirs["configurations"]
    assert {(config.schedule, config.max_epochs, config.augment.crop, config.augment.flip) for config in configs} == {
        ("cosine", 3, 4, True)
    }
    assert tutorial_way.task_of(given, seed=2)[1]["configurations"] != theirs["configurations"]


@pytest.mark.slow
def test_both_sides_have_the_same_images(cifar10_jpeg: Path, tmp_path: Path) -> None:
    given = options(cifar10_jpeg.absolute())
    file = tmp_path / "tutorial-way.yaml"
    file.write_text(json.dumps(tutorial_way.task_of(given, seed=0)[0]))
    sweep = load(file, [])
    tutorial_way.arrays(given, tmp_path / "images.npz")
    data = resident(sweep.data, torch.device("cpu"))
    with np.load(tmp_path / "images.npz") as arrays:
        assert np.array_equal(arrays["train_images"], data.train_images_NHWC.numpy())
        assert np.array_equal(arrays["val_labels"], data.val_labels_N.numpy())
        assert arrays["train_images"].shape == (200, 32, 32, 3)
        assert arrays["val_images"].shape == (50, 32, 32, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: --data"),
        (["--data", "absent"], "has no train*.parquet, must be a folder of CIFAR-10"),
    ],
)
def test_a_call_without_images_ends_with_2_and_says_what_to_put_where(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_refused(tutorial_way.main, arguments, message, capsys)
