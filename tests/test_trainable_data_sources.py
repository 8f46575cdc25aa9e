from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import CLASSES, draw, encode, write_parquet

from trainable.config.data import DataConfig
from trainable.data.images import ImageShape
from trainable.data.shape import image_shape
from trainable.data.sources import source
from trainable.errors import DataError


def parquet(folder: Path) -> DataConfig:
    return DataConfig(name="parquet", path=str(folder))


def test_digits_split_is_a_stratified_fifth() -> None:
    digits = source(DataConfig(name="digits"))
    train, test = digits.read("train"), digits.read("test")
    assert (len(train.labels_N), len(test.labels_N)) == (1438, 359)
    assert train.images_NHWC.shape[1:] == (8, 8, 1)
    assert train.images_NHWC.max() == 255
    every_class = np.bincount(np.concatenate([train.labels_N, test.labels_N]))
    assert (abs(np.bincount(test.labels_N) - every_class / 5) < 1).all()
    # Some digits of the set are equal pixel by pixel, so the rows are compared as a whole: together they are the set.
    from sklearn.datasets import load_digits

    both = np.concatenate([train.images_NHWC, test.images_NHWC])
    assert sorted(image.tobytes() for image in both) == sorted(
        np.round(image * 255 / 16).astype(np.uint8).tobytes() for image in load_digits().images
    )


@pytest.mark.parametrize(("kind", "tolerance"), [("PNG", 0), ("JPEG", 80)])
def test_parquet_holds_jpeg_or_png(tmp_path: Path, kind: str, tolerance: int) -> None:
    images = source(parquet(write_parquet(tmp_path, kind=kind))).read("train")
    rng = np.random.default_rng(0)
    drawn = np.stack([draw(label, rng) for label in images.labels_N])
    assert images.class_names == CLASSES
    assert images.labels_N.tolist() == [row % 3 for row in range(60)]
    assert np.abs(images.images_NHWC.astype(int) - drawn).mean() <= tolerance / 4
    assert np.abs(images.images_NHWC.astype(int) - drawn).max() <= tolerance or kind == "JPEG"


def test_files_of_a_split_are_read_in_order_of_name_and_no_others(tmp_path: Path) -> None:
    write_parquet(tmp_path, name="train-1", labels=[1, 1])
    write_parquet(tmp_path, name="train-0", labels=[0])
    write_parquet(tmp_path, name="test-0", labels=[2])
    assert source(parquet(tmp_path)).read("train").labels_N.tolist() == [0, 1, 1]
    assert source(parquet(tmp_path)).read("test").labels_N.tolist() == [2]


def test_columns_and_classes_are_found_without_a_description(tmp_path: Path) -> None:
    config = parquet(write_parquet(tmp_path, class_names=None))
    assert source(config).read("train").class_names == ("0", "1", "2")
    assert image_shape(config) == ImageShape((3, 8, 8), 3)


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    grey = [encode(np.full((6, 5), 9, dtype=np.uint8))] * 3
    config = parquet(write_parquet(tmp_path, images=grey, labels=[0, 1, 2]))
    assert source(config).read("train").images_NHWC.shape == (3, 6, 5, 1)
    assert image_shape(config) == ImageShape((1, 6, 5), 3)


PNG = encode(np.zeros((8, 8, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        ({"images": [PNG, PNG[:40], PNG]}, r"train-00000\.parquet: row 1 cannot be decoded"),
        ({"images": [PNG, PNG, b"no image"]}, "row 2 cannot be decoded"),
        ({"images": [PNG, None, PNG]}, "row 1 has no image bytes"),
        ({"images": [PNG, PNG, encode(np.zeros((9, 8, 3), dtype=np.uint8))]}, r"row 2 is \(9, 8, 3\).*must have one size"),
        ({"images": [PNG, PNG, encode(np.zeros((8, 8, 4), dtype=np.uint8))]}, "row 2 has mode RGBA, must be one of L, RGB"),
        ({"labels": [0, 3, 1]}, r"row 1 has label 3, must be 0\.\.2"),
        ({"labels": [0, 1, -1]}, r"row 2 has label -1, must be 0\.\.2"),
        ({"labels": [0, None, 1]}, "row 1 has no label"),
    ],
)
def test_spoilt_row_is_named(tmp_path: Path, spoilt: dict[str, Any], says: str) -> None:
    config = parquet(write_parquet(tmp_path, **({"images": [PNG] * 3, "labels": [0, 1, 2]} | spoilt)))
    with pytest.raises(DataError, match=says):
        source(config).read("train")


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds none, must be a folder with train\*\.parquet"):
        image_shape(parquet(tmp_path))
    with pytest.raises(DataError, match="does not exist"):
        image_shape(parquet(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"data\.path is not set"):
        image_shape(DataConfig(name="parquet"))


def test_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match=r"train\.parquet cannot be read as Parquet"):
        image_shape(parquet(tmp_path))


def test_cifar10_that_cannot_be_downloaded_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", refuse)
    config = DataConfig(name="cifar10", path=str(tmp_path))
    assert image_shape(config) == ImageShape((3, 32, 32), 10)  # without downloading
    with pytest.raises(DataError, match=r"no usable cifar-10-batches-py in .*no route to host.*unpack.*parquet") as caught:
        source(config).key("train")
    assert str(tmp_path) in str(caught.value)


def test_cifar10_is_keyed_by_the_bytes_of_its_split(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        (folder / name).write_bytes(name.encode())
    cifar10 = source(DataConfig(name="cifar10", path=str(tmp_path)))
    before = cifar10.key("train"), cifar10.key("test")
    (folder / "data_batch_3").write_bytes(b"other")
    assert cifar10.key("train") != before[0]
    assert cifar10.key("test") == before[1]
