"""Stratified choices among labelled images. Pure: labels and a seed in, row numbers out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainable.config.data import DataConfig
from trainable.data.images import Labels
from trainable.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """Row numbers of a training split, ascending; no row is in both parts, unless a final trains on all."""

    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]


def division(config: DataConfig, labels_N: Labels) -> Division:
    """Return the rows that a configuration trains on and those that judge it; with `train_on: all` it trains on both.

    Raises:
        DataError: As in `divide`.
    """
    rows = divide(labels_N, validation=config.validation, train_examples=config.train_examples, seed=config.split_seed)
    if config.train_on == "train":
        return rows
    return Division(train=np.union1d(rows.train, rows.validation), validation=rows.validation)


def divide(labels_N: Labels, *, validation: int | float, train_examples: int | None, seed: int) -> Division:
    """Hold out validation images, then choose those to train on; both stratified.

    The validation images depend on `validation` and `seed` alone: training on fewer images is measured on the same ones.

    Args:
        labels_N: Class of each image of the training split.
        validation: Images held out: a count >= 1, or a fraction between 0 and 1.
        train_examples: Images to train on, >= 1; all that remain where None.
        seed: Seed of the choice.

    Raises:
        DataError: More is asked for than there is, or nothing would be left.
    """
    num_images = len(labels_N)
    num_validation = validation if isinstance(validation, int) else round(validation * num_images)
    num_left = num_images - num_validation
    if num_validation < 1 or num_left < 1:
        raise DataError(
            f"data.validation: {validation} of {num_images} training images leaves {num_left} to train on and {num_validation} to "
            f"validate on, must leave at least one of each; choose a count from 1 to {num_images - 1}"
        )
    if train_examples is not None and train_examples > num_left:
        raise DataError(
            f"data.train_examples: {train_examples}, but {num_left} of {num_images} training images remain after validation; "
            f"choose at most {num_left} or lower data.validation"
        )
    validation_rows = stratified_sample(labels_N, num_validation, seed=(seed, 0))
    rest = np.setdiff1d(np.arange(num_images), validation_rows, assume_unique=True)
    chosen = rest if train_examples is None else rest[stratified_sample(labels_N[rest], train_examples, seed=(seed, 1))]
    return Division(train=chosen, validation=validation_rows)


def stratified_sample(labels_N: Labels, count: int, *, seed: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return `count` row numbers, ascending, in which every class has its share, rounded by largest remainder.

    Args:
        labels_N: Class of each row.
        count: Rows to choose, 0 <= count <= N.
        seed: Seed of the choice, one number or several.
    """
    assert 0 <= count <= len(labels_N), f"{count} of {len(labels_N)}"
    # The raw stream of a bit generator never changes between releases of numpy; that of `permutation` may (NEP 19).
    shuffled = np.argsort(np.random.PCG64(seed).random_raw(len(labels_N)), kind="stable")
    class_sizes = np.bincount(labels_N)
    # Integer arithmetic: count * size / N, rounded down, then one more for the largest remainders (the first class wins a tie).
    quotas, remainders = np.divmod(class_sizes * count, max(len(labels_N), 1))
    quotas[np.argsort(-remainders, kind="stable")[: count - quotas.sum()]] += 1
    chosen = [shuffled[labels_N[shuffled] == label][:quota] for label, quota in enumerate(quotas)]
    return np.sort(np.concatenate([*chosen, np.empty(0, dtype=np.int64)]))
