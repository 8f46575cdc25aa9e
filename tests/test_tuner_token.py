"""Tokens: made once, whole, for their owner alone; refused where others may read them; sent where there is one."""

import os
import stat
import threading
from pathlib import Path

import pytest

from tuner import token
from tuner.errors import UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return token.ensure(tmp_path / "shortlist" / "ray_token")


def test_token_file_is_its_owners_alone_in_a_folder_of_our_own(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(file.read_text()) == 64
    assert [path.name for path in file.parent.iterdir()] == ["ray_token"]


def test_a_token_that_is_there_is_kept(file: Path) -> None:
    before = file.read_text()
    assert token.ensure(file).read_text() == before


def test_commands_that_start_at_once_use_one_token(tmp_path: Path) -> None:
    path = tmp_path / "ray_token"
    together = threading.Barrier(8)
    seen: list[str] = []

    def start() -> None:
        together.wait()
        seen.append(token.ensure(path).read_text())

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert set(seen) == {path.read_text()}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_token_that_others_may_read_is_refused_with_the_command_that_mends_it(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(UsageError, match=rf"mode {mode:04o}, others may read it, must be 0600; chmod 600 {file}") as refused:
        token.ensure(file)
    assert file.read_text() not in str(refused.value)


@pytest.mark.parametrize("content", ["", "short", "two words " * 8])
def test_a_file_without_a_token_is_refused(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(UsageError, match="must be a token of 32 or more without blanks; delete it"):
        token.ensure(file)


def test_a_user_without_a_home_gets_a_token_for_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(blocked))
    made = token.own()
    assert not made.is_relative_to(tmp_path)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700


def test_own_token_lies_in_the_users_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert token.own() == tmp_path / "shortlist" / "ray_token"


def test_private_instance_asks_for_the_token_of_the_file_alone(file: Path) -> None:
    environment = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "the-users-cluster"}
    token.for_private(file, environment)
    assert environment == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(file)}


def test_cluster_is_sent_the_token_that_the_environment_names(file: Path) -> None:
    environment = {"RAY_AUTH_TOKEN_PATH": str(file)}
    token.for_cluster(environment)
    assert environment["RAY_AUTH_MODE"] == "token"
    by_value = {"RAY_AUTH_TOKEN": "x" * 40}
    token.for_cluster(by_value)
    assert by_value["RAY_AUTH_MODE"] == "token"


def test_cluster_is_sent_rays_default_token(tmp_path: Path) -> None:
    default = tmp_path / ".ray" / "auth_token"
    token.ensure(default)
    environment = {"HOME": str(tmp_path)}
    token.for_cluster(environment)
    assert environment["RAY_AUTH_MODE"] == "token"
    default.chmod(0o644)  # as `ray get-auth-token --generate` leaves it
    with pytest.raises(UsageError, match="chmod 600"):
        token.for_cluster({"HOME": str(tmp_path)})


def test_nobody_sends_a_token_where_there_is_none_or_it_is_switched_off(file: Path, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    token.for_cluster(environment)
    assert environment["RAY_AUTH_MODE"] == "disabled"
    off = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN_PATH": "/nowhere"}
    token.for_cluster(off)
    assert off["RAY_AUTH_MODE"] == "disabled"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"RAY_AUTH_MODE": "token"}, "there is no token: set RAY_AUTH_TOKEN_PATH"),
        ({"RAY_AUTH_TOKEN_PATH": "/nowhere/token"}, "/nowhere/token: no such file"),
    ],
)
def test_a_token_that_is_not_there_is_told_before_ray_crashes_over_it(environment: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        token.for_cluster({"HOME": str(tmp_path), **environment})


def test_private_folder_is_its_owners_alone_whoever_was_there_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token, "LONGEST", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = token.private_folder()
    assert first == token.private_folder() == tmp_path / f"shortlist-{os.getuid()}"
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    first.chmod(0o777)
    other = token.private_folder()
    assert other != first
    assert stat.S_IMODE(other.stat().st_mode) == 0o700
    other.rmdir()
    first.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    first.symlink_to(elsewhere)
    assert token.private_folder() not in (first, elsewhere)
