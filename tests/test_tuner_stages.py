"""Stages that hand weights on, and what the last one leaves: simulated runs with exports made up by hand."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import object_stores
import pytest
from small_disks import mounted
from sweeps import START, by_quality, flat_cost
from test_tuner_finals import first, searched

from results import journal
from results.history import History
from results.storage import Storage
from search_spaces.final_options import FinalOptions
from search_spaces.sweep import ResourceOptions
from tuner import final_plan, finals, lineage, stages
from tuner.errors import SweepFailed
from tuner.final_plan import FinalPlan
from tuner.session import hold
from tuner.simulate import simulate

SEARCH = {"trials": 3, "parameters": {"lr": {"loguniform": [1e-6, 1e-2]}}}


def planned(**options: Any) -> FinalPlan:
    sweep, history = searched()
    return final_plan.plan(sweep, first(history, sweep), FinalOptions.model_validate(options), ResourceOptions())


def train(plan: FinalPlan, place: Storage, stage: int, *, diverging: tuple[int, ...] = ()) -> Storage:
    """Train a stage with simulated workers; exports hold the run's own name. A run's first epoch is its best."""
    here = stages.place_of(plan, place, stage)
    with hold(stages.begin(plan, place, stage), here, source=None, cost=flat_cost) as session:
        session.start(2)

        def curves(job: Any, epoch: int) -> dict[str, float | None]:
            if job.config.seed in diverging:
                return {"score": None}
            score = by_quality(stage)(job, 3)["score"]
            assert score is not None
            return {"score": score / epoch, "val_accuracy": score / epoch, "val_loss": 1.0}

        simulate(session.search, curves, num_workers=2, start_s=START)
        for run in stages.trained(session.search.history):
            weights = f"{here.root} {run.trial}".encode()
            here.write_atomic(f"trials/{run.trial}/export/model.safetensors", weights)
            here.write_atomic(f"trials/{run.trial}/export/model.py", b"pass\n")
            about = {"epoch": 1, "weights": hashlib.sha256(weights).hexdigest(), "train_fingerprint": "t" * 64}
            here.write_atomic(f"trials/{run.trial}/export/run.json", json.dumps(about).encode())
    return here


def test_and_finish(plan: FinalPlan, place: Storage) -> History:
    """Do what follows the last stage; the test split is what it is made up to be."""
    _, history = searched()
    options = stages.begin(plan, place, plan.num_stages - 1)
    with hold(options, place, source=None, cost=flat_cost) as session:
        runs = session.search.history
        kept = stages.kept(plan, place, runs)
        figures = {"test_accuracy": 0.9, "test_accuracy_low": 0.8, "test_accuracy_high": 0.95, "test_loss": 0.3, "test_examples": 100}
        record = {"chosen": kept[0].trial, "weights": {}, "opened_at": ["2026-11-21T10:00:00.000+00:00"], "fingerprint": "f" * 64,
                  "figures": {run.trial: figures for run in kept}}  # fmt: skip
        place.write_atomic("test.json", json.dumps(record).encode())
        session.search.record(*finals.tested(place, runs, record))
        finals.finish(plan, place, runs, history)
        return runs


test_and_finish.__test__ = False  # type: ignore[attr-defined]  # its name begins as a test's


def place_for(folder: Path, plan: FinalPlan) -> Storage:
    return Storage(folder / "digits" / "finals" / plan.name)


def initial(plan: FinalPlan, place: Storage, stage: int) -> dict[str, bytes]:
    here = stages.place_of(plan, place, stage)
    history = History.of(journal.read(here))
    (digest,) = {run.config["initial"] for run in history.trials.values()}
    return {path.stem: path.read_bytes() for path in here.path(f"trials/initial/{digest}").iterdir()}


def test_each_seed_goes_on_from_its_own_best_run(tmp_path: Path) -> None:
    plan = planned(seeds=[0, 1], stages=[{"epochs": 2, "search": SEARCH}, {"epochs": 2}])
    place = place_for(tmp_path, plan)
    before = train(plan, place, 0)
    train(plan, place, 1)
    runs = History.of(journal.read(before)).trials.values()
    best = {seed: max((run for run in runs if run.config["seed"] == seed), key=lambda run: run.curve[1].val_accuracy) for seed in (0, 1)}
    assert len(list(runs)) == 6
    assert initial(plan, place, 1) == {str(seed): f"{before.root} {run.trial}".encode() for seed, run in best.items()}


def test_seed_that_diverges_has_no_further_stage_and_the_others_go_on(tmp_path: Path) -> None:
    plan = planned(seeds=[0, 1, 2], stages=[{"epochs": 2}, {"epochs": 2}])
    place = place_for(tmp_path, plan)
    train(plan, place, 0, diverging=(1,))
    train(plan, place, 1)
    assert set(initial(plan, place, 1)) == {"0", "2"}
    assert [run.config["seed"] for run in History.of(journal.read(place)).trials.values()] == [0, 2]


def test_begun_stage_is_found_again_and_nothing_of_it_changes(tmp_path: Path) -> None:
    plan = planned(seeds=[0, 1], stages=[{"epochs": 2}, {"epochs": 2}])
    place = place_for(tmp_path, plan)
    train(plan, place, 0)
    assert stages.begin(plan, place, 1).hash() == stages.begin(plan, place, 1).hash()


def test_final_holds_the_run_that_validation_prefers_and_tells_of_every_stage(tmp_path: Path) -> None:
    plan = planned(seeds=[0, 1], stages=[{"epochs": 2, "overrides": {"lr": 0.01}}, {"epochs": 3, "search": SEARCH}])
    place = place_for(tmp_path, plan)
    train(plan, place, 0)
    train(plan, place, 1)
    runs = test_and_finish(plan, place)
    metrics, told = json.loads(place.read("metrics.json")), json.loads(place.read("lineage.json"))
    accuracies = {run.trial: run.curve[1].val_accuracy for run in runs.trials.values()}
    assert [run["seed"] for run in metrics["runs"]] in ([0, 1], [1, 0]), "the best of each seed was tested, not every candidate"
    best = max(accuracies, key=accuracies.__getitem__)
    assert metrics["runs"][0]["trial"] == best
    assert metrics["val_accuracy"] == accuracies[best]
    assert (metrics["epochs"], metrics["epoch"]) == (5, 1)
    assert place.read("model.safetensors") == place.read(f"trials/{best}/export/model.safetensors")
    assert [stage["journal"] for stage in told["stages"]] == ["stages/01", "."]
    assert told["stages"][1]["kept"] == best
    assert told["stages"][1]["values"]["lr"] == runs.trials[best].config["lr"]
    assert "in 2 stages (2 + 3)" in place.read("README.md").decode()


def test_second_final_of_a_sweep_says_how_often_the_test_split_was_looked_at(tmp_path: Path) -> None:
    for number, seed in enumerate((0, 1)):
        plan = planned(epochs=2, seeds=[seed])
        place = place_for(tmp_path, plan)
        train(plan, place, 0)
        test_and_finish(plan, place)
        told = json.loads(place.read("lineage.json"))["test_split"]
        assert [reading["final"] for reading in told["readings"]] == [plan.name]
        assert len(told["earlier_readings"]) == number
    found = lineage.readings(Storage(tmp_path / "digits"))
    assert len({reading.final for reading in found}) == 2
    place.root.rename(place.root.with_name(f"{place.root.name}.failed-1"))
    assert len(lineage.readings(Storage(tmp_path / "digits"))) == 2, "what was seen stays seen"


def test_training_on_all_keeps_the_lowest_seed_and_claims_no_validation(tmp_path: Path) -> None:
    plan = planned(epochs=2, seeds=[3, 1, 2], train_on="all")
    place = place_for(tmp_path, plan)
    train(plan, place, 0)
    test_and_finish(plan, place)
    metrics = json.loads(place.read("metrics.json"))
    assert (metrics["seed"], metrics["val_accuracy"], metrics["val_loss"], metrics["train_on"]) == (1, None, None, "all")
    assert "none: its images were learned from" in place.read("README.md").decode()


@pytest.mark.parametrize("name", ["run.json", "model.safetensors"])
def test_export_that_is_gone_is_named_and_nothing_is_published(tmp_path: Path, name: str) -> None:
    plan = planned(epochs=2, seeds=[0])
    place = place_for(tmp_path, plan)
    train(plan, place, 0)
    place.path(f"trials/t00001/export/{name}").unlink()
    with pytest.raises(SweepFailed, match=rf"{name} is gone, t00001 had exported it; put it back, or move the final's folder away"):
        test_and_finish(plan, place)
    assert not place.exists("metrics.json")


def test_weights_of_an_earlier_stage_that_are_gone_are_named(tmp_path: Path) -> None:
    plan = planned(seeds=[0], stages=[{"epochs": 2}, {"epochs": 2}])
    place = place_for(tmp_path, plan)
    before = train(plan, place, 0)
    before.path("trials/t00001/export/model.safetensors").unlink()
    with pytest.raises(SweepFailed, match=r"stages/01/trials/t00001/export/model\.safetensors is gone"):
        stages.begin(plan, place, 1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with 400 KiB."""
    with mounted(tmp_path / "disk", "400k") as folder:
        yield folder


def test_full_disk_leaves_no_half_of_a_final_and_the_same_again_completes_it(small_disk: Path) -> None:
    plan = planned(epochs=2, seeds=[0])
    place = place_for(small_disk, plan)
    train(plan, place, 0)
    weights = bytes(100_000)
    place.write_atomic("trials/t00001/export/model.safetensors", weights)
    ballast = small_disk / "ballast"
    disk = os.statvfs(small_disk)
    ballast.write_bytes(bytes(disk.f_bavail * disk.f_frsize - 40_960))  # leaves room for the journal and the figures, not for the weights
    with pytest.raises(OSError, match="No space left"):
        test_and_finish(plan, place)
    assert not place.exists("metrics.json")
    assert not place.exists("model.safetensors")
    assert not [path.name for path in place.root.iterdir() if path.name.startswith(".model")]
    ballast.unlink()
    test_and_finish(plan, place)
    assert place.read("model.safetensors") == weights
    assert place.exists("metrics.json")


@pytest.mark.slow
def test_stages_hand_weights_on_through_an_object_store(tmp_path: Path) -> None:
    plan = planned(seeds=[0, 1], stages=[{"epochs": 2}, {"epochs": 2}])
    with object_stores.server(), object_stores.machine(tmp_path / "driver"):
        place = Storage.at(f"s3://sweeps/runs/digits/finals/{plan.name}")
        before = train(plan, place, 0)
        train(plan, place, 1)
        test_and_finish(plan, place)
        with object_stores.machine(tmp_path / "elsewhere"):
            worker = Storage.at(place.address, follow=False)
            (digest,) = {run.config["initial"] for run in History.of(journal.read(Storage.at(place.address))).trials.values()}
            handed = {path.stem: path.read_bytes() for path in worker.fetch(f"trials/initial/{digest}").iterdir()}
            published = Storage.at(place.address).read("model.safetensors")
    assert set(handed) == {"0", "1"}
    assert all(weights.startswith(f"{before.root} ".encode()) for weights in handed.values())
    assert published
