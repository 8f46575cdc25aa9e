"""Toy-sized sweeps keep the structure of the real ones and lose their length."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from search_spaces.load import load
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from tests.sweeps import make_sweep
from tuner.smoke import small

FOLDER = Path(__file__).parents[1] / "search_spaces"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_sweep_at_toy_size_is_a_valid_sweep_over_the_same_space(name: str, tmp_path: Path) -> None:
    (tmp_path / "train-00000-of-00001.parquet").touch()
    sweep = load(FOLDER / f"{name}.yaml", [] if name == "digits" else ["data.name=parquet", f"data.path={tmp_path}"])
    toy = Sweep.model_validate(small(sweep).model_dump(mode="json"))
    assert toy.name == f"{sweep.name}-smoke"
    assert toy.trial == sweep.trial
    assert toy.search.trials == 4
    assert type(toy.scheduler.rule) is type(sweep.scheduler.rule)
    space = Space.parse(toy.trial)
    for seed in range(20):
        config = space.build(space.sample(Random(seed)), toy.base_config())
        assert config.batch_size <= (toy.data.train_examples or 0)
        assert config.max_epochs <= 3


@pytest.mark.parametrize(
    ("scheduler", "first"),
    [
        ({"asha": {"max_epochs": 500, "eta": 4}}, "min_epochs"),
        ({"hyperband": {"max_epochs": 81, "brackets": 3}}, "min_epochs"),
        ({"median": {"max_epochs": 50}}, "grace_epochs"),
    ],
)
def test_a_rule_keeps_its_kind_and_gets_one_rung_behind_the_first_epoch(scheduler: dict[str, Any], first: str) -> None:
    toy = Sweep.model_validate(small(make_sweep(trials=64, scheduler=scheduler)).model_dump(mode="json"))
    assert (toy.max_epochs, getattr(toy.scheduler.rule, first)) == (2, 1)


def test_a_warm_up_is_kept_so_the_horizon_is_longer_than_it() -> None:
    trial = {"model": {"family": "resnet", "blocks": [1], "channels": 8}, "lr": 0.1, "warmup_epochs": {"choice": [1, 5]}}
    assert small(make_sweep(trial=trial, search={"sampler": "grid"})).max_epochs == 6


def test_images_suffice_for_the_largest_batch_and_never_exceed_what_the_sweep_takes() -> None:
    trial = {"model": {"family": "resnet", "blocks": [1], "channels": 8}, "lr": 0.1, "batch_size": {"choice": [16, 512]}}
    assert small(make_sweep(trial=trial, search={"sampler": "grid"})).data.train_examples == 512
    few = make_sweep(data={"name": "digits", "train_examples": 40})
    assert small(few).data.train_examples == 40


def test_the_budget_goes_and_one_final_with_one_seed_stays() -> None:
    sweep = make_sweep(budget={"epochs": 1}, final={"top": 4, "epochs": 200, "seeds": [3, 4, 5], "overrides": {"dropout": 0.2}})
    toy = small(sweep)
    assert toy.budget.epochs is None
    assert toy.final is not None
    assert (toy.final.top, toy.final.epochs, toy.final.seeds, toy.final.overrides) == (1, 2, (0,), {"dropout": 0.2})


def test_a_name_as_long_as_names_may_be_stays_a_name() -> None:
    toy = Sweep.model_validate(small(make_sweep(name="x" * 100)).model_dump(mode="json"))
    assert len(toy.name) == 100
    assert toy.name.endswith("-smoke")


def test_confirmation_and_an_ensemble_of_two_are_gone_through_as_well() -> None:
    toy = small(make_sweep(final={"top": 3, "confirm": {"top": 5, "seeds": 9}, "ensemble": True, "gates": {"confirmed": True}}))
    assert toy.final is not None
    assert toy.final.confirm is not None
    assert (toy.final.confirm.top, toy.final.confirm.seeds, toy.final.seeds) == (2, 1, (0, 1))
    assert toy.final.ensemble is not None
