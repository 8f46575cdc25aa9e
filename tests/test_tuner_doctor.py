"""`doctor`: each line says what was seen, how bad that is, and what to do."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from results.storage import Storage
from tuner import doctor, machine, storage_probe
from tuner.cli.main import app
from tuner.doctor import Check
from tuner.machine import Machine

GIB = 2**30
VERSIONS = {"shortlist": "0.1.0", "python": "3.11.7", "torch": "2.15.0", "ray": "2.60.0"}
FIT = Machine(
    host="a", versions=VERSIONS, cuda="13.2", gpus=["H200", "H200"], broken=[], cores=8, free={"temporary files (/tmp)": 50 * GIB},
    shm=8 * GIB, files=65_536, clock=100.0, variables={"RAY_AUTH_MODE": "token"},
)  # fmt: skip


def found(checks: list[Check]) -> dict[str, tuple[str, str]]:
    return {check.name: (check.state, check.remedy) for check in checks if check.state != "ok"}


@pytest.mark.parametrize(
    ("change", "name", "state", "remedy"),
    [
        ({"free": {"temporary files (/tmp)": GIB}}, "disk", "warning", "TMPDIR"),
        ({"shm": 64 * 2**20}, "shared memory", "warning", "--shm-size"),
        ({"files": 1024}, "open files", "warning", "ulimit -n"),
        ({"broken": ["GPU 1: no kernel image"]}, "GPUs", "error", "update the driver"),
    ],
)
def test_an_unfit_machine_is_told_what_to_do(change: dict[str, object], name: str, state: str, remedy: str) -> None:
    assert found(list(doctor.machine("", FIT))) == {}
    told = found(list(doctor.machine("", replace(FIT, **change))))  # type: ignore[arg-type]  # any field
    assert list(told) == [name]
    assert told[name][0] == state
    assert remedy in told[name][1]


def nodes(changes: dict[str, object], *, answers: int | None = 2, num_gpus: int = 4) -> dict[str, tuple[str, str]]:
    other = replace(FIT, **{"host": "b", **changes})  # type: ignore[arg-type]  # any field
    seen = {"10.0.0.1": FIT, "10.0.0.2": other}
    return found(list(doctor.nodes(seen, FIT, asked_at=100.0, answered_at=101.0, answers=answers, num_gpus=num_gpus)))


@pytest.mark.parametrize(
    ("changes", "name", "state", "remedy"),
    [
        ({"versions": VERSIONS | {"python": "3.12.1"}}, "node 10.0.0.2 versions", "error", "same Python"),
        ({"versions": VERSIONS | {"ray": "2.59.0"}}, "node 10.0.0.2 versions", "error", "same Ray"),
        ({"versions": VERSIONS | {"torch": "2.14.0"}}, "node 10.0.0.2 versions", "warning", "torch differ"),
        ({"versions": VERSIONS | {"python": "3.11.9"}}, None, "", ""),
        ({"clock": 90.0}, "node 10.0.0.2 clock", "warning", "timedatectl set-ntp true on b"),
        ({"clock": 111.0}, "node 10.0.0.2 clock", "warning", "timedatectl"),
        ({"sees_storage": "/shared: No such file"}, "node 10.0.0.2 storage", "error", "under the same path"),
        ({"sees_data": "/data: empty"}, "node 10.0.0.2 data", "error", "put the data set"),
        ({"variables": {}}, "authentication", "warning", "RAY_AUTH_MODE=token"),
        ({"gpus": ["H200"]}, "GPUs of all nodes", "warning", "--num-gpus"),
    ],
)
def test_nodes_that_differ_are_told_by_address(changes: dict[str, object], name: str | None, state: str, remedy: str) -> None:
    told = nodes(changes, answers=1 if "sees_storage" in changes else 2)
    assert list(told) == ([name] if name else [])
    if name:
        assert told[name][0] == state
        assert remedy in told[name][1]


def test_folders_that_only_share_their_name_are_an_error() -> None:
    assert nodes({}, answers=1)["storage of all nodes"][0] == "error"
    assert nodes({}, answers=None) == {}


def test_a_node_that_does_not_answer_is_an_error() -> None:
    checks = doctor.nodes({"10.0.0.9": "No module named tuner"}, FIT, asked_at=0, answered_at=1, answers=0, num_gpus=0)
    assert [(check.name, check.state) for check in checks] == [("node 10.0.0.9", "error")]


def test_a_machine_answers_what_was_written_to_the_storage(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "runs")
    with storage_probe.token(storage) as (name, content):
        assert machine.look((storage.address, name, content), None, "n1").sees_storage is None
        assert storage_probe.answered(storage, name, content, "n1")
        assert machine.look((str(tmp_path / "elsewhere"), name, content), None, "n2").sees_storage is not None
        assert machine.look(None, str(tmp_path / "nowhere"), "n3").sees_data is not None
    assert not (tmp_path / "runs").exists()


def test_storage_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    assert found(list(doctor.storage(Storage(tmp_path / "runs")))) == {}
    assert not (tmp_path / "runs").exists()
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert found(list(doctor.storage(Storage(blocked / "runs"))))["storage"][0] == "error"


def test_command_says_how_this_machine_is_and_ends_with_1_where_something_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text((Path(__file__).parents[1] / "search_spaces" / "digits.yaml").read_text())
    call = ["doctor", str(sweep), "--storage", str(tmp_path / "runs"), "-o", "json"]
    fit = CliRunner().invoke(app, call)
    said = json.loads(fit.output)
    assert fit.exit_code == 0, fit.output
    assert {"versions", "GPUs", "disk", "open files", "storage", "token of this machine", "data"} <= {one["name"] for one in said["checks"]}
    (tmp_path / "config" / "shortlist" / "ray_token").chmod(0o644)
    unfit = CliRunner().invoke(app, call)
    assert unfit.exit_code == 1
    wrong = next(one for one in json.loads(unfit.output)["checks"] if one["name"] == "token of this machine")
    assert wrong["state"] == "error"
    assert "chmod 600" in wrong["remedy"]
