"""An S3 bucket as a real server serves it, and as a bad network and a busy store do."""

import errno
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import object_stores
import pytest
from object_stores import Fault, FaultyProxy

from results import object_store
from results.errors import Changed
from results.object_store import ObjectStore


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with object_stores.server() as url:
        yield url


@pytest.fixture
def store(url: str) -> ObjectStore:
    object_stores.forget()
    return object_store.bucket("sweeps")


@pytest.fixture
def proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """A proxy that this process talks to, and no patience for it."""
    proxy = FaultyProxy(url)
    monkeypatch.setattr(object_store, "_FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(object_store, "FIRST_PATIENCE_S", 0.3)
    monkeypatch.setattr(object_store, "PATIENCE_S", 5.0)
    with object_stores.using(proxy.url):
        yield proxy
    proxy.close()


def first(number: int, fault: Fault) -> Callable[[str, str], Fault]:
    """Return a fault for the first requests only."""
    left = [fault] * number
    return lambda method, path: left.pop() if left else None


def test_what_was_written_is_read_listed_and_deleted(store: ObjectStore) -> None:
    etag, written_ns = store.put("rw/a/one", b"1")
    store.put("rw/b", b"22")
    read = store.get("rw/a/one")
    assert (read.data, read.etag, read.written_ns) == (b"1", etag, written_ns)
    assert 0 <= read.age_s < 5
    assert [(found.key, found.size) for found in store.list_below("rw/")] == [("rw/a/one", 1), ("rw/b", 2)]
    objects, folders = store.list_folder("rw/")
    assert ([found.key for found in objects], folders) == (["rw/b"], ["a"])
    store.copy("rw/b", "rw/c")
    store.delete(["rw/a/one", "rw/b", "rw/never-was"])
    assert object_stores.keys("rw/") == ["rw/c"]
    with pytest.raises(FileNotFoundError, match="no such object") as caught:
        store.get("rw/b")
    assert caught.value.filename == "s3://sweeps/rw/b"


def test_files_are_moved_without_being_held_in_memory(store: ObjectStore, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    (tmp_path / "weights").write_bytes(content)
    store.upload("file", tmp_path / "weights")
    store.download("file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content


def test_listing_of_more_than_a_page_is_whole(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        store.put(f"pages/{number}", b"")
    ask = store._client.list_objects_v2
    monkeypatch.setattr(store._client, "list_objects_v2", lambda **options: ask(MaxKeys=2, **options))
    assert [found.key for found in store.list_below("pages/")] == [f"pages/{number}" for number in range(5)]


def test_conditional_write_is_refused_where_somebody_was_quicker(store: ObjectStore) -> None:
    etag, _ = store.put("cond", b"mine", new=True)
    with pytest.raises(Changed, match="s3://sweeps/cond was written by somebody else"):
        store.put("cond", b"yours", new=True)
    later, _ = store.put("cond", b"mine again", instead_of=etag)
    with pytest.raises(Changed):
        store.put("cond", b"yours", instead_of=etag)
    store.delete(["cond"])
    with pytest.raises(Changed):
        store.put("cond", b"mine", instead_of=later)


@pytest.mark.parametrize("fault", [500, 503, "reset", 0.2])
def test_hiccups_are_survived_and_nobody_hears_of_them(proxy: FaultyProxy, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    store = object_store.bucket("sweeps")
    proxy.fault = first(3, fault)
    store.put(f"hiccup-{fault}", b"1")
    proxy.fault = first(2, fault)
    assert store.get(f"hiccup-{fault}").data == b"1"
    assert caplog.text == ""


def test_conditional_write_whose_answer_was_lost_counts_as_written(proxy: FaultyProxy) -> None:
    store = object_store.bucket("sweeps")
    proxy.fault = first(1, "deaf")
    etag, _ = store.put("deaf", b"one", new=True)
    proxy.fault = first(1, "deaf")
    store.put("deaf", b"two", instead_of=etag)
    assert store.get("deaf").data == b"two"
    assert [request for request in proxy.requests if request.startswith("PUT")] == ["PUT /sweeps/deaf"] * 4


def test_store_that_stays_silent_is_told_of_and_given_up_in_the_end(
    proxy: FaultyProxy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "_SAID_AFTER_S", 0.05)
    monkeypatch.setattr(object_store, "PATIENCE_S", 0.5)
    store = object_store.bucket("sweeps")
    proxy.fault = lambda method, path: 503
    with pytest.raises(OSError, match=r"no answer within \d s \(SlowDown\); see AWS_ENDPOINT_URL") as caught:
        store.put("silent", b"1")
    assert caught.value.errno == errno.ENXIO
    assert not store.answered
    assert "s3://sweeps does not answer (SlowDown); trying for 0 s in all" in caplog.text
    caplog.clear()
    monkeypatch.setattr(object_store, "FIRST_PATIENCE_S", 5.0)
    proxy.fault = first(6, 500)
    store.put("silent", b"1")
    assert store.answered
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "answers again after" in caplog.text


def test_what_will_not_pass_is_told_at_once_with_its_remedy(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="bucket does not exist; create it, or name another one with --storage") as caught:
        object_store.bucket("nowhere").put("a", b"")
    assert (caught.value.errno, caught.value.filename) == (errno.ENXIO, "s3://nowhere")
    object_stores.forget()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(PermissionError, match="no credentials; set AWS_ACCESS_KEY_ID"):
        object_store.bucket("sweeps").put("a", b"")


def test_port_at_which_nobody_listens_is_given_up_soon(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "FIRST_PATIENCE_S", 0.1)
    with object_stores.using("http://127.0.0.1:9"), pytest.raises(OSError, match="EndpointConnectionError") as caught:
        object_store.bucket("sweeps").get("a")
    assert object_stores.SECRET not in str(caught.value)


def test_without_boto3_the_remedy_is_named_and_folders_work(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['boto3'] = None\n"
        "from pathlib import Path\nfrom results.storage import Storage\n"
        f"Storage(Path({str(tmp_path)!r})).write_atomic('a', b'1')\n"
        "from tuner.cli import main\nsys.argv = ['shortlist', 'status', 's3://sweeps/digits']\nmain.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2, "shortlist: s3://sweeps: object stores need boto3, which is not installed; install it with: pip install 'shortlist[s3]'\n",
    )  # fmt: skip
    assert (tmp_path / "a").read_bytes() == b"1"
