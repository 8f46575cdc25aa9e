"""The command line: quick, light, and honest about what went wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DIGITS = str(ROOT / "search_spaces" / "digits.yaml")

PROBE = """
import sys
from tuner.cli.main import main
try:
    main()
except SystemExit as ended:
    code = ended.code
else:
    code = 0
heavy = sorted({"torch", "ray", "sklearn", "optuna"} & set(sys.modules))
print("HEAVY", heavy, "CODE", code or 0, file=sys.stderr)
"""


def probe(*arguments: str, cwd: Path = ROOT) -> tuple[str, str]:
    """Return standard output, and the last line of standard error: what was imported, and the exit code."""
    done = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, cwd=cwd, timeout=60)
    return done.stdout, done.stderr.splitlines()[-1]


def call(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from tuner.cli.main import main; main()", *arguments], capture_output=True, text=True, cwd=cwd, timeout=60
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("run", "--help"),
        ("promote", "--help"),
        ("validate", DIGITS),
        ("validate", DIGITS, "-s", "search.sampler=tpe"),
        ("schema",),
    ],
)
def test_command_imports_neither_torch_nor_ray(arguments: tuple[str, ...]) -> None:
    assert probe(*arguments)[1] == "HEAVY [] CODE 0"


def test_every_command_has_help_with_an_example() -> None:
    from tuner.cli.main import app

    names = [command.callback.__name__ for command in app.registered_commands if command.callback]
    assert {"init", "validate", "plan", "schema", "run", "resume", "leaderboard", "replay", "promote"} <= set(names)
    for command in app.registered_commands:
        assert command.callback is not None
        assert "Example:" in (command.callback.__doc__ or ""), command.callback.__name__


def test_docstring_of_main_names_the_file_of_every_command() -> None:
    from tuner.cli import main

    for command in main.app.registered_commands:
        assert command.callback is not None
        name, file = command.callback.__name__, command.callback.__module__.rpartition(".")[2]
        lines = [line for line in (main.__doc__ or "").splitlines() if f"cli/{file}.py" in line]
        assert len(lines) == 1
        assert name in lines[0].split(), f"{name} is missing beside cli/{file}.py"


LOADED = """
import atexit, sys, threading, time
import torch
from tuner.cli import main
answer, answered = main.answer, threading.Event()
main.answer = lambda: (answer(), answered.set())[0]
atexit.register(print, "exit function")
threading.Thread(target=lambda: (answered.wait(), time.sleep(0.3), print("thread"))).start()
main.main()
"""


@pytest.mark.parametrize(("file", "code"), [(DIGITS, 0), ("nowhere.yaml", 2)])
def test_command_that_has_loaded_torch_ends_as_any_other(file: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED, "validate", file], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == code, done.stderr
    said = done.stdout.splitlines()
    assert said[-2:] == ["thread", "exit function"]
    assert ("no mistakes" in said[0]) is (code == 0), said
    assert bool(done.stderr) is (code != 0), "nothing of what torch's libraries say at their end"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is always full")
def test_output_that_cannot_be_written_is_no_success_even_then() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", LOADED, "validate", DIGITS], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode != 0
    assert "No space left on device" in done.stderr


def test_init_writes_a_sweep_that_validates_and_never_overwrites_one(tmp_path: Path) -> None:
    assert call("init", "my.yaml", cwd=tmp_path).returncode == 0
    assert call("validate", "my.yaml", cwd=tmp_path).returncode == 0
    (tmp_path / "my.yaml").write_text("mine")
    refused = call("init", "my.yaml", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (tmp_path / "my.yaml").read_text() == "mine"


def test_mistakes_end_with_code_two_and_nothing_is_written(tmp_path: Path) -> None:
    done = call("run", DIGITS, "-s", "scheduler.asha.eta=1", "-s", "objektive=3", cwd=tmp_path)
    assert done.returncode == 2
    assert "eta" in done.stderr
    assert "objective" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_missing_sweep_ends_with_code_two_and_a_remedy(tmp_path: Path) -> None:
    for command in ("leaderboard", "resume", "promote"):
        done = call(command, "nowhere", cwd=tmp_path)
        assert done.returncode == 2, command
        assert "nowhere" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_space_without_a_feasible_candidate_is_refused_with_the_nearest_miss(tmp_path: Path) -> None:
    for command in ("plan", "run"):
        done = call(command, DIGITS, "-s", "constraints.max_parameters=10", cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "-s: constraints.max_parameters: broken by each of 4 candidates, the nearest has " in done.stderr
        assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_plan_prints_figures_as_json(tmp_path: Path) -> None:
    found = json.loads(call("plan", DIGITS, "--price", "2", "-o", "json", cwd=tmp_path).stdout)
    assert found["epochs_low"] <= found["epochs"] <= found["epochs_high"] <= found["epochs_in_full"]
    assert all({"label", "parameters", "flops_per_image"} <= one.keys() and one["parameters"] > 0 for one in found["architectures"])
    assert [rung["epochs"] for rung in found["rungs"]] == [2, 6]
    assert found["gpu_hours"] is found["wall_s"] is found["cost"] is None, "no sweep has run in this test's folder"


@pytest.mark.slow
def test_batch_larger_than_the_data_is_refused_with_its_line_before_anything_starts(tmp_path: Path) -> None:
    for command in ("plan", "run"):
        done = call(command, DIGITS, "-s", "data.train_examples=100", cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "digits.yaml:25:16: trial.batch_size.choice: 128, must be <= 100" in done.stderr
        assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_more_threads_than_cores_draw_a_warning(tmp_path: Path) -> None:
    done = call("plan", DIGITS, "-s", "resources.workers=4096", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "warning: resources: 4096 workers with 1 threads each share" in done.stderr


def test_replay_shows_a_table_of_settings_and_refuses_what_has_no_curves(tmp_path: Path) -> None:
    from recorded import store
    from sweeps import START, Recorder, by_quality, make_search, make_sweep

    from tuner.simulate import simulate

    sweep = make_sweep()
    search, recorder = make_search(sweep, recorder=Recorder())
    simulate(search, by_quality(0), num_workers=2, start_s=START)
    storage = store(tmp_path / "runs" / "test", recorder.events, tables=False)
    storage.write_atomic("sweep.json", json.dumps({"sweep": sweep.model_dump(mode="json")}).encode())
    shown = call("replay", "test", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "eta 2" in shown.stdout
    found = json.loads(call("replay", "test", "-s", "scheduler.asha.eta=2", "-o", "json", cwd=tmp_path).stdout)
    assert found[0]["setting"] == "as it was set"
    assert found[1]["setting"] == "scheduler.asha.eta=2"
    refused = call("replay", "test", "-s", "scheduler.asha.max_epochs=81", cwd=tmp_path)
    assert refused.returncode == 2
    assert "must stay 27" in refused.stderr


@pytest.mark.slow
def test_what_the_file_system_refuses_is_one_line_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the storage folder belongs")
    done = call("run", DIGITS, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("shortlist: runs/digits")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("override", "required"),
    [
        ("data.split_seed=7", "`data:` at the top of the file"),
        ("max_epochs=9", "--epochs"),
        ("seed=3", "--seed"),
        ("drop_out=0.1", "did you mean dropout?"),
    ],
)
def test_promote_refuses_to_change_what_is_not_the_recipes(tmp_path: Path, override: str, required: str) -> None:
    from sweeps import START, by_quality, flat_cost, make_sweep

    from results.storage import Storage
    from tuner.session import hold
    from tuner.simulate import simulate

    with hold(make_sweep(), Storage(tmp_path / "runs" / "test"), source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(0), num_workers=1, start_s=START)
    done = call("promote", "test", "-s", override, cwd=tmp_path)
    assert done.returncode == 2
    assert required in done.stderr
