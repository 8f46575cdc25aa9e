import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from results.storage import Storage
from tuner.cli import review

ROOT = Path(__file__).parents[1]

app = typer.Typer()
app.command()(review.leaderboard)


def leaderboard(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_leaderboard_is_found_by_name_and_says_what_to_do_next(recorded_runs: Path) -> None:
    shown = leaderboard("digits").splitlines()
    assert shown[0].startswith("digits: finished, 16 trials")
    assert shown[-1] == "next: shortlist promote digits --trial t00007"


def test_a_sweep_elsewhere_is_spoken_of_by_its_folder(recorded_runs: Path) -> None:
    recorded_runs.rename(recorded_runs.with_name("elsewhere"))
    assert leaderboard("digits", "--storage", "elsewhere").splitlines()[-1] == "next: shortlist promote elsewhere/digits --trial t00007"


def test_json_and_csv_hold_every_row_and_column_and_n_limits_them(recorded_runs: Path) -> None:
    rows = json.loads(leaderboard("digits", "-o", "json"))
    assert (len(rows), rows[0]["trial"], rows[0]["rank"]) == (16, "t00007", 1)
    assert rows[0]["score"] <= 1
    assert len(leaderboard("digits", "-o", "csv", "-n", "3").splitlines()) == 4
    assert leaderboard("digits", "-o", "markdown", "-n", "3").splitlines()[2].startswith("| 1 | t00007 |")


def test_the_end_of_a_run_shows_its_top_and_a_final_its_figures(recorded_runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tuner.run import Ending

    review.show_top(
        Storage(Path("runs/digits")), Ending("finished", wall_s=80.4, slots=2, epochs=54, device_s=120.6, slot_s=160.8, start_slot_s=20.1)
    )
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "2 workers, training 75% of the time, 86% after the start"
    assert shown[-1] == "next: shortlist promote digits --trial t00007"
    assert "11 more rows: shortlist leaderboard digits -n 0" in shown
    metrics = {
        "final": "t00007-18ep",
        "test_accuracy": 0.978,
        "val_accuracy": 0.9812,
        "test_accuracy_mean": 0.977,
        "test_accuracy_sd": 0.002,
        "runs": [1, 2],
    }
    review.show_final(Storage(Path("runs/digits/finals/t00007-18ep")), metrics, made_now=False)
    shown = capsys.readouterr().out.splitlines()
    assert shown[1] == "t00007-18ep: test accuracy 97.8% (mean of 2 seeds 97.7%, sd 0.2%), validation 98.1%"
    assert shown[2].startswith("runs/digits/finals/t00007-18ep/: model.safetensors, model.py, metrics.json; was there already")


SCRIPT = """
import sys, typer
from tuner.cli import attend, review
app = typer.Typer()
for command in (review.leaderboard, review.show, review.compare, review.winners, attend.status):
    app.command()(command)
try:
    for arguments in " ".join(sys.argv[1:]).split(" , "):
        app(arguments.split(), standalone_mode=False)
finally:
    heavy = {"torch", "ray", "pandas", "optuna", "rich"} & set(sys.modules)
    print("heavy:", sorted(heavy), file=sys.stderr)
"""

LOOKS = "leaderboard digits , show digits 7 , compare digits 1 7 , winners , status digits"
ASKS = (
    "--at-epoch 2",
    "--pareto score,parameters",
    "--where lr<1",
    "--sort -lr",
    "-o json",
    "-o csv",
    "-o markdown",
    "--columns started_at",
)


def test_commands_that_look_answer_without_torch_ray_or_pandas(recorded_runs: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", SCRIPT, LOOKS], capture_output=True, text=True, check=True, env=environment)
    assert result.stderr == "heavy: []\n"
    assert result.stdout.count("next: ") == 4


def test_every_way_to_ask_the_leaderboard_does_without_pandas(recorded_runs: Path) -> None:
    environment, asked = os.environ | {"PYTHONPATH": str(ROOT)}, " , ".join(f"leaderboard digits {how}" for how in ASKS)
    result = subprocess.run([sys.executable, "-c", SCRIPT, asked], capture_output=True, text=True, check=True, env=environment)
    assert result.stderr == "heavy: []\n"


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "NO_COLOR"])
def test_on_a_terminal_the_leader_is_bold_unless_colour_is_unwanted(recorded_runs: Path, plain: bool) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm", "PYTHONPATH": str(ROOT)}
    if plain:
        environment["NO_COLOR"] = "1"
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "leaderboard", "digits"], stdout=follower, stderr=subprocess.DEVNULL, env=environment
    )
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 4096):
            shown += chunk
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(leader)
    assert process.wait() == 0
    assert (b"\033[1m" in shown) is not plain
    assert b"next: shortlist promote digits" in shown
