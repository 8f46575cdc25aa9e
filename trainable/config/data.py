"""Which images a trial sees, and how they are altered on the way in."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainable.config.base import Frozen, Unit, later

DATASETS = ("digits", "cifar10", "parquet")

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(strict=True, ge=1)]


class DataConfig(Frozen):
    """One data set and how its training split is divided.

    `train_examples` and `validation` are both taken out of the training split, stratified by class and fixed by `split_seed`;
    the test split is never touched by them.

    Example:
        name: parquet
        path: /data/my-images
        validation: 5000
        train_examples: 20000
        split_seed: 0
    """

    name: Literal["digits", "cifar10", "parquet"] = Field(description="Where the images come from.")
    path: str | None = Field(
        default=None,
        description="Folder with train*.parquet and test*.parquet (parquet), or the folder torchvision keeps CIFAR-10 in (cifar10).",
    )
    validation: Annotated[Count | Fraction, Unit("images, or share of them")] = Field(
        default=0.1, description="Images held out of the training split: a count >= 1, or a fraction between 0 and 1."
    )
    train_examples: Annotated[Count | None, Unit("images")] = Field(
        default=None, description="Train on only so many images, >= 1; all that remain by default."
    )
    split_seed: int = Field(default=0, ge=0, lt=2**32, description="Seed of the stratified split; the same for all trials of a sweep.")
    train_on: Literal["train", "all"] = later(
        "train", description="all: the validation images are learned from, too, so that they judge nothing; set by final.train_on."
    )


class AugmentConfig(Frozen):
    """Random alterations of training images, each image with its own draw; validation and test images are never altered.

    They are applied in the order of the fields. All are off by default.

    Example:
        repeats: 2
        five_crop: 6
        crop: 1
        crop_border: reflect
        flip: true
        vertical_flip: {choice: [false, true]}
        brightness: {uniform: [0.0, 0.4]}
        contrast: 0.2
        saturation: 0.2
        grayscale: 0.1
        blur: 0.1
        blur_kernel: 5
        blur_sigma: 1.5
        cutout: {choice: [0, 2, 4]}
        erasing: 0.25
    """

    repeats: int = later(1, ge=1, le=1000, description="Altered versions of each image in one epoch, which becomes so many times as long.")
    five_crop: Annotated[int, Unit("pixels")] = later(
        0,
        ge=0,
        le=1024,
        description="Cut a square of so many pixels from a corner or the centre, drawn from the five, and enlarge it again; 0 is off.",
    )
    crop: Annotated[int, Unit("pixels")] = Field(
        default=0, ge=0, le=64, description="Pad by so many pixels on each side, then crop back at random; 0 is off."
    )
    crop_border: Literal["zero", "reflect"] = later("zero", description="What `crop` pads with: black, or the image mirrored.")
    flip: bool = Field(default=False, description="Mirror left to right with probability 1/2.")
    vertical_flip: bool = later(False, description="Mirror top to bottom with probability 1/2.")
    brightness: float = later(0.0, ge=0.0, le=1.0, description="Multiply by a factor drawn from 1 - x to 1 + x; 0 is off.")
    contrast: float = later(
        0.0, ge=0.0, le=1.0, description="Move away from the image's mean grey by a factor from 1 - x to 1 + x; 0 is off."
    )
    saturation: float = later(
        0.0, ge=0.0, le=1.0, description="Move each pixel away from its own grey by a factor from 1 - x to 1 + x; 0 is off."
    )
    grayscale: Annotated[float, Unit("probability")] = later(0.0, ge=0.0, le=1.0, description="Probability of an image in shades of grey.")
    blur: Annotated[float, Unit("probability")] = later(0.0, ge=0.0, le=1.0, description="Probability of a Gaussian blur.")
    blur_kernel: Annotated[int, Unit("pixels")] = later(3, ge=3, le=31, description="Pixels that a blur looks at along each axis, odd.")
    blur_sigma: Annotated[float, Unit("pixels")] = later(
        2.0, ge=0.1, le=32.0, description="Widest blur, in pixels: its standard deviation is drawn from 0.1 to this."
    )
    cutout: Annotated[int, Unit("pixels")] = later(
        0, ge=0, le=1024, description="Cover a square of so many pixels with the mean pixel; part may lie outside; 0 is off."
    )
    erasing: Annotated[float, Unit("probability")] = later(
        0.0, ge=0.0, le=1.0, description="Probability of covering a rectangle, 2 to 33 % of the image, with the mean pixel."
    )

    @model_validator(mode="after")
    def _fields_agree(self) -> "AugmentConfig":
        if self.blur_kernel % 2 == 0:
            raise ValueError(f"blur_kernel is {self.blur_kernel}, must be odd so that it has a centre")
        if self.crop_border != "zero" and not self.crop:
            raise ValueError(f"crop_border is {self.crop_border}, must be left out where crop is 0, which pads nothing")
        for name in ("blur_kernel", "blur_sigma"):
            if not self.blur and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} is {getattr(self, name)}, must be left out where blur is 0, which blurs nothing")
        return self
