"""The loop: one configuration, trained an epoch at a time, saved and restored completely.

A trial, a confirmation run and a final run are this class with another configuration. It knows nothing of who decides how many
epochs there will be. All randomness is derived from (seed, epoch), so nothing but weights, optimizer memory and the epoch is kept.

Shapes: B batch, S steps of an epoch, N images, H height, W width, C channels.
"""

import math
import time
from pathlib import Path

import torch

from trainable import checkpoint, family, optimizers, rng
from trainable.augment.pipeline import Augment
from trainable.checkpoint import Checkpoint
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData
from trainable.errors import CheckpointError, DataError, Diverged
from trainable.evaluate import evaluate
from trainable.memory import peak_bytes, says_out_of_memory
from trainable.metrics import EpochMetrics
from trainable.normalize import Normalize
from trainable.precision import number_format
from trainable.schedules import lr_at
from trainable.step import TrainStep

# Reading a loss waits for the device. On the CPU that is free; a GPU would stand idle, so there the losses of many steps are read
# together.
STEPS_BETWEEN_LOOKS = {"cpu": 1, "cuda": 64}


class Training:
    """One configuration in training.

    Attributes:
        config: The whole recipe.
        data: What it learns from.
        device: Where.
        module: The network, channels_last.
        epoch: Epochs trained so far.
    """

    @says_out_of_memory
    def __init__(self, config: TrainConfig, data: TrainingData, device: torch.device) -> None:
        """Build the network with its initial weights; they depend on the seed alone, not on the device.

        Raises:
            DataError: A batch is larger than the training data.
            OutOfMemory: The network does not fit.
        """
        if config.batch_size > len(data.train_labels_N):
            raise DataError(
                f"batch_size: {config.batch_size}, must be at most the {len(data.train_labels_N)} training images; "
                "lower it or raise data.train_examples"
            )
        self.config = config
        self.data = data
        self.device = device
        self.epoch = 0
        with rng.seeded(config.seed, 0, "weights", torch.device("cpu")):
            module = family.build(config.model, image=data.image, num_classes=data.num_classes, dropout=config.dropout)
        self.module = module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub forgets this form
        self.number_format = number_format(config.precision, device)
        self._optimizer = optimizers.build(config, self.module)
        self._step = TrainStep(self.module, self._optimizer, self.number_format)
        self._augment = Augment(config.augment)
        self.normalize = Normalize(data.mean, data.std, device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    @says_out_of_memory
    def train_epoch(self) -> EpochMetrics:
        """Train one epoch, then evaluate the validation split.

        Raises:
            Diverged: A loss is not finite; there is no going on from here.
            ModelError: Batch norm cannot train on batches of a single image.
            OutOfMemory: A step does not fit.
        """
        config, data, epoch = self.config, self.data, self.epoch + 1
        started = time.perf_counter()
        batches = self._batches(epoch)
        losses_S = torch.zeros(len(batches), device=self.device)
        num_right = torch.zeros((), dtype=torch.int64, device=self.device)
        looks = STEPS_BETWEEN_LOOKS[self.device.type]
        augmenting = rng.generator(config.seed, epoch, "augment", self.device)
        self.module.train()
        with rng.seeded(config.seed, epoch, "dropout", self.device):
            for step, rows_B in enumerate(batches):
                lr = lr_at(config, self.epoch * len(batches) + step, len(batches))
                images_BHWC = self._augment(data.train_images_NHWC.index_select(0, rows_B), augmenting)
                losses_S[step], num_right_B = self._step(self.normalize(images_BHWC), data.train_labels_N.index_select(0, rows_B), lr)
                num_right += num_right_B
                if (step + 1) % looks == 0 or step + 1 == len(batches):
                    self._stop_if_diverged(losses_S[: step + 1], first=step // looks * looks, num_steps=len(batches))
        sizes_S = torch.tensor([len(rows_B) for rows_B in batches], device=self.device)
        num_seen = int(sizes_S.sum())
        train_loss = float(losses_S.double() @ sizes_S.double()) / num_seen
        train_accuracy = int(num_right) / num_seen
        trained = time.perf_counter()  # the two figures above waited for the device
        validation = evaluate(
            self.module, data.val_images_NHWC, data.val_labels_N, normalize=self.normalize, number_format=self.number_format
        )
        if not math.isfinite(validation.loss):
            raise Diverged(f"the validation loss is {validation.loss} after epoch {epoch}, lr {lr:.3g}; lower lr")
        ended = time.perf_counter()
        self.epoch = epoch
        return EpochMetrics(
            epoch=epoch,
            val_accuracy=validation.accuracy,
            val_loss=validation.loss,
            train_accuracy=train_accuracy,
            train_loss=train_loss,
            lr=lr,
            wall_s=ended - started,
            device_s=ended - started,
            images_per_s=num_seen / (trained - started),
            peak_memory_bytes=peak_bytes(self.device),
        )

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs to go on as if nothing had happened; complete or not at all."""
        state = self._optimizer.state_dict()["state"]
        checkpoint.write(folder, Checkpoint(self.epoch, self._identity(), self.module.state_dict(), state))

    def load(self, folder: Path) -> None:
        """Continue from a folder that `save` wrote, of this configuration; another `max_epochs` is allowed.

        Raises:
            CheckpointError: The folder is damaged or belongs to another configuration.
        """
        saved = checkpoint.read(folder, self.device)
        if saved.config_hash != self._identity():
            raise CheckpointError(f"{folder} belongs to another configuration ({saved.config_hash}, this one is {self._identity()})")
        self.module.load_state_dict(saved.weights)
        # The rates and momenta are the configuration's; only the optimizer's memory is restored.
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": saved.optimizer_state, "param_groups": groups})
        self.epoch = saved.epoch

    def _batches(self, epoch: int) -> tuple[torch.Tensor, ...]:
        """Return the row numbers of each batch. The last may be smaller; a single image, too few for batch norm, sits this epoch out."""
        order_N = torch.randperm(
            len(self.data.train_labels_N), generator=rng.generator(self.config.seed, epoch, "order", torch.device("cpu"))
        )
        batches = torch.split(order_N.to(self.device), self.config.batch_size)
        return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 < self.config.batch_size else batches

    def _stop_if_diverged(self, losses_S: torch.Tensor, *, first: int, num_steps: int) -> None:
        """Raise Diverged at the first loss that is not finite, from step `first` on."""
        for step, loss in enumerate(losses_S[first:].tolist(), start=first):
            if not math.isfinite(loss):
                lr = lr_at(self.config, self.epoch * num_steps + step, num_steps)
                raise Diverged(f"the training loss is {loss} at step {step + 1} of epoch {self.epoch + 1}, lr {lr:.3g}; lower lr")

    def _identity(self) -> str:
        """Return the hash of all of the configuration that the state depends on: the horizon may be moved."""
        return self.config.model_copy(update={"max_epochs": 1}).hash()
