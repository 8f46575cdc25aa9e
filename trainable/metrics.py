"""Figures of one epoch, as they leave the trial."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochMetrics:
    """What one epoch of training gave.

    Attributes:
        epoch: Epochs trained so far, 1-based.
        val_accuracy: Share of validation images classified right, 0..1; by the averaged weights where the recipe has them.
        val_loss: Mean cross-entropy over the validation images, in nats.
        train_accuracy: The same over the training images as they were seen (augmented, while the weights moved); of a mixed image the
            class with the larger share counts.
        train_loss: Mean loss over the training images as they were seen, in nats.
        lr: Learning rate of the epoch's last step.
        wall_s: Seconds from the epoch's start until it can be reported, evaluation included.
        device_s: Seconds of that in which the device was training or evaluating.
        images_per_s: Training images per second of training, evaluation left out.
        peak_memory_bytes: Most memory in use on the device so far (CUDA), or by the process (CPU).
    """

    epoch: int
    val_accuracy: float
    val_loss: float
    train_accuracy: float
    train_loss: float
    lr: float
    wall_s: float
    device_s: float
    images_per_s: float
    peak_memory_bytes: int
