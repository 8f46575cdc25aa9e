"""Confirm and promote as they are typed, up to where Ray would be started: what is refused, with which exit code, and dry runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, caller
from pictures import write_parquet
from sweeps import START, by_quality, flat_cost, make_sweep

from results import journal
from results.events import Confirmed, stamp
from results.history import History
from results.storage import Storage
from tuner import finals, ray_cluster
from tuner.session import hold
from tuner.simulate import simulate

SPACE = {
    "model": {"family": "resnet", "blocks": [1], "channels": {"choice": [4, 8]}},
    "lr": {"loguniform": [1e-4, 1e-1]},
    "schedule": "cosine",
}


def stored(folder: Path, **changes: Any) -> Storage:
    """Store a finished sweep over real images, searched by simulated workers; its first trial diverged."""
    storage = Storage(folder / "test")
    sweep = make_sweep(trial=SPACE, seed=5, **{"scheduler": {"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3}}, **changes})
    with hold(sweep, storage, source=None, cost=flat_cost) as session:
        session.start(1)
        job = session.search.next_job(START)
        assert job is not None
        session.search.end(job.trial, job.attempt, "diverged", "the loss is nan", START)
        simulate(session.search, by_quality(1), num_workers=1, start_s=START)
    return storage


@pytest.fixture
def shortlist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in this process; whoever connects to Ray fails the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(ray_cluster, "connect", lambda *arguments, **options: pytest.fail("Ray was asked for"))
    return caller(monkeypatch, capsys)


def untouched(storage: Storage) -> bool:
    return not storage.exists("finals") and not storage.exists("confirmations")


def test_dry_run_says_what_would_be_trained_what_changes_and_what_it_costs(tmp_path: Path, shortlist: Command) -> None:
    storage = stored(tmp_path / "runs")
    code, out, _ = shortlist("promote", "test", "--dry-run", "--epochs", "30", "--seed", "0", "--seed", "1", "-s", "batch_size=512")
    assert code == 0
    lines = out.splitlines()
    assert "2 seeds (0, 1), 60 epochs in all" in lines[0]
    assert lines[1].startswith("  epochs 9 -> 30; the cosine schedule is derived anew for them; lr stays")
    assert lines[2] == "  batch_size 128 -> 512"
    assert "though a step has 4 times the images" in lines[3]
    assert "about 1m 00s of work" in lines[4]
    assert lines[-1] == "nothing was trained: --dry-run"
    code, out, _ = shortlist("confirm", "test", "--dry-run", "--top", "2", "--seeds", "4")
    assert (code, "at most 8 runs of 9 epochs; about 1m 12s of work" in out) == (0, True)
    told = json.loads(shortlist("confirm", "test", "--dry-run", "-o", "json")[1])
    assert (told["runs_at_most"], told["epochs_at_most"]) == (9, 81)
    assert untouched(storage)


def test_gate_that_is_not_met_ends_with_code_three_and_nothing_is_trained(tmp_path: Path, shortlist: Command) -> None:
    gates = {"max_parameters": 100, "min_val_accuracy": 0.1, "confirmed": True, "max_latency_ms": 10_000.0}
    storage = stored(tmp_path / "runs", final={"gates": gates})
    for extra in ((), ("--dry-run",)):
        code, out, err = shortlist("promote", "test", *extra)
        assert code == 3
        assert "test: 2 gates are not met, nothing was trained" in err
        assert "confirmed: seen no confirmation, required a confirmation; run: shortlist confirm test" in err
        assert "max_parameters: seen " in err
        assert "min_val_accuracy" not in err
    assert "NOT MET" in out
    told = json.loads(shortlist("promote", "test", "--dry-run", "-o", "json")[1])
    assert {gate["gate"]: gate["met"] for gate in told["gates"]} == {
        "confirmed": False, "min_val_accuracy": True, "max_parameters": False, "max_latency_ms": True,
    }  # fmt: skip
    assert untouched(storage)


def test_pareto_promotes_what_nothing_beats_among_those_trained_longest(tmp_path: Path, shortlist: Command) -> None:
    storage = stored(tmp_path / "runs", scheduler={"none": {"max_epochs": 3}})
    board = [record for record in History.of(journal.read(storage)).trials.values() if record.status == "completed"]
    told = json.loads(shortlist("promote", "test", "--pareto", "score,parameters", "--dry-run", "-o", "json")[1])
    found = [final["trial"] for final in told["finals"]]
    best_of = [max((r for r in board if r.cost["parameters"] == size), key=lambda r: r.curve[3].score or 0) for size in (4_000, 8_000)]
    small, large = best_of
    expected = {small.trial} | ({large.trial} if (large.curve[3].score or 0) > (small.curve[3].score or 0) else set())
    assert set(found) == expected


def test_trial_that_diverged_and_calls_that_contradict_themselves_are_refused(tmp_path: Path, shortlist: Command) -> None:
    storage = stored(tmp_path / "runs")
    for command in ("promote", "confirm"):
        code, _, err = shortlist(command, "test", "--trial", "1")
        assert (code, "trial t00001 is diverged (the loss is nan)" in err) == (2, True)
        assert shortlist(command, "test", "--trial", "2", "--top", "2")[0] == 2
        assert shortlist(command, "nothing")[0] == 2
    code, _, err = shortlist("promote", "test", "--train-on", "some")
    assert (code, "--train-on is some, must be train or all" in err) == (2, True)
    code, _, err = shortlist("promote", "test", "--train-on", "all", "-s", "patience=3")
    assert (code, "patience is 3" in err) == (2, True)
    assert untouched(storage)


def test_sweep_that_is_still_running_is_refused_unless_the_trial_is_named(tmp_path: Path, shortlist: Command) -> None:
    storage = stored(tmp_path / "runs")
    holding = f"""
import sys, time
from results.lock import SweepLock
from results.storage import Storage
from pathlib import Path
with SweepLock(Storage(Path({str(storage.root)!r}))):
    print("held", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        for arguments in (("promote", "test"), ("promote", "test", "--pareto", "score"), ("confirm", "test")):
            code, _, err = shortlist(*arguments)
            assert code == 2
            assert f"test is still searched, by process {other.pid} on " in err
            assert "name trials with --trial" in err
        assert shortlist("promote", "test", "--trial", "2", "--dry-run")[0] == 0
        other.communicate()
    assert shortlist("promote", "test", "--dry-run")[0] == 0
    assert untouched(storage)


def test_images_that_have_changed_since_the_sweep_are_refused(tmp_path: Path, shortlist: Command) -> None:
    write_parquet(tmp_path / "data")
    write_parquet(tmp_path / "data", name="test-00000", num_images=9)
    storage = stored(tmp_path / "runs", data={"name": "parquet", "path": str(tmp_path / "data"), "validation": 12})
    storage.write_atomic("data.json", json.dumps({"train_fingerprint": "0" * 64}).encode())
    for command in ("promote", "confirm"):
        code, _, err = shortlist(command, "test")
        assert code == 2
        assert "the training images have changed since the sweep began" in err.splitlines()[-1]
    assert untouched(storage)


def test_promotion_that_is_to_end_in_an_ensemble_says_so_and_needs_a_validation_split(tmp_path: Path, shortlist: Command) -> None:
    storage = stored(tmp_path / "runs", final={"seeds": [0, 1], "ensemble": {"max_members": 3}})
    _, out, _ = shortlist("promote", "test", "--top", "2", "--dry-run")
    assert "then validation selects the best mean of these 4 runs, which is a final of its own, and tested, once" in out
    code, _, err = shortlist("promote", "test", "--train-on", "all")
    assert (code, "--train-on is all, must be train with final.ensemble" in err) == (2, True)
    code, _, err = shortlist("ensemble", "test")
    assert code == 2
    assert "no trained run to choose from (none); an ensemble needs two at least; promote more with `shortlist promote test --top 3`" in err
    assert untouched(storage)


@pytest.mark.slow
def test_second_promotion_at_the_same_time_is_refused_and_disturbs_nothing(tmp_path: Path, shortlist: Command) -> None:
    storage = stored(tmp_path / "runs")
    (final,) = json.loads(shortlist("promote", "test", "--dry-run", "-o", "json")[1])["finals"]
    place = Storage(storage.path(f"finals/{final['final']}"))
    with finals.hold(*_plan(storage), source=None, cost=flat_cost) as session:
        session.start(1)
        before = {path.name: path.read_bytes() for path in place.path("journal").iterdir()}
        # In a process of its own: a lock is no obstacle to the process that holds it.
        done = subprocess.run(
            [sys.executable, "-c", "from tuner.cli.main import main; main()", "promote", "test"],
            cwd=tmp_path, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert "has run this sweep since" in done.stderr.splitlines()[-1]
        assert {path.name: path.read_bytes() for path in place.path("journal").iterdir()} == before


def test_final_does_not_go_on_by_resume_which_would_only_train_it(tmp_path: Path, shortlist: Command) -> None:
    storage = stored(tmp_path / "finals")  # a storage folder of that name is nobody's final
    options, place = _plan(storage)
    with finals.hold(options, place, source=None, cost=flat_cost) as session:
        session.start(1)
    code, _, err = shortlist("resume", str(place.root))
    assert code == 2
    assert f"is one of the finals of a sweep; it goes on with the same `shortlist promote {storage.root}` as before" in err
    assert shortlist("promote", "test", "--storage", "finals", "--dry-run")[0] == 0


def test_confirmed_leader_is_promoted_and_the_leaderboard_says_so(tmp_path: Path, shortlist: Command) -> None:
    storage = stored(tmp_path / "runs")
    single = json.loads(shortlist("promote", "test", "--top", "2", "--dry-run", "-o", "json")[1])["finals"]
    first, second = (final["trial"] for final in single)
    figures = {"low": None, "high": None, "sd": None, "n": 1, "failed": 0, "p_best": None, "margin": None, "val_accuracy": 0.5}
    told = {first: {**figures, "mean": 0.5, "rung_mean": 0.5}, second: {**figures, "mean": 0.6, "rung_mean": 0.5}}
    from tuner.asking import ask

    ask(storage, Confirmed(at=stamp(START), request="r", author="ada", confirmation="c", trials=told))
    (final,) = json.loads(shortlist("promote", "test", "--dry-run", "-o", "json")[1])["finals"]
    assert final["trial"] == second
    out = shortlist("leaderboard", "test")[1].splitlines()
    assert out[-1] == f"next: shortlist promote test --trial {second}"
    assert any(f"fresh seeds prefer {second}" in line for line in out)


def _plan(storage: Storage) -> tuple[Any, Storage]:
    from results import ranking
    from search_spaces.final_options import FinalOptions
    from tuner import final_plan
    from tuner.session import stored as stored_sweep

    sweep, history = stored_sweep(storage), History.of(journal.read(storage))
    plan = final_plan.plan(sweep, ranking.leaders(history)[0], FinalOptions(), sweep.resources)
    return plan.stage(0), finals.place_of(storage, plan)


def test_the_most_members_on_the_command_line_are_those_of_the_sweep_file(shortlist: Command) -> None:
    from search_spaces.final_options import MAX_MEMBERS

    code, _, err = shortlist("ensemble", "test", "--max-members", str(MAX_MEMBERS + 1))
    assert (code, f"less than or equal to {MAX_MEMBERS}" in err) == (2, True), err
