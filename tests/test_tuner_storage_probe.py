"""A storage that cannot carry a sweep is found before anything is trained, and a good one shows no trace of having been tried."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import object_stores
import pytest
from object_stores import FaultyProxy, machine

from results import object_store
from results.storage import Storage
from tuner import storage_probe
from tuner.errors import UsageError

SWEEP = """
version: 1
name: tiny
data: {name: digits}
trial: {model: {family: resnet, blocks: [1], channels: 4}, lr: 0.1}
search: {sampler: random, trials: 1}
scheduler: {none: {max_epochs: 1}}
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with object_stores.server() as url:
        yield url


@pytest.fixture
def proxy(url: str) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(url)
    with object_stores.using(proxy.url):
        yield proxy
    proxy.close()


def run(folder: Path, storage: str) -> subprocess.CompletedProcess[str]:
    (folder / "tiny.yaml").write_text(SWEEP)
    program = "from results import object_store; object_store.FIRST_PATIENCE_S = 0.2; from tuner.cli.main import main; main()"
    arguments = ["run", "tiny.yaml", "--storage", storage]
    return subprocess.run([sys.executable, "-c", program, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)


def test_good_storage_is_as_it_was(url: str, tmp_path: Path) -> None:
    storage_probe.writable(Storage(tmp_path / "new" / "runs" / "digits"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "runs" / "digits").mkdir(parents=True)
    (tmp_path / "runs" / "digits" / "sweep.yaml").touch()
    storage_probe.writable(Storage(tmp_path / "runs" / "digits"))
    assert [path.name for path in (tmp_path / "runs" / "digits").iterdir()] == ["sweep.yaml"]
    storage_probe.writable(Storage.at("s3://sweeps/probed/digits"))
    assert object_stores.keys("probed/") == []


def test_store_that_ignores_conditions_is_refused(proxy: FaultyProxy) -> None:
    proxy.drops_conditions = True
    with pytest.raises(UsageError, match=r"does not look at the condition of a conditional write .* two drivers could write"):
        storage_probe.writable(Storage.at("s3://sweeps/careless/digits"))
    assert object_stores.keys("careless/") == []


def test_bucket_that_is_not_there_ends_the_run_before_anything_starts(url: str, tmp_path: Path) -> None:
    done = run(tmp_path, "s3://nowhere-at-all/runs")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last == "shortlist: s3://nowhere-at-all: the bucket does not exist; create it, or name another one with --storage"


def test_bucket_that_cannot_be_written_to_ends_the_run_before_anything_starts(proxy: FaultyProxy, tmp_path: Path) -> None:
    proxy.fault = lambda method, path: 403 if method == "PUT" else None
    done = run(tmp_path, "s3://sweeps/forbidden")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("shortlist: s3://sweeps/forbidden/tiny/.probe/")
    assert last.endswith(": access denied; make it writable for this user, or name another folder with --storage")


def test_store_at_which_nobody_answers_ends_the_run_before_anything_starts(tmp_path: Path) -> None:
    with object_stores.using("http://127.0.0.1:9"):
        done = run(tmp_path, "s3://sweeps/runs")
    assert done.returncode == 2
    assert "(EndpointConnectionError); see AWS_ENDPOINT_URL and the network" in done.stderr.splitlines()[-1]
    assert object_stores.SECRET not in done.stderr


def test_folder_below_a_file_ends_the_run_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    done = run(tmp_path, "runs")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("shortlist: ")
    assert "Traceback" not in done.stderr


def test_address_that_cannot_be_is_refused_with_the_option_that_had_it(tmp_path: Path) -> None:
    done = run(tmp_path, "gs://bucket/runs")
    assert done.returncode == 2
    assert "--storage" in done.stderr
    assert "gs:// is no storage, must be a folder that every node sees, or s3://bucket/prefix" in " ".join(
        done.stderr.replace("│", " ").split()
    )


def test_what_a_node_finds_out_is_told_in_words(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each visit is made from here, with the surroundings of a node that is set up wrongly."""
    storage = Storage(tmp_path / "runs" / "digits")
    elsewhere = str(tmp_path / "not-mounted" / "runs" / "digits")
    with storage_probe.token(storage) as (name, content):
        assert storage_probe.answer(storage.address, name, content, "n1") is None
        assert storage_probe.answered(storage, name, content, "n1")
        assert storage_probe.answer(elsewhere, name, content, "n2") == "did not find what the driver had written"
        assert not storage_probe.answered(storage, name, content, "n2")
        assert "read something else" in (storage_probe.answer(storage.address, name, b"other", "n3") or "")
    assert list(tmp_path.iterdir()) == []
    remote = Storage.at("s3://sweeps/nodes/digits")
    with storage_probe.token(remote) as (name, content), machine(tmp_path / "node"):
        assert storage_probe.answer(remote.address, name, content, "n1") is None
        assert storage_probe.answered(remote, name, content, "n1")
        monkeypatch.setattr(object_store, "FIRST_PATIENCE_S", 0.1)
        with object_stores.using("http://127.0.0.1:9"):  # a node whose endpoint is another one
            assert "no answer within" in (storage_probe.answer(remote.address, name, content, "n2") or "")
        object_store.bucket("sweeps").delete([f"nodes/digits/{name}"])
        assert storage_probe.answer(remote.address, name, content, "n3") == "did not find what the driver had written"
