from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import CPU, encode, write_parquet

from trainable.config.data import DataConfig
from trainable.data import cache
from trainable.data.resident import resident
from trainable.data.test_split import open_test_split

DIGITS = DataConfig(name="digits", validation=288)


def rows(images_NHWC: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images_NHWC}


def test_reused_worker_has_its_data_already() -> None:
    assert resident(DIGITS, CPU) is resident(DataConfig(name="digits", validation=288), torch.device("cpu"))


def test_parts_never_overlap_with_each_other_or_the_test_split(tmp_path: Path) -> None:
    # Noise, so that no two images are equal by chance and content tells rows apart.
    write_parquet(tmp_path)
    write_parquet(tmp_path, name="test-00000", num_images=30, seed=1)
    config = DataConfig(name="parquet", path=str(tmp_path), validation=15)
    data, test = resident(config, CPU), open_test_split(config, CPU)
    train, validation, tested = rows(data.train_images_NHWC), rows(data.val_images_NHWC), rows(test.images_NHWC)
    assert (len(train), len(validation), len(tested)) == (45, 15, 30)
    assert not train & validation
    assert not (train | validation) & tested
    assert data.fingerprint != test.fingerprint


def test_training_never_opens_the_test_files(tmp_path: Path) -> None:
    write_parquet(tmp_path)
    (tmp_path / "test-00000.parquet").write_bytes(b"whoever reads this fails")
    assert len(resident(DataConfig(name="parquet", path=str(tmp_path)), CPU).train_labels_N) == 54


def test_training_asks_for_the_training_split_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    decoded = cache.decoded
    monkeypatch.setattr("trainable.data.resident.decoded", lambda config, split: (asked.append(split), decoded(config, split))[1])
    resident.cache_clear()
    resident(DIGITS, CPU)
    assert asked == ["train"]


def test_mean_and_deviation_are_those_of_the_training_part_alone(tmp_path: Path) -> None:
    config = DataConfig(name="parquet", path=str(write_parquet(tmp_path)), validation=15, train_examples=30)
    data = resident(config, CPU)
    pixels = data.train_images_NHWC.numpy().astype(np.float64)
    assert len(pixels) == 30
    assert data.mean == pytest.approx(pixels.mean(axis=(0, 1, 2)), rel=1e-12)
    assert data.std == pytest.approx(pixels.std(axis=(0, 1, 2)), rel=1e-12)
    everything = np.concatenate([pixels, data.val_images_NHWC.numpy()])
    assert data.mean != pytest.approx(everything.mean(axis=(0, 1, 2)), rel=1e-9)


def test_constant_channel_is_not_divided_by_zero(tmp_path: Path) -> None:
    black = [encode(np.zeros((4, 4), dtype=np.uint8))] * 12
    data = resident(DataConfig(name="parquet", path=str(write_parquet(tmp_path, images=black, labels=[0, 1, 2] * 4)), validation=3), CPU)
    assert (data.mean, data.std) == ((0.0,), (1.0,))


@pytest.mark.slow
def test_real_cifar10_is_read(cifar10_jpeg: Path) -> None:
    data = resident(DataConfig(name="parquet", path=str(cifar10_jpeg), validation=1000, train_examples=4000), CPU)
    assert data.image == (3, 32, 32)
    assert data.class_names[:2] == ("airplane", "automobile")
    assert torch.bincount(data.train_labels_N).tolist() == [400] * 10
    assert torch.bincount(data.val_labels_N).tolist() == [100] * 10
    # The published mean of the original is (0.4914, 0.4822, 0.4465); 4,000 images miss it by a few thousandths.
    assert [mean / 255 for mean in data.mean] == pytest.approx([0.4914, 0.4822, 0.4465], abs=0.01)
