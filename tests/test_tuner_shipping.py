"""The user's own network in a sweep: its files are found, kept, part of what the sweep is, and used by whoever trains."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sweeps import make_sweep
from test_tuner_ray_driver import call

from results.storage import Storage
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.errors import ModelError
from tuner import shipping
from tuner.errors import UsageError
from tuner.run import cost_counter
from tuner.session import hold, stored

NETS = """
from torch import nn
import my_layers

def make(width, in_channels, num_classes):
    head = nn.Linear(width, num_classes)
    return nn.Sequential(my_layers.first(in_channels, width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
"""
LAYERS = """
from torch import nn

def first(in_channels, width):
    return nn.Conv2d(in_channels, width, 3)
"""
SWEEP = """
name: mine
data: {name: digits, validation: 200, train_examples: 300}
trial:
  model: {builder: "my_nets:make", kwargs: {width: {choice: [4, 8]}}}
  lr: 0.1
search: {sampler: grid}
scheduler: {asha: {min_epochs: 1, max_epochs: 3, eta: 3}}
final: {epochs: 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "my_nets.py").write_text(NETS)
    (tmp_path / "my_layers.py").write_text(LAYERS)
    (tmp_path / "mine.yaml").write_text(SWEEP)
    before, modules = list(sys.meta_path), set(sys.modules)
    yield tmp_path
    sys.meta_path[:] = before
    for name in set(sys.modules) - modules:
        if name.startswith("my_"):
            del sys.modules[name]


def mine(**changes: object) -> Sweep:
    model = {"builder": "my_nets:make", "kwargs": {"width": {"choice": [4, 8]}}} | changes
    return make_sweep(trial={"model": model, "lr": 0.1})


@pytest.mark.parametrize(
    "model",
    [
        {"builder": "my_nets:make", "kwargs": {"width": 4}},
        {"value": {"builder": "my_nets:make", "kwargs": {"width": 4}}},
        {"choice": [{"label": "a", "builder": "my_nets:make", "kwargs": {"width": 4}}, {"label": "b", "blocks": [1], "channels": 4}]},
        {"builder": {"choice": ["my_nets:make", "my_nets:make2"]}, "kwargs": {"width": 4}},
        [
            {"value": {"builder": "my_nets:make", "kwargs": {"width": 4}}, "when": {"schedule": "cosine"}},
            {"value": {"blocks": [1], "channels": 4}, "when": {"schedule": "constant"}},
        ],
    ],
)
def test_every_builder_is_given_the_fingerprint_of_the_files(folder: Path, model: object) -> None:
    sweep = make_sweep(trial={"model": model, "lr": 0.1, "schedule": {"choice": ["cosine", "constant"]}})
    shipped, files = shipping.packed(sweep, folder)
    assert list(files) == ["my_layers.py", "my_nets.py"]
    space = Space.parse(shipped.trial)
    codes = {getattr(space.build(values, shipped.base_config()).model, "code", "of ours") for values in space.grid()}
    assert len(codes - {"of ours"}) == 1
    assert None not in codes


def test_sweep_without_a_builder_is_left_as_it_is(folder: Path) -> None:
    sweep = make_sweep()
    assert shipping.packed(sweep, folder) == (sweep, {})


def test_changed_neighbour_makes_another_sweep(folder: Path) -> None:
    first, files = shipping.packed(mine(), folder)
    storage = Storage(folder / "runs" / "test")
    with hold(first, storage, source=None, cost=cost_counter(first.data), code=files):
        pass
    assert stored(storage) == first
    (folder / "my_layers.py").write_text(LAYERS + "\n# another day\n")
    second, more = shipping.packed(mine(), folder)
    assert second.hash() != first.hash()
    with (
        pytest.raises(UsageError, match="another sweep named test"),
        hold(second, storage, source=None, cost=cost_counter(second.data), code=more),
    ):
        pass
    assert storage.read("code/my_layers.py") == LAYERS.encode()


def test_fingerprint_in_the_file_pins_the_code(folder: Path) -> None:
    code = shipping.packed(mine(), folder)[0].trial["model"]["code"]
    assert shipping.packed(mine(code=code), folder)[0] == shipping.packed(mine(), folder)[0]
    with pytest.raises(UsageError, match=rf"trial.model.code is 0123, must be {code}"):
        shipping.packed(mine(code="0123"), folder)


def test_worker_refuses_files_that_were_changed_in_the_sweeps_folder(folder: Path) -> None:
    sweep, files = shipping.packed(mine(), folder)
    storage = Storage(folder / "runs" / "test")
    shipping.store(storage, files)
    space = Space.parse(sweep.trial)
    model = space.build({"model.kwargs.width": 4}, sweep.base_config()).model
    shipping.unpack(model, storage.root)
    storage.write_atomic("code/my_layers.py", b"# changed")
    with pytest.raises(ModelError, match="its files were changed"):
        shipping.unpack(model, storage.root)


@pytest.mark.slow
def test_wrong_network_is_refused_by_plan_in_one_line_without_a_traceback(folder: Path) -> None:
    (folder / "my_nets.py").write_text(
        NETS.replace("num_classes)\n", "7)\n", 1).replace("nn.Linear(width, num_classes)", "nn.Linear(width, 7)")
    )
    done = call(folder, "plan", "mine.yaml", expected=2)
    warnings, error = done.stderr.splitlines()[:-1], done.stderr.splitlines()[-1]
    assert error.startswith("shortlist: trial.model: builder is my_nets:make, must return a network that gives logits of shape (2, 10)")
    assert all(": warning: " in line for line in warnings)
    assert call(folder, "validate", "mine.yaml").returncode == 0, "validate imports neither torch nor the user's code"


def test_run_with_finals_refuses_code_that_could_not_be_exported_before_it_trains(folder: Path) -> None:
    (folder / "my_layers.py").write_text("import numpy\n" + LAYERS)
    done = call(folder, "run", "mine.yaml", expected=2)
    assert "my_layers.py:1 imports numpy: must import only torch" in done.stderr
    assert not (folder / "runs").exists()


@pytest.mark.ray
def test_own_network_is_searched_promoted_and_exported_with_its_files(folder: Path) -> None:
    call(folder, "run", "mine.yaml", "-s", "resources.workers=1")
    sweep = folder / "runs" / "mine"
    assert sorted(path.name for path in (sweep / "code").glob("*.py")) == ["my_layers.py", "my_nets.py"]
    assert pq.read_table(sweep / "leaderboard.parquet")["config.model.kwargs.width"].to_pylist().count(8) == 1
    (folder / "my_nets.py").unlink()  # the sweep has its own
    call(folder, "resume", "mine")
    done = call(folder, "promote", "mine", "--epochs", "1", "-o", "json")
    final = Path(json.loads(done.stdout)[0]["folder"])
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import model, torch; "
        "print(model.predict(torch.zeros(2, 8, 8, 1, dtype=torch.uint8)).shape)"
    )
    alone = subprocess.run([sys.executable, "-I", "-c", program, str(folder / final)], capture_output=True, text=True, cwd="/")
    assert alone.stdout.strip() == "torch.Size([2])", alone.stderr
