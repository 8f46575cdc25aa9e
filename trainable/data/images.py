"""Decoded images of one split, as they lie in memory. Imports numpy alone.

Shapes: N images, H height, W width, C channels (3 for RGB, 1 for grey).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Split: TypeAlias = Literal["train", "test"]
Pixels: TypeAlias = npt.NDArray[np.uint8]
Labels: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """All images of one split, in the order of their source.

    Attributes:
        images_NHWC: Pixels, 0..255.
        labels_N: Class of each image, 0 <= label < len(class_names).
        class_names: One a class; the number as text where the source names none.
    """

    images_NHWC: Pixels
    labels_N: Labels
    class_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageShape:
    """What a network must fit.

    Attributes:
        image: Channels, height and width of one image.
        num_classes: Classes of the data set.
    """

    image: tuple[int, int, int]
    num_classes: int
