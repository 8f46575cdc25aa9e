"""The studies' tables: ours come from the kept Parquet files alone, beside the row they belong to, labelled with their size."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import recorded

from results import studies, study_claims
from results.events import Event
from results.published import STUDIES, Claim
from results.storage import Storage
from search_spaces.load import load
from search_spaces.space import Space

REDUCED = Path(__file__).parents[1] / "benchmarks/sweeps"
SWEEPS = Path(__file__).parents[1] / "search_spaces"
MODEL = {"label": "structure-1"}


def measured(root: Path, name: str = "structures-by-optimizer-small") -> Storage:
    """A sweep of structure 1 with three seeds under SGD, one under Adam and one that never got to the end."""
    events: list[Event] = [recorded.started(sweep=name, parameters=("model", "optimizer", "augment", "seed"), max_epochs=2, ladder=(1,))]
    scores = [("sgd", 0, 0.80), ("sgd", 1, 0.82), ("sgd", 2, 0.84), ("adam", 0, 0.7), ("adagrad", 0, 0.9)]
    for number, (optimizer, seed, score) in enumerate(scores, 1):
        trial = f"t{number:05d}"
        values = {"model": "structure-1", "optimizer": optimizer, "augment": "crop and flip", "seed": seed}
        epochs = 1 if optimizer == "adagrad" else 2
        events += [recorded.suggested(trial, values=values), recorded.launched(trial)]
        events += [recorded.reported(trial, epoch, score, val_accuracy=score) for epoch in range(1, epochs + 1)]
        events += [recorded.decided(trial, 1, score)] if epochs == 1 else [recorded.ended(trial, "completed")]
    storage = recorded.store(root / name, events)
    said = '{"sweep": {"data": {"name": "parquet", "train_examples": 2000, "validation": 500}}}'
    storage.write_atomic("sweep.json", said.encode())
    return storage


def row(page: str, label: str) -> str:
    (found,) = [line for line in page.splitlines() if line.startswith(f"| {label} |")]
    return found


def test_our_figures_stand_in_the_row_they_belong_to_with_spread_and_count(tmp_path: Path) -> None:
    studies.keep(measured(tmp_path / "runs"), tmp_path / "records", machine="two cores", data="CIFAR-10 (JPEG)")
    page = studies.render(studies.read(tmp_path / "records"))
    assert row(page, "structure 1, SGD") == "| structure 1, SGD | 95.03 | 82.00 ± 2.00 (n = 3) |"
    assert row(page, "structure 1, Adam") == "| structure 1, Adam | 93.10 | 70.00 (n = 1) |"
    assert row(page, "structure 1, Adagrad") == "| structure 1, Adagrad | 92.56 | 90.00 (n = 1, to epoch 1) |"
    assert row(page, "structure 6, SGD") == "| structure 6, SGD | 95.33 | - |"


def test_claims_are_tested_on_pairs_that_differ_in_nothing_else(tmp_path: Path) -> None:
    studies.keep(measured(tmp_path / "runs"), tmp_path / "records", machine="two cores", data="CIFAR-10 (JPEG)")
    page = studies.render(studies.read(tmp_path / "records"))
    assert (
        row(page, "C: SGD is ahead of Adam") == "| C: SGD is ahead of Adam | not decided | +10.0 | - | 1 | structures-by-optimizer-small |"
    )
    assert row(page, "C: SGD is ahead of Adagrad") == "| C: SGD is ahead of Adagrad | not measured | - | - | - | - |"


@pytest.mark.parametrize(
    ("gains", "verdict"), [((0.02, 0.03, 0.04), "confirmed"), ((-0.02, -0.03, -0.04), "contradicted"), ((0.2, -0.1, 0.0), "not decided")]
)
def test_verdict_is_that_of_the_interval_over_seeds(gains: tuple[float, ...], verdict: str) -> None:
    claim = Claim("more is better", "any", {"size": "large"}, {"size": "small"}, ("seed",))
    rows = [("large", seed, 0.5 + gain, 10) for seed, gain in enumerate(gains)] + [("small", seed, 0.5, 10) for seed in range(3)]
    board = pd.DataFrame([*rows, ("large", 3, 0.9, 2)], columns=["config.size", "config.seed", "val_accuracy", "epochs"])
    found = study_claims.compare(claim, "any", board.assign(score=board["val_accuracy"]))
    assert found is not None
    assert (found.num_pairs, found.verdict) == (3, verdict)
    assert found.mean == pytest.approx(100 * sum(gains) / 3)


def test_what_was_promoted_stands_below_with_what_its_one_test_said(tmp_path: Path) -> None:
    sweep = measured(tmp_path / "runs")
    runs = [{"seed": 7, "test_accuracy": 0.61}, {"seed": 8, "test_accuracy": 0.59}]
    figures = {"parameters": 12_345, "epochs": 40, "val_accuracy": 0.625, "test_accuracy": 0.61, "test_accuracy_low": 0.5995}
    figures |= {
        "test_accuracy_high": 0.6204,
        "test_accuracy_mean": 0.60,
        "test_accuracy_sd": 0.014142,
        "test_accuracy_views": 0.615,
        "runs": runs,
    }
    sweep.write_atomic("finals/t00003-40ep-abcdef/metrics.json", json.dumps(figures).encode())
    sweep.write_atomic("finals/t00003-40ep-abcdef/model.safetensors", b"weights are not kept")
    alone = {"parameters": 12_345, "epochs": 40, "val_accuracy": None, "train_on": "all", "test_accuracy": 0.63, "runs": runs[:1]}
    sweep.write_atomic("finals/t00004-40ep-abcdef/metrics.json", json.dumps(alone).encode())
    sweep.path("finals/t00005-40ep-abcdef/journal").mkdir(parents=True)  # still at work
    kept = studies.keep(sweep, tmp_path / "records", machine="two cores", data="CIFAR-10 (JPEG)")
    assert sorted(path.name for path in kept.rglob("finals/*/*")) == ["metrics.json", "metrics.json"]
    page = studies.render(studies.read(tmp_path / "records"))
    cells = "structure-1 | 12,345 | 40 | 62.50 | 61.00 | 59.95 to 62.04 | 61.50 | 60.00 ± 1.41 (n = 2)"
    assert re.sub(" +", " ", row(page, "t00003-40ep-abcdef")) == f"| t00003-40ep-abcdef | {cells} |"
    assert "| - | 63.00 |" in re.sub(" +", " ", row(page, "t00004-40ep-abcdef"))
    assert "t00005" not in page


def test_every_figure_is_labelled_with_the_size_of_its_sweep(tmp_path: Path) -> None:
    studies.keep(measured(tmp_path / "runs"), tmp_path / "records", machine="two cores", data="CIFAR-10 (JPEG)")
    page = studies.render(studies.read(tmp_path / "records"))
    assert "`structures-by-optimizer-small`: CIFAR-10 (JPEG), 2,000 training images, 500 validation images, 2 epochs" in page
    assert "on two cores" in page


def test_kept_files_suffice_when_the_sweep_itself_is_gone(tmp_path: Path) -> None:
    kept = studies.keep(measured(tmp_path / "runs"), tmp_path / "records", machine="two cores", data="CIFAR-10 (JPEG)")
    assert sorted(path.name for path in kept.iterdir()) == ["about.json", "curves.parquet", "leaderboard.parquet"]


def test_a_sweep_of_another_name_stands_beside_nothing(tmp_path: Path) -> None:
    studies.keep(measured(tmp_path / "runs", "elsewhere"), tmp_path / "records", machine="two cores", data="CIFAR-10 (JPEG)")
    assert "elsewhere" not in studies.render(studies.read(tmp_path / "records"))


def test_every_table_names_a_sweep_that_is_shipped() -> None:
    shipped = {re.search(r"^name: (.+)$", path.read_text(), re.MULTILINE)[1] for path in SWEEPS.glob("*.yaml")}  # type: ignore[index]  # each has a name
    assert {table.sweep for study in STUDIES for table in study.tables} <= shipped
    assert all(len(row.theirs) == len(table.columns) for study in STUDIES for table in study.tables for row in table.rows)


@pytest.mark.parametrize("path", sorted(REDUCED.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_reduced_sweep_is_valid_and_has_values_for_the_rows_it_stands_beside(path: Path, tmp_path: Path) -> None:
    (tmp_path / "train-00000-of-00001.parquet").touch()
    sweep = load(path, [f"data.path={tmp_path}"])
    tables = [table for study in STUDIES for table in study.tables if sweep.name == f"{table.sweep}-small"]
    assert tables
    searched = Space.parse(sweep.trial).searched
    for table in tables:
        assert any(all(name in searched for name in row.match) for row in table.rows), table.title


def test_a_folder_that_is_no_sweep_is_refused_with_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert studies.main(["keep", str(tmp_path / "nothing"), str(tmp_path), "--machine", "x", "--data", "y"]) == 2
    assert "nothing" in capsys.readouterr().err


def test_the_page_is_what_the_records_say() -> None:
    root = Path(__file__).parents[1]
    page = studies.render(studies.read(root / "benchmarks/records/studies"))
    assert (root / "docs/studies.md").read_text() == page, (
        "run: python -m results.studies show benchmarks/records/studies > docs/studies.md"
    )
