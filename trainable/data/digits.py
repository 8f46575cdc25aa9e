"""The digits that scikit-learn brings along: 1,797 grey images of 8x8 pixels, ten classes. Needs no network.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998 (its test set).
"""

from importlib.metadata import version

import numpy as np

from trainable.data.images import Images, ImageShape, Split
from trainable.data.split import stratified_sample

# The data set has no test split of its own: a stratified fifth, the same for ever, is ours.
TEST_FRACTION = 0.2
TEST_SEED = (0,)

INK_LEVELS = 16  # pixels are counts 0..16


class Digits:
    """A source that is always there."""

    def key(self, split: Split) -> str:
        """Return the release that the images came with."""
        return f"digits of scikit-learn {version('scikit-learn')}"

    def read(self, split: Split) -> Images:
        """Return the images of one split, their ink stretched to 0..255."""
        from sklearn.datasets import load_digits  # here: it takes a second, and only the first process on a node decodes

        digits = load_digits()
        images_NHWC = np.round(digits.images * (255 / INK_LEVELS)).astype(np.uint8)[..., None]
        labels_N = digits.target.astype(np.int64)
        is_test_N = np.zeros(len(labels_N), dtype=bool)
        is_test_N[stratified_sample(labels_N, round(TEST_FRACTION * len(labels_N)), seed=TEST_SEED)] = True
        chosen_N = is_test_N if split == "test" else ~is_test_N
        return Images(images_NHWC[chosen_N], labels_N[chosen_N], tuple(str(name) for name in digits.target_names))

    def shape(self) -> ImageShape:
        """Return 1x8x8, ten classes."""
        return ImageShape((1, 8, 8), num_classes=10)
