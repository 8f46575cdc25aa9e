"""The sweeps that come with the project load, build, and say what they are meant to say."""

from pathlib import Path
from random import Random

import pytest

from search_spaces.checks import warnings
from search_spaces.load import load
from search_spaces.space import Space
from search_spaces.sweep import Sweep

FOLDER = Path(__file__).parents[1] / "search_spaces"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def shipped(name: str, folder: Path) -> Sweep:
    """Load a shipped sweep; one over parquet files gets an empty folder that looks like its data."""
    if name != "cifar10_small":
        return load(FOLDER / f"{name}.yaml")
    (folder / "train-00000-of-00001.parquet").touch()
    return load(FOLDER / f"{name}.yaml", [f"data.path={folder}"])


@pytest.mark.parametrize("name", NAMES)
def test_shipped_sweep_loads_without_a_warning_and_its_candidates_build(name: str, tmp_path: Path) -> None:
    sweep = shipped(name, tmp_path)
    assert warnings(sweep) == []
    space = Space.parse(sweep.trial)
    for seed in range(50):
        space.build(space.sample(Random(seed)), sweep.base_config())


def test_study_a_is_searched_as_it_was_published() -> None:
    sweep = load(FOLDER / "resnet_combinations.yaml")
    space = Space.parse(sweep.trial)
    assert len(list(space.part("model").grid())) == 8
    assert space.searched == ("model", "optimizer", "lr", "batch_size")
    assert (sweep.max_epochs, sweep.constraints.max_parameters) == (25, 5_000_000)
    config = space.build({"model": "combination-6", "optimizer": "sgd", "lr": 0.01809, "batch_size": 128}, sweep.base_config())
    assert (config.model.blocks, config.model.channels, config.model.stem_channels) == ((3, 3, 3), 64, 64)
    assert config.momentum == 0.9
    final = sweep.final
    assert final is not None
    assert (final.top, final.epochs, final.overrides) == (4, 200, {"dropout": 0.2, "schedule": "cosine"})


def test_small_cifar_sweep_without_its_folder_says_how_to_give_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"cifar10_small\.yaml:\d+:3: data\.path: .* give it with -s data\.path=FOLDER"):
        load(FOLDER / "cifar10_small.yaml")
