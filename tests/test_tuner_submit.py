"""A sweep as a job: its name, its parcel, its shell command; what is remembered and expected of the storage."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from results.errors import Unreadable
from results.storage import Storage
from search_spaces.load import load
from tuner import submit
from tuner.cli.main import app
from tuner.errors import UsageError
from tuner.submit import Submitted

ROOT = Path(__file__).parents[1]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "runs" / "digits")


def submitted(job: str) -> Submitted:
    return Submitted(job, "http://127.0.0.1:8265", "2026-01-01T00:00:00.000+00:00", "ann")


def test_identity_depends_on_what_is_searched_and_where_it_is_kept(storage: Storage, tmp_path: Path) -> None:
    sweep = load(ROOT / "search_spaces" / "digits.yaml")
    longer = load(ROOT / "search_spaces" / "digits.yaml", ["search.trials=15"])
    wider = load(ROOT / "search_spaces" / "digits.yaml", ["resources.workers=2"])
    first = submit.identity(sweep.name, sweep.hash(), storage)
    assert first == submit.identity(sweep.name, wider.hash(), storage)
    assert first != submit.identity(sweep.name, longer.hash(), storage)
    assert first != submit.identity(sweep.name, sweep.hash(), Storage(tmp_path / "elsewhere" / "digits"))


@pytest.mark.parametrize(
    ("job", "number"),
    [("shortlist-a-12", 1), ("shortlist-a-12-2", 2), ("shortlist-a-12-11", 11), ("shortlist-a-12-x", None), ("shortlist-a-123", None)],
)
def test_jobs_of_one_sweep_are_numbered(job: str, number: int | None) -> None:
    assert submit.attempt("shortlist-a-12", job) == number
    if number:
        assert submit.numbered("shortlist-a-12", number) == job


def test_jobs_are_remembered_in_order_each_once(storage: Storage) -> None:
    assert submit.remembered(storage) == []
    for job in ("a", "b", "a"):
        submit.remember(storage, submitted(job))
    assert [known.job for known in submit.remembered(storage)] == ["b", "a"]
    storage.write_atomic(submit.JOB, b"{}")
    with pytest.raises(Unreadable, match=r"job.json is damaged"):
        submit.remembered(storage)


@pytest.mark.parametrize("command", ["run", "resume"])
def test_a_job_refuses_a_storage_that_does_not_know_it(command: str, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "PATIENCE_S", 0.0)
    submit.remember(storage, submitted("a"))
    submit.expect(storage, "a")
    storage.write_atomic("sweep.json", b"another's")
    sweep = "digits" if command == "resume" else str(ROOT / "search_spaces" / "digits.yaml")
    refused = CliRunner().invoke(app, [command, sweep, "--storage", str(storage.root.parent), "--address", "auto", "--submitted", "b"])
    assert isinstance(refused.exception, UsageError)
    assert "it is not the same folder; name a --storage that" in str(refused.exception)


def test_parcel_holds_this_software_the_sweep_file_and_its_modules_alone(tmp_path: Path) -> None:
    project, parcel = tmp_path / "project", tmp_path / "parcel"
    (project / ".git").mkdir(parents=True)
    (project / ".env").write_text("SECRET=1")
    (project / "data.bin").write_bytes(bytes(1000))
    file = project / "my.yaml"
    file.write_text("name: x")
    size = submit.pack(parcel, file=file, code={"nets.py": b"import torch"})
    names = {str(path.relative_to(parcel)) for path in parcel.rglob("*") if path.is_file()}
    assert {"sweep/sweep.yaml", "sweep/nets.py", "tuner/cli/main.py", "results/columns.py", "search_spaces/starter.yaml"} <= names
    assert {name.split("/")[0] for name in names} == {"sweep", "results", "search_spaces", "trainable", "tuner"}
    assert not any(word in name for name in names for word in ("__pycache__", ".git", ".env", "data.bin", "tests"))
    assert size == sum((parcel / name).stat().st_size for name in names)
    program = "import tuner.cli.main, results.columns; print(tuner.cli.main.__file__)"
    environment = {"PYTHONPATH": str(parcel), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(parcel / "tuner" / "cli" / "main.py")


def test_a_parcel_that_is_too_large_is_refused_with_what_makes_it_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "MAX_BYTES", 3 * 2**20)
    file = tmp_path / "my.yaml"
    file.write_text("name: x")
    with pytest.raises(UsageError, match=r"MiB to send, must be at most 3 MiB; the largest are nets.py 5 MiB"):
        submit.pack(tmp_path / "parcel", file=file, code={"nets.py": bytes(5 * 2**20)})
    assert not (tmp_path / "parcel").exists()


@pytest.mark.parametrize(
    ("ends", "tries", "code"),
    [("exit 0", 1, 0), ("exit 1", 1, 1), ("exit 130", 1, 130), ("kill -9 $$", 4, 137), ("[ -s $0.2 ] || { kill -9 $$; }; exit 3", 2, 3)],
)
def test_a_killed_driver_is_started_again_and_no_other(ends: str, tries: int, code: int, tmp_path: Path) -> None:
    """`python` is a shell script here that ends in a way of its own; it writes a line at each start."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nif [ -s "$0.1" ]; then echo x > "$0.2"; fi\necho "$@" >> "$0.1"\n{ends}\n')
    python.chmod(0o755)
    command = submit.entry_point(["run", "a b.yaml", "-s", "lr={loguniform: [1, 2]}"])
    done = subprocess.run(["/bin/sh", "-c", command], env={"PATH": str(tmp_path)}, capture_output=True)
    starts = (tmp_path / "python.1").read_text().splitlines()
    assert done.returncode == code
    assert starts == ["-m tuner.cli run a b.yaml -s lr={loguniform: [1, 2]}"] * tries
