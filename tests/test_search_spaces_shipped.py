"""The sweeps that come with the project load, build, and say what they are meant to say."""

from functools import cache
from pathlib import Path
from random import Random

import pytest

from search_spaces.checks import warnings
from search_spaces.load import load
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.cost import measure
from tuner.plan import plan

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


STRUCTURES = {
    "structure-1": 4_977_226,
    "structure-2": 4_980_298,
    "structure-3": 4_984_906,
    "structure-4": 4_991_050,
    "structure-5": 4_998_730,
    "structure-6": 4_967_754,
    "structure-7": 4_896_394,
    "structure-8": 4_837_962,
    "structure-9": 4_972_682,
}
COMBINATIONS = {
    "combination-1": 2_811_818,
    "combination-2": 4_935_434,
    "combination-3": 4_903_242,
    "combination-4": 3_585_802,
    "combination-5": 4_771_146,
    "combination-6": 4_327_754,
    "combination-7": 4_401_226,
    "combination-8": 1_119_562,
}


@pytest.mark.parametrize(("name", "published"), [("resnet_combinations", COMBINATIONS), ("structures_by_optimizer", STRUCTURES)])
def test_networks_of_studies_a_and_c_have_the_published_numbers_of_parameters(name: str, published: dict[str, int]) -> None:
    sweep = load(FOLDER / f"{name}.yaml")
    space = Space.parse(sweep.trial)
    counted = {}
    for number in range(400):
        model = space.build(space.sample(Random(number)), sweep.base_config()).model
        if model.label not in counted:
            counted[model.label] = measure(model, (3, 32, 32), 10).parameters
    assert counted == published


def test_asha_searches_the_structures_that_the_grid_crosses() -> None:
    crossed, halved = load(FOLDER / "structures_by_optimizer.yaml"), load(FOLDER / "structures_asha.yaml")
    assert halved.trial | {"schedule": None} == crossed.trial | {"schedule": None}


def test_study_c_crosses_everything_and_gives_each_optimizer_its_own_rate() -> None:
    sweep = load(FOLDER / "structures_by_optimizer.yaml")
    configs = [Space.parse(sweep.trial).build(values, sweep.base_config()) for values in Space.parse(sweep.trial).grid()]
    assert len(configs) == 90
    assert {(config.optimizer, config.lr) for config in configs} == {
        ("adam", 1e-3), ("adadelta", 1.0), ("adagrad", 1e-2), ("sgd", 0.1), ("nesterov", 0.1),
    }  # fmt: skip
    assert {(config.weight_decay, config.max_epochs) for config in configs} == {(5e-4, 500)}


def test_every_step_of_study_d_is_32_images_whatever_the_batch() -> None:
    sweep = load(FOLDER / "squeeze_excitation_tpe.yaml")
    space = Space.parse(sweep.trial)
    configs = [space.build(space.sample(Random(seed)), sweep.base_config()) for seed in range(40)]
    assert {config.batch_size * config.accumulation for config in configs} == {32}


def test_study_e_ends_in_four_stages_and_a_small_search() -> None:
    sweep = load(FOLDER / "onecycle_lookahead.yaml")
    space = Space.parse(sweep.trial)
    model = space.build({"model": "plain", "lr": 0.1, "lookahead_k": 5}, sweep.base_config()).model
    assert measure(model, (3, 32, 32), 10).parameters == 4_994_218
    assert sweep.final is not None
    assert [stage.epochs for stage in sweep.final.stages] == [50, 50, 50, 50, 5]
    last = sweep.final.stages[-1].search
    assert last is not None
    assert last.trials == 5


def test_every_network_of_our_own_search_keeps_the_limit() -> None:
    sweep = load(FOLDER / "five_million.yaml")
    space = Space.parse(sweep.trial)
    networks = {
        config.model.label: config.model for seed in range(60) for config in [space.build(space.sample(Random(seed)), sweep.base_config())]
    }
    assert len(networks) == len(list(space.part("model").grid()))
    assert max(measure(model, (3, 32, 32), 10).parameters for model in networks.values()) <= 5_000_000


def test_small_cifar_sweep_without_its_folder_says_how_to_give_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"cifar10_small\.yaml:\d+:3: data\.path: .* give it with -s data\.path=FOLDER"):
        load(FOLDER / "cifar10_small.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_shipped_sweep_can_be_planned_without_its_images(name: str, tmp_path: Path) -> None:
    sweep = shipped(name, tmp_path)
    count = cache(lambda model: measure(model, (3, 32, 32), 10))
    found = plan(sweep, lambda config: count(config.model), workers=2, place=(name, 0, 0), speed=None, price=None)
    assert 0 < found.epochs <= found.epochs_in_full
    assert all(one.parameters <= (sweep.constraints.max_parameters or 50_000_000) for one in found.architectures)
