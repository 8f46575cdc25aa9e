"""show, compare, winners, and the leaderboard's choices, as they are typed."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from results.errors import BadQuestion
from tests import recorded
from tuner.cli import review
from tuner.errors import UsageError

pytestmark = pytest.mark.usefixtures("recorded_runs")

app = typer.Typer()
for command in (review.leaderboard, review.show, review.compare, review.winners):
    app.command()(command)


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_trial_is_found_by_its_id_or_its_number() -> None:
    assert said("show", "digits", "t00007") == said("show", "digits", "7")
    assert json.loads(said("show", "digits", "7", "-o", "json"))["trial"] == "t00007"
    with pytest.raises(UsageError, match="no trial 99, its trials go up to t00016"):
        said("show", "digits", "99")


def test_trials_stand_side_by_side() -> None:
    assert "t00001" in said("compare", "digits", "1", "7").splitlines()[2]
    assert set(json.loads(said("compare", "digits", "1", "7", "-o", "json"))) == {"differing", "trials"}
    with pytest.raises(UsageError, match="one trial alone"):
        said("compare", "digits", "1")


def test_all_sweeps_are_listed() -> None:
    assert "t00007" in said("winners")
    assert json.loads(said("winners", "-o", "json"))[0]["sweep"] == "digits"


def test_trials_are_compared_at_one_epoch() -> None:
    text = said("leaderboard", "digits", "--at-epoch", "2")
    assert "all at epoch 2" in text
    with pytest.raises(BadQuestion, match="the longest has 18"):
        said("leaderboard", "digits", "--at-epoch", "77")


def test_choices_go_together() -> None:
    rows = said(
        "leaderboard", "digits", "--pareto", "score,parameters", "--sort", "parameters", "--columns", "trial,parameters", "-o", "csv"
    )
    header, *body = rows.splitlines()
    assert header == "trial,parameters"
    counts = [int(row.split(",")[1]) for row in body]
    assert counts == sorted(counts)
    assert 1 <= len(counts) < 16


def test_condition_chooses_trials() -> None:
    rows = json.loads(said("leaderboard", "digits", "--where", "parameters < 1e5 and optimizer == 'sgd' and score > 0.2", "-o", "json"))
    assert rows
    assert all(row["parameters"] < 1e5 and row["config.optimizer"] == "sgd" for row in rows)
    momentum = json.loads(said("leaderboard", "digits", "--where", "momentum == null", "-o", "json"))
    assert {row["config.optimizer"] for row in momentum} == {"adam"}
    assert said("leaderboard", "digits", "--where", "parameters > 1e12") == "none of the 16 trials fits\n"
    with pytest.raises(UsageError, match="character 13"):
        said("leaderboard", "digits", "--where", "parameters <")
    with pytest.raises(UsageError, match="--where"):
        said("leaderboard", "digits", "--where", "optimizer < 3")


def test_parquet_goes_to_a_pipe() -> None:
    result = CliRunner().invoke(app, ["leaderboard", "digits", "-n", "3", "-o", "parquet"], catch_exceptions=False)
    assert pq.read_table(io.BytesIO(result.stdout_bytes), use_threads=False).num_rows == 3


def test_first_rows_within_noise_are_said_to_be(recorded_runs: Path) -> None:
    apart = said("leaderboard", "digits")
    assert "within noise" not in apart
    recorded.store(recorded_runs / "close", [*recorded.started_pair(0.9000, 0.9002)])
    assert "the first 2 are within noise of each other" in said("leaderboard", "close")
