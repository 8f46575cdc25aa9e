"""Names that lead nowhere else, and addresses that mean the same on every machine."""

from pathlib import Path

import pytest

from results import places
from results.storage import Storage


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHORTLIST_CACHE", str(tmp_path / "cache"))
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


def test_an_address_becomes_a_folder_of_this_machine_and_back(cache: Path) -> None:
    folder = places.local("s3://my-bucket/team/runs/")
    assert folder.is_relative_to(cache)
    assert places.address(folder / "digits") == "s3://my-bucket/team/runs/digits"
    assert places.bucket_and_prefix(places.local("s3://my-bucket")) == ("my-bucket", "")
    assert places.local("runs") == Path("runs")
    assert places.address(Path("runs/digits")) == "runs/digits"
    assert places.bucket_and_prefix(Path("runs")) is None


def test_buckets_of_one_name_at_two_endpoints_are_two_places(monkeypatch: pytest.MonkeyPatch) -> None:
    here = places.local("s3://my-bucket/runs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio:9000")
    assert places.local("s3://my-bucket/runs") != here


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("gs://bucket/runs", "gs:// is no storage, must be a folder that every node sees, or s3://bucket/prefix"),
        ("s3://", "no name of a bucket"),
        ("s3://Bucket/runs", "no name of a bucket"),
        ("s3://../runs", "no name of a bucket"),
        ("s3://bucket/../other", r"'\.\.' in the prefix"),
        ("s3://bucket//runs", "'' in the prefix"),
        ("s3://bucket/ru ns", "'ru ns' in the prefix"),
        ("s3://bucket/runs?versionId=1", "in the prefix"),
    ],
)
def test_an_address_that_cannot_be_is_refused(address: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        places.local(address)


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="credentials come from the environment") as caught:
        places.local("s3://AKIAIOSFODNN7EXAMPLE:wJalr@bucket/runs")
    assert "AKIA" not in str(caught.value)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "trials/../../outside", "trials/..", "a\\..\\b", "a\0b", "a\nb", "\x1b[2Jx"])
def test_name_that_leads_out_of_the_sweep_or_is_odd_is_refused(tmp_path: Path, name: str) -> None:
    storage = Storage(tmp_path / "sweep")
    for call in (storage.path, storage.read, storage.exists, storage.read_now, storage.remove, storage.fetch, storage.publish):
        with pytest.raises(ValueError, match=r"leads out of the sweep's folder|signs that no file"):
            call(name)
    with pytest.raises(ValueError, match=r"leads out of the sweep's folder|signs that no file"):
        storage.write_atomic(name, b"x")
    assert not (tmp_path / "outside").exists()


def test_link_that_leads_out_of_the_sweep_is_refused_at_any_depth(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("keep me")
    storage = Storage(tmp_path / "sweep")
    (storage.root / "trials").mkdir(parents=True)
    (storage.root / "trials/t00001").symlink_to(outside)
    (storage.root / "leaderboard.parquet").symlink_to(outside / "precious")
    for name in ("trials/t00001", "trials/t00001/precious", "leaderboard.parquet"):
        with pytest.raises(ValueError, match=f"is a link that leads out of the sweep's folder, to {outside}"):
            storage.path(name)
    with pytest.raises(ValueError, match="is a link"):
        storage.write_atomic("trials/t00001/new", b"x")
    assert [path.name for path in outside.iterdir()] == ["precious"]


def test_storage_folder_may_itself_be_a_link_and_links_inside_are_followed(tmp_path: Path) -> None:
    (tmp_path / "shared/digits/trials").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "shared")
    (tmp_path / "shared/digits/latest").symlink_to("trials")
    storage = Storage(tmp_path / "runs/digits")
    storage.write_atomic("latest/a", b"1")
    assert (tmp_path / "shared/digits/trials/a").read_bytes() == b"1"
