"""Batch sizes against the images that there are: known once the data is decoded, refused before the first trial."""

from search_spaces.errors import KeyPath, Problem
from search_spaces.settings import highest
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.config.train import TrainConfig

PATH = "batch_size"
NOT_SAID: KeyPath = ("trial", PATH)


def oversized(sweep: Sweep, num_train: int) -> list[Problem]:
    """Return the batch sizes that exceed the training images: a trial that draws one would fail.

    Args:
        sweep: The sweep.
        num_train: Images to train on, >= 1.
    """
    largest = [(setting.place, highest(setting)) for setting in Space.parse(sweep.trial).settings if setting.path == PATH]
    default: int = TrainConfig.model_fields[PATH].default
    return [
        Problem(place, f"{size:,.0f}", f"must be <= {num_train:,}, the number of training images; lower it or train on more")
        for place, size in largest or [(NOT_SAID, default)]
        if size > num_train
    ]
