"""Finals put together, on an object store: what is selected, refused, handed over and counted. Ray alone is left out of it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import object_stores
import pytest
import torch
from command_line import caller
from deliveries import delivered, finished_sweep
from object_stores import machine
from PIL import Image
from test_tuner_finals import NOWHERE

from results import journal
from results.history import History
from results.storage import Storage
from search_spaces.final_options import EnsembleOptions, GateOptions
from trainable.config.data import DataConfig
from trainable.data.resident import resident
from trainable.final.published import load
from tuner import ensemble_pool, ensemble_text, ensembles, lineage, ray_cluster
from tuner.ensembles import Outcome
from tuner.errors import GateRefused, UsageError
from tuner.session import stored
from tuner.verify import find_final, verify

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
ADDRESS = "s3://sweeps/ensembles/tiny"  # of its own: the server keeps what other tests of this process stored


@pytest.fixture(scope="module")
def here() -> Iterator[pytest.MonkeyPatch]:
    """The worker's tasks in this process: what they do is real, who calls them is not."""
    from tuner import ray_ensemble

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ensembles, "connect", lambda resources, workplace: None)
        patch.setattr(ray_cluster, "nodes", lambda: [{"CPU": 2.0}])

        def answered(work: Callable[..., Any], slots: Any, *arguments: Any) -> Any:
            answer = ray_ensemble._answered(work, slots.cpus, *arguments)
            assert isinstance(answer, dict), answer
            return answer

        patch.setattr(ray_ensemble, "_remotely", answered)
        yield patch


@pytest.fixture(scope="module")
def sweep(here: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Two finals, on an object store, and a third one that has learned from the validation images."""
    with object_stores.server(), machine(tmp_path_factory.mktemp("machine")):
        place = finished_sweep(Storage.at(ADDRESS))
        for seed in (1, 2):
            delivered(place, "t00001", seed=seed, epochs=15)  # of which validation makes a mean; of seeds 0 and 1 it would keep one alone
        delivered(place, "t00002", train_on="all")
        yield place


def make(place: Storage, *, max_members: int = 25, **gates: Any) -> Outcome:
    history = History.of(journal.read(place))
    return ensembles.make(
        stored(place), place, history, ensemble_pool.offered(place), EnsembleOptions(max_members=max_members), GateOptions(**gates),
        latency_ms=lambda config: 7.0, workplace=NOWHERE, author="ada",
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(sweep: Storage) -> Outcome:
    return make(sweep)


def read(place: Storage, name: str) -> Any:
    return json.loads(place.read(name))


def test_members_weights_cost_and_gain_are_told_and_the_look_at_the_test_split_is_counted(made: Outcome, sweep: Storage) -> None:
    assert made.storage is not None
    metrics, told = read(made.storage, "metrics.json"), read(made.storage, "lineage.json")
    assert [member["share"] for member in metrics["members"]] == [share for _, share in made.members]
    assert sum(member["share"] for member in metrics["members"]) == pytest.approx(1)
    assert metrics["parameters"] == sum(member["parameters"] for member in metrics["members"]) > 1_000
    assert metrics["gain"]["loss"]["low"] < metrics["gain"]["loss"]["mean"] > 0
    assert [row["images"] for row in metrics["speed"]["batches"]] == [1, 256]
    assert metrics["test"]["calibrated"]["temperature"] == metrics["validation"]["views"]["plain"]["temperature"] != 1
    assert set(metrics["programs"]) == {"model.pt2", "model.onnx"}
    assert len(told["test_split"]["readings"]) == 1
    assert len(told["test_split"]["earlier_readings"]) == 3
    assert len(lineage.readings(sweep)) == 4
    selected = read(sweep, told["selection"])
    assert [member["weights"] for member in told["members"]] == [
        selected["candidates"][number]["weights"] for number, _ in selected["shares"]
    ]
    notes = [note.text for note in History.of(journal.read(sweep)).notes]
    assert len(notes) == 2
    assert made.storage.root.name in notes[1]
    card = made.storage.read("README.md").decode()
    assert all(f"| {share:.0%} | {candidate.final} |" in card for candidate, share in made.members)
    assert f"{metrics['gain']['accuracy']['mean'] * 100:+.2f} (" in card
    assert list(made.pool.left_out.values()) == ["learned from the validation images, so that nothing says what it adds"]


def test_same_ensemble_again_reads_nothing_and_an_ensemble_is_no_candidate(made: Outcome, sweep: Storage) -> None:
    again = make(sweep)
    assert not again.made_now
    assert len(again.pool.candidates) == 2
    assert again.storage is not None
    assert made.storage is not None
    assert again.storage.root == made.storage.root
    assert len(lineage.readings(sweep)) == 4


def test_final_and_ensemble_arrive_whole_where_another_machine_verifies_them_and_classifies_by_them(
    made: Outcome, sweep: Storage, tmp_path: Path
) -> None:
    assert made.storage is not None
    single = made.members[0][0].final
    images = resident(DataConfig(name="digits", validation=200, train_examples=600), CPU).val_images_NHWC[:3]
    (tmp_path / "photos").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image.squeeze(2).numpy()).save(tmp_path / "photos" / f"{number}.png")
    object_stores.forget()
    with machine(tmp_path / "another"):
        for name in (single, made.storage.root.name):
            address = f"{ADDRESS}/finals/{name}"
            keys = {key.rpartition(f"{name}/")[2] for key in object_stores.keys(f"ensembles/tiny/finals/{name}/")}
            place = find_final(address, Path("runs"))
            listed = {line.partition("  ")[2] for line in place.read("checksums.sha256").decode().splitlines()}
            assert {"README.md", "model.onnx", "model.pt2", "model.py", "model.safetensors", "metrics.json"} <= listed <= keys
            assert verify(place).good
            assert [one.same for one in verify(place).compared] == [True]
            done = subprocess.run(
                [sys.executable, "-c", "from tuner.cli.main import main; main()", "predict", address, "photos"],
                capture_output=True, text=True, cwd=tmp_path, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            model = load(place.root, CPU)
            expected = [model.classes[int(row.argmax())] for row in model.probabilities(images)]
            assert [row.split(",")[1] for row in done.stdout.splitlines()[1:]] == expected
    object_stores.forget()


def test_gates_are_held_against_the_sum_and_refuse_before_the_test_split_is_read(made: Outcome, sweep: Storage) -> None:
    assert made.storage is not None
    parameters = made.metrics["parameters"]
    with pytest.raises(GateRefused, match=rf"max_parameters: seen {parameters:,} in all, required <= {parameters - 1:,}"):
        make(sweep, max_parameters=parameters - 1)
    with pytest.raises(GateRefused, match=r"max_latency_ms: seen 14 ms in all, required <= 10 ms"):
        make(sweep, max_latency_ms=10)
    with pytest.raises(GateRefused, match=r"no ensemble was made\n  ensemble: min_val_accuracy: seen .* required >= 100.00%"):
        make(sweep, min_val_accuracy=1.0)
    assert len(lineage.readings(sweep)) == 4


def test_one_run_that_is_left_alone_is_said_to_be_and_nothing_is_made(made: Outcome, sweep: Storage) -> None:
    """As a selection says it that another set of runs has led to."""
    alone = Outcome(pool=made.pool, selection=made.selection, members=made.members[:1], storage=None, metrics={}, made_now=False)
    lines = ensemble_text.selected(alone)
    assert lines[-1].startswith(f"validation keeps {made.members[0][0].name} alone, of 2 runs: no mean with another")
    record = read(made.storage or sweep, "lineage.json")["selection"]
    kept = {**made.selection, "shares": [[0, 1.0]], "passed_over": []}
    before = sweep.read(record)
    sweep.write_atomic(record, json.dumps(kept).encode())
    outcome = make(sweep)
    assert (outcome.storage, len(outcome.members)) == (None, 1)
    sweep.write_atomic(record, before)


def test_fewer_than_two_runs_are_refused_with_what_to_do(made: Outcome, sweep: Storage) -> None:
    learned = next(iter(made.pool.left_out))
    with pytest.raises(UsageError, match=r"no trained run to choose from \(none\); .* learned from .* promote tiny --top 3"):
        ensemble_pool.require_two(ensemble_pool.offered(sweep, [learned]), "tiny")


def test_dry_run_and_refusals_on_the_command_line(
    made: Outcome, sweep: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = caller(monkeypatch, capsys)
    code, out, _ = call("ensemble", ADDRESS, "--dry-run")
    assert code == 0
    assert out.startswith("at most 25 of these 2 runs, selected on validation")
    assert "nothing was selected: --dry-run" in out
    code, out, _ = call("ensemble", ADDRESS, "-o", "json")
    told = json.loads(out)
    assert (code, told["final"], len(told["selection"]["members"])) == (0, made.metrics["final"], 2)
    assert call("ensemble", ADDRESS, "--max-members", "1")[0] == 2
