"""Which images a trial sees, and how they are altered on the way in."""

from typing import Annotated, Literal

from pydantic import Field

from trainable.config.base import Frozen

DATASETS = ("digits", "cifar10", "parquet")

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(strict=True, ge=1)]


class DataConfig(Frozen):
    """One data set and how its training split is divided.

    `train_examples` and `validation` are both taken out of the training split, stratified by class and fixed by `split_seed`;
    the test split is never touched by them.
    """

    name: Literal["digits", "cifar10", "parquet"] = Field(description="Where the images come from.")
    path: str | None = Field(
        default=None,
        description="Folder with train*.parquet and test*.parquet (parquet), or the folder torchvision keeps CIFAR-10 in (cifar10).",
    )
    validation: Count | Fraction = Field(
        default=0.1, description="Images held out of the training split: a count >= 1, or a fraction between 0 and 1."
    )
    train_examples: Count | None = Field(default=None, description="Train on only so many images, >= 1; all that remain by default.")
    split_seed: int = Field(default=0, ge=0, lt=2**32, description="Seed of the stratified split; the same for all trials of a sweep.")


class AugmentConfig(Frozen):
    """Random alterations of training images; validation and test images are never altered."""

    crop: int = Field(default=0, ge=0, le=64, description="Pad by so many pixels on each side, then crop back at random; 0 is off.")
    flip: bool = Field(default=False, description="Mirror left to right with probability 1/2.")
