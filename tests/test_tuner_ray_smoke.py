"""Every shipped sweep runs end to end at toy size: search, rung, final, model, on ten classes of 32 x 32 pixels."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pictures import encode, write_parquet

pytestmark = [pytest.mark.ray, pytest.mark.slow]

FOLDER = Path(__file__).parents[1] / "search_spaces"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem not in ("digits", "starter", "cifar10_small"))

# A batch of 256 images of the full networks takes two cores a minute; two trials go through all there is.
SMALLER = ["-s", "search.trials=2", "-s", "resources.cpus=1"]
SMALL_BATCH = ["-s", "trial.batch_size=16"]
MORE = {
    "onecycle_lookahead": [*SMALL_BATCH, "-s", "trial.augment.repeats=1"],
    "squeeze_excitation_tpe": [],  # its accumulation goes by the batch
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 32 x 32 pixels in ten classes: noise, brighter from class to class."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for name, count in (("train-00000", 400), ("test-00000", 40)):
        labels = [row % 10 for row in range(count)]
        pixels = [(rng.integers(0, 60, (32, 32, 3)) + 19 * label).astype(np.uint8) for label in labels]
        write_parquet(folder, images=[encode(image) for image in pixels], labels=labels, name=name, class_names=[str(n) for n in range(10)])
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_shipped_sweep_runs_to_its_final_at_toy_size(name: str, images: Path, tmp_path: Path) -> None:
    file = FOLDER / f"{name}.yaml"
    top = ["-s", "final.top=1"] if "\nfinal:" in file.read_text() else []
    command = [sys.executable, "-m", "tuner.cli", "run", str(file), "--smoke", "--storage", str(tmp_path)]
    done = subprocess.run(
        [*command, "-s", "data.name=parquet", "-s", f"data.path={images}", *SMALLER, *MORE.get(name, SMALL_BATCH), *top],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (sweep,) = tmp_path.iterdir()
    board = pq.read_table(sweep / "leaderboard.parquet").to_pylist()
    assert len(board) == 2
    assert {row["status"] for row in board} <= {"completed", "paused", "stopped"}
    assert board[0]["status"] == "completed"
    said = json.loads((sweep / "sweep.json").read_text())["sweep"]
    if said.get("final"):
        (final,) = (sweep / "finals").iterdir()
        assert (final / "model.safetensors").stat().st_size > 0
        assert json.loads((final / "metrics.json").read_text())
    if said.get("record") == "steps":
        steps = pq.read_table(sweep / "steps.parquet").to_pandas()
        assert set(steps["trial"]) == {row["trial"] for row in board}
        assert np.isfinite(steps["train_loss"]).all()
