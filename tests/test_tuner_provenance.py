"""Provenance names the software and nothing of the user's."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tuner import provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return the package folder of a small repository with one commit."""
    package = tmp_path / "tuner"
    package.mkdir()
    (package / "__init__.py").touch()
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message", "first")
    return package


def test_commit_is_that_of_the_checkout(checkout: Path) -> None:
    assert provenance.commit(checkout) == git(checkout, "rev-parse", "HEAD")


def test_changed_files_mark_the_commit_and_new_ones_do_not(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    (checkout.parent / "notes.txt").write_text("not part of the software")
    assert provenance.commit(checkout) == head
    (checkout / "__init__.py").write_text("changed = True\n")
    assert provenance.commit(checkout) == f"{head}+changes"


def test_commit_is_unknown_inside_the_checkout_of_something_else(checkout: Path) -> None:
    installed = checkout.parent / ".venv" / "site-packages" / "tuner"
    installed.mkdir(parents=True)
    (installed / "__init__.py").touch()
    assert provenance.commit(installed) is None


def test_commit_is_unknown_without_a_repository_and_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit(Path(provenance.__file__).parent) is None


def test_a_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package-here"))
    assert set(provenance.versions()) == {"python", "numpy"}


def test_what_is_collected_is_json_in_utc_and_holds_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2-hunter2")
    collected = provenance.collect()
    assert set(collected) == {"at", "commit", "versions", "host", "platform"}
    assert "hunter2-hunter2" not in json.dumps(collected)
    at = datetime.fromisoformat(str(collected["at"]))
    assert at.tzinfo == UTC
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60


def test_neither_torch_nor_ray_is_imported() -> None:
    code = "import sys; from tuner import provenance; provenance.collect(); print(sorted({'torch', 'ray', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
