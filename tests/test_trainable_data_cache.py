import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import write_parquet

from trainable.config.data import DataConfig
from trainable.data.cache import decoded
from trainable.data.parquet import Parquet
from trainable.errors import DataError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHORTLIST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    return DataConfig(name="parquet", path=str(write_parquet(tmp_path / "data")))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The splits that were decoded, in order."""
    seen: list[str] = []
    read = Parquet.read
    monkeypatch.setattr(Parquet, "read", lambda self, split: (seen.append(split), read(self, split))[1])
    return seen


def folder_of(root: Path) -> Path:
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    return folder


def test_second_opening_decodes_nothing(root: Path, config: DataConfig, reads: list[str]) -> None:
    first, fingerprint = decoded(config, "train")
    again, same = decoded(config, "train")
    assert reads == ["train"]
    assert fingerprint == same
    assert isinstance(again.images_NHWC, np.memmap)
    assert np.array_equal(first.images_NHWC, again.images_NHWC)


def test_other_content_has_its_own_place(root: Path, config: DataConfig, reads: list[str], tmp_path: Path) -> None:
    _, before = decoded(config, "train")
    write_parquet(tmp_path / "data", seed=1)
    _, after = decoded(config, "train")
    assert before != after
    assert reads == ["train", "train"]


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["absent", "cut", "flipped"])
def test_damaged_cache_is_decoded_again(root: Path, config: DataConfig, reads: list[str], name: str, damage: str) -> None:
    _, fingerprint = decoded(config, "train")
    file = folder_of(root) / name
    content = bytearray(file.read_bytes())
    file.unlink()  # not in place: the first opening has it mapped
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) * 3 // 4] ^= 1
        file.write_bytes(content)
    images, again = decoded(config, "train")
    assert reads == ["train", "train"]
    assert again == fingerprint
    assert len(images.labels_N) == 60


def test_leftover_of_a_killed_process_is_no_hindrance(root: Path, config: DataConfig) -> None:
    decoded(config, "train")
    folder = folder_of(root)
    folder.rename(folder.with_suffix(".partial"))
    (folder.with_suffix(".partial") / "meta.json").unlink()
    assert len(decoded(config, "train")[0].labels_N) == 60
    assert folder_of(root) == folder


def test_two_processes_at_once_decode_once(root: Path, config: DataConfig, tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from trainable.config.data import DataConfig
from trainable.data import cache
from trainable.data.parquet import Parquet

name, path, log, other = sys.argv[1:]
read = Parquet.read
def logged(self, split):
    with open(log, "a") as file:
        file.write("decoded\\n")
    return read(self, split)
Parquet.read = logged
Path(log + name).touch()
while not Path(log + other).exists():  # both have started
    time.sleep(0.001)
images, fingerprint = cache.decoded(DataConfig(name="parquet", path=path), "train")
print(len(images.labels_N), fingerprint)
"""
    log = tmp_path / "log"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, name, str(config.path), str(log), other], stdout=subprocess.PIPE, text=True)
        for name, other in (("a", "b"), ("b", "a"))
    ]
    answers = {process.communicate(timeout=120)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(answers) == 1
    assert answers.pop().startswith("60 ")
    assert log.read_text() == "decoded\n"


def test_cache_that_cannot_be_written_says_so(tmp_path: Path, config: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SHORTLIST_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot be written.*set SHORTLIST_CACHE"):
        decoded(config, "train")
