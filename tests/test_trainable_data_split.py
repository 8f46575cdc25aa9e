import numpy as np
import pytest

from trainable.data.split import divide, stratified_sample
from trainable.errors import DataError

# 7 classes of very different sizes, in a fixed disorder.
LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(7), [1, 2, 10, 50, 100, 337, 500]))


@pytest.mark.parametrize("count", [0, 1, 3, 10, 333, 999, 1000])
def test_sample_has_exactly_as_many_rows_and_every_class_its_share(count: int) -> None:
    rows = stratified_sample(LABELS, count, seed=(5,))
    assert len(rows) == len(set(rows)) == count
    shares = count * np.bincount(LABELS) / len(LABELS)
    assert (abs(np.bincount(LABELS[rows], minlength=7) - shares) < 1).all()


def test_parts_are_disjoint_and_as_large_as_asked() -> None:
    parts = divide(LABELS, validation=200, train_examples=300, seed=0)
    assert (len(parts.validation), len(parts.train)) == (200, 300)
    assert not set(parts.validation) & set(parts.train)


def test_all_that_remains_is_trained_on() -> None:
    parts = divide(LABELS, validation=0.25, train_examples=None, seed=0)
    assert sorted([*parts.validation, *parts.train]) == list(range(1000))
    assert len(parts.validation) == 250


def test_same_seed_same_split_other_seed_another() -> None:
    one, two, other = (divide(LABELS, validation=200, train_examples=300, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.validation, two.validation)
    assert np.array_equal(one.train, two.train)
    assert not np.array_equal(one.validation, other.validation)


def test_split_is_the_same_for_ever() -> None:
    # A stored leaderboard would not be comparable with a new one if these rows moved.
    assert stratified_sample(np.arange(100) % 4, 6, seed=(0,)).tolist() == [2, 11, 13, 20, 53, 92]


def test_fewer_training_images_are_judged_on_the_same_validation_images() -> None:
    few = divide(LABELS, validation=200, train_examples=10, seed=3)
    many = divide(LABELS, validation=200, train_examples=None, seed=3)
    assert np.array_equal(few.validation, many.validation)


@pytest.mark.parametrize("validation", [1000, 1500, 0.9999, 0.0001])
def test_validation_that_leaves_nothing_is_refused(validation: float) -> None:
    with pytest.raises(DataError, match=r"data\.validation: .* choose a count from 1 to 999"):
        divide(LABELS, validation=validation, train_examples=None, seed=0)


def test_more_training_images_than_remain_are_refused() -> None:
    with pytest.raises(DataError, match=r"data\.train_examples: 801, but 800 of 1000 .* at most 800"):
        divide(LABELS, validation=200, train_examples=801, seed=0)
