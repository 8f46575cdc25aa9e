"""Row numbers -> what a forward pass reads: training images altered, normalized and mixed, all on the device.

Everything here is done to tensors by tensors, without a look at their content, so that a CUDA graph can hold it (`captured.py`).

Shapes: B images of a batch, N training images, H height, W width, C channels.
"""

import torch

from trainable import rng
from trainable.augment.mix import Mix
from trainable.augment.pipeline import Augment
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData
from trainable.loss import Targets
from trainable.normalize import Normalize


class Batches:
    """The training images of one run, altered as its configuration says.

    Attributes:
        generators: All that is drawn from here; they stay the same objects from epoch to epoch.
    """

    def __init__(self, config: TrainConfig, data: TrainingData, normalize: Normalize, device: torch.device) -> None:
        """Keep the images where they are.

        Raises:
            DataError: The images are too small for an alteration.
        """
        self._images_NHWC, self._labels_N = data.train_images_NHWC, data.train_labels_N
        self._augment = Augment(config.augment, image=data.image, mean=data.mean, device=device)
        self._mix = Mix(config)
        self._normalize = normalize
        self._seed = config.stream
        self.generators = (torch.Generator(device), torch.Generator(device))

    def begin(self, epoch: int) -> None:
        """Let the draws of an epoch begin; they depend on the seed and the epoch alone."""
        augmenting, mixing = self.generators
        augmenting.manual_seed(rng.derive(self._seed, epoch, "augment"))
        mixing.manual_seed(rng.derive(self._seed, epoch, "mix"))

    def __call__(self, rows_B: torch.Tensor) -> tuple[torch.Tensor, Targets]:
        """Return images_BCHW, normalized, channels_last, and what they show."""
        augmenting, mixing = self.generators
        images_BHWC = self._augment(self._images_NHWC.index_select(0, rows_B), augmenting)
        labels_B = self._labels_N.index_select(0, rows_B)
        return self._mix(self._normalize(images_BHWC), labels_B, mixing)
