"""Exports, read back by the programs that they are for."""

import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import recorded
import typer
from typer.testing import CliRunner

from results import derived, exchange, leaderboard
from results.errors import CannotExport
from results.exchange import Form, export
from results.history import History
from results.storage import Storage
from tuner.cli import review
from tuner.errors import UsageError

ROOT = Path(__file__).parents[1]
EVENTS = recorded.sweep()
HISTORY = History.of(EVENTS)
BEST = HISTORY.trials["t00007"]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return recorded.store(tmp_path / "runs" / "digits", EVENTS)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("form", [Form.csv, Form.json, Form.parquet, Form.mlflow])
def test_second_export_leaves_what_the_first_left(storage: Storage, tmp_path: Path, form: Form) -> None:
    first = export(storage, form, tmp_path / "out")
    before = tree(tmp_path / "out")
    second = export(storage, form, tmp_path / "out")
    assert (first.replaced, second.replaced) == (False, True)
    assert (first.trials, first.epochs) == (16, HISTORY.epochs)
    assert tree(tmp_path / "out") == before
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".digits")]


def test_files_hold_every_row(storage: Storage, tmp_path: Path) -> None:
    export(storage, Form.csv, tmp_path)
    export(storage, Form.json, tmp_path / "json")
    export(storage, Form.parquet, tmp_path / "parquet")
    with (tmp_path / "digits" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert (len(rows), rows[0]["trial"], rows[0]["rank"]) == (16, "t00007", "1")
    told = json.loads((tmp_path / "json" / "digits" / "curves.json").read_text())
    assert [row["epoch"] for row in told if row["trial"] == "t00007"] == list(range(1, 19))
    assert pq.read_table(tmp_path / "parquet" / "digits" / "leaderboard.parquet", use_threads=False).equals(leaderboard.read_table(storage))


def test_another_sweeps_export_stays_and_something_else_is_left_alone(storage: Storage, tmp_path: Path) -> None:
    out = tmp_path / "out"
    other = recorded.store(tmp_path / "runs" / "other", [recorded.started(sweep="other"), *EVENTS[1:]])
    export(storage, Form.csv, out)
    export(other, Form.csv, out)
    assert {path.name for path in out.iterdir()} == {"digits", "other"}
    namesake = recorded.store(tmp_path / "elsewhere" / "digits", [recorded.started(sweep_hash="another"), *EVENTS[1:]])
    with pytest.raises(CannotExport, match="another sweep of the name digits"):
        export(namesake, Form.csv, out)
    mine = tmp_path / "mine" / "digits"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("dear to me")
    with pytest.raises(CannotExport, match="left alone"):
        export(storage, Form.csv, mine.parent)
    assert tree(mine) == {"thesis.txt": b"dear to me"}


def test_export_that_fails_leaves_the_one_before(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(storage, Form.csv, tmp_path / "out")
    before = tree(tmp_path / "out")

    def full(table: pa.Table) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exchange.tables, "csv_text", full)
    with pytest.raises(OSError, match="No space"):
        export(storage, Form.csv, tmp_path / "out")
    assert tree(tmp_path / "out") == before
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["digits"]


@pytest.mark.parametrize("name", ["../out", "/tmp/x", ".hidden", ""])
def test_table_from_elsewhere_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    storage = Storage(tmp_path / "runs" / "odd")
    table = leaderboard.derive(HISTORY)
    derived.write(storage, leaderboard.NAME, table.replace_schema_metadata({**(table.schema.metadata or {}), b"sweep": name.encode()}))
    derived.write(storage, "curves.parquet", derived.read(recorded.store(tmp_path / "digits", EVENTS), "curves.parquet", version=9))
    with pytest.raises(CannotExport, match="cannot be the name of a folder"):
        export(storage, Form.csv, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tensorboard_reads_curves_parameters_and_endings(storage: Storage, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing import event_accumulator as accumulator
    from tensorboard.plugins.hparams import metadata

    export(storage, Form.tensorboard, tmp_path)
    done = export(storage, Form.tensorboard, tmp_path)
    assert done.look == f"tensorboard --logdir {tmp_path}"
    assert {path.name for path in done.folder.iterdir() if path.is_dir()} == set(HISTORY.trials)
    [file] = (done.folder / "t00007").iterdir()
    events = accumulator.EventAccumulator(str(file))
    events.Reload()
    told = events.Scalars("accuracy/val")
    assert [scalar.step for scalar in told] == list(range(1, 19))
    assert told[-1].value == pytest.approx(BEST.curve[18].val_accuracy, rel=1e-6)
    assert told[0].wall_time == pytest.approx(1_780_000_001.0)
    assert [scalar.step for scalar in events.Scalars("score")] == [18]
    content = events.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
    parameters = metadata.parse_session_start_info_plugin_data(content).hparams
    assert parameters["lr"].number_value == BEST.values["lr"]
    assert parameters["flip"].bool_value is False
    assert parameters["optimizer"].string_value == BEST.values["optimizer"]
    failed = accumulator.EventAccumulator(str(done.folder / "t00005"))
    failed.Reload()
    ended = metadata.parse_session_end_info_plugin_data(failed.summary_metadata[metadata.SESSION_END_INFO_TAG].plugin_data.content)
    assert ended.status == 2  # STATUS_FAILURE


@pytest.mark.slow
def test_mlflow_reads_runs_that_keep_their_ids(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own: importing mlflow takes seconds, warns, and stays."""
    store = tmp_path / "store with blanks"
    export(storage, Form.mlflow, store)
    other = recorded.store(tmp_path / "runs" / "other", [recorded.started(sweep="other", sweep_hash="fedcba9876543210"), *EVENTS[1:]])
    export(other, Form.mlflow, store)
    export(storage, Form.mlflow, store)
    script = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
told = {}
for experiment in client.search_experiments():
    runs = client.search_runs([experiment.experiment_id], max_results=1000, order_by=["metrics.rank ASC"])
    told[experiment.name] = [
        {"name": run.info.run_name, "id": run.info.run_id, "status": run.info.status, "params": run.data.params, "tags": run.data.tags,
         "score": run.data.metrics.get("score"), "start": run.info.start_time,
         "curve": [[m.step, m.value, m.timestamp] for m in client.get_metric_history(run.info.run_id, "val_accuracy")]}
        for run in runs
    ]
found = client.search_runs([client.get_experiment_by_name("digits").experiment_id], "params.optimizer = 'sgd' and metrics.score > 0.1")
told["found"] = len(found)
print(json.dumps(told))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, store.as_uri()],
        capture_output=True, text=True, check=True, env=os.environ | {"MLFLOW_ALLOW_FILE_STORE": "true"}, timeout=120,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert set(told) == {"digits", "other", "Default", "found"}
    assert len(told["digits"]) == len(told["other"]) == 16
    assert len({run["id"] for name in ("digits", "other") for run in told[name]}) == 32
    runs = {run["name"]: run for run in told["digits"]}
    best = runs["t00007"]
    assert best["params"] == {name: str(value) for name, value in BEST.values.items()}
    assert best["curve"] == [[epoch, report.val_accuracy, 1_780_000_000_000 + 1000 * epoch] for epoch, report in BEST.curve.items()]
    assert best["score"] == BEST.rungs.get(18, BEST.curve[18].score)
    assert best["status"] == "FINISHED"
    assert runs["t00005"]["status"] == "FAILED"
    assert runs["t00005"]["tags"]["shortlist.reason"] == "training loss is not finite at step 37"
    assert math.isclose(best["start"], 1_780_000_000_000)
    assert told["found"] == sum(
        record.values["optimizer"] == "sgd" and record.status not in {"diverged", "failed", "out_of_memory"}
        for record in HISTORY.trials.values()
    )


def test_command_says_what_it_wrote_and_what_it_cannot(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(review.export)

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert said("digits", "--to", "csv", "-o", "out") == f"wrote out/digits/: 16 trials, {HISTORY.epochs} epochs\n"
    assert said("digits", "--to", "csv", "-o", "out").startswith("replaced out/digits/")
    assert (
        said("digits", "--to", "mlflow", "-o", "ml").splitlines()[1]
        == "next: MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri ml"
    )
    with pytest.raises(UsageError, match="must be one of csv, json, parquet, tensorboard, mlflow"):
        said("digits", "--to", "excel", "-o", "out")


def test_missing_package_ends_with_code_two_and_the_command_that_installs_it(storage: Storage, tmp_path: Path) -> None:
    script = "import sys; sys.modules['tensorboard'] = None\nfrom tuner.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "export", "digits", "--to", "tensorboard", "-o", "out"],
        capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install tensorboard" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").iterdir())
