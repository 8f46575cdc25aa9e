"""The loop: one configuration, trained an epoch at a time, saved and restored completely.

A trial, a confirmation run and a final run are this class with another configuration. It knows nothing of who decides how many
epochs there will be. All randomness is derived from (seed, epoch), so no generator is kept: weights, what the optimizer, Lookahead and
the moving average remember, the best epoch and the number of epochs are all there is.

Shapes: B images of a batch, S batches of an epoch, N images, H height, W width, C channels.
"""

import copy
import math
import time
from pathlib import Path
from typing import Any, Protocol

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from trainable import checkpoint, family, fast_norm, fast_stride, optimizers, rng
from trainable.batches import Batches
from trainable.best import Best
from trainable.captured import CapturedStep, capture_for, stream_of_its_own
from trainable.checkpoint import Checkpoint
from trainable.config.train import TrainConfig
from trainable.data.resident import TrainingData, scaled
from trainable.ema import Ema
from trainable.errors import CheckpointError, DataError, Diverged, ModelError
from trainable.evaluate import evaluate
from trainable.lookahead import Lookahead
from trainable.memory import give_back, is_out_of_memory, peak_bytes, reset_peak, says_out_of_memory
from trainable.metrics import EpochMetrics
from trainable.normalize import Normalize
from trainable.precision import float32_products, number_format
from trainable.schedules import lr_at
from trainable.step import TrainStep

# Reading a loss waits for the device. On the CPU that is free; a GPU would stand idle, so there the losses of many steps are read
# together.
STEPS_BETWEEN_LOOKS = {"cpu": 1, "cuda": 64}


class Stateful(Protocol):
    """What has a memory of its own beside the network's weights."""

    def state_dict(self) -> dict[str, Any]:
        """Return the memory."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the memory over."""


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
    def __init__(self, config: TrainConfig, data: TrainingData, device: torch.device, *, initial: Path | None = None) -> None:
        """Build the network with its initial weights; they depend on the seed alone, not on the device.

        Args:
            config: The whole recipe.
            data: What it learns from.
            device: Where.
            initial: Weights of a network of this kind to start from instead, in the safetensors format.

        Raises:
            CheckpointError: The weights to start from are gone, damaged, or of another network.
            DataError: A batch is larger than the training data, all images are of one class, or too small for an alteration.
            ModelError: The network cannot work on images of this size, or the device does not train in the number format.
            OutOfMemory: The network does not fit.
        """
        _refuse_data_to_learn_nothing_from(config, data)
        give_back()
        reset_peak(device)
        self.config = config
        # Without normalization pixels are scaled to 0..1, here and in whatever is made of this data later: evaluation, export.
        self.data = data if config.normalize else scaled(data)
        self.device = device
        self.epoch = 0
        with rng.seeded(config.seed, 0, "weights", torch.device("cpu")):
            module = family.build(config.model, image=data.image, num_classes=data.num_classes, dropout=config.dropout)
        if initial is not None:
            _start_from(initial, module)
        self.module = module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub forgets this form
        if device.type == "cpu":
            fast_norm.install(self.module)
            fast_stride.install(self.module)
        _refuse_images_the_network_cannot_read(self.module, data, device)
        self.number_format = number_format(config.precision, device)
        self._optimizer = optimizers.build(config, self.module, from_device=optimizers.on_device(config, self.number_format, device))
        self._step = TrainStep(
            self.module, self._optimizer, self.number_format, smoothing=config.label_smoothing, clip_norm=config.clip_norm
        )
        self._lookahead = (
            Lookahead(self.module, k=config.lookahead_k, alpha=config.lookahead_alpha)
            if config.lookahead_k and config.lookahead_alpha
            else None
        )
        self._ema = Ema(self.module, decay=config.ema_decay) if config.ema_decay else None
        self._best = Best(metric=config.metric, keep=config.keep_best)
        self._losses_S = torch.zeros(0, device=device)  # of the last epoch trained here
        self.normalize = Normalize(self.data.mean, self.data.std, device)
        self._batches = Batches(config, data, self.normalize, device)
        self._captured = CapturedStep(
            self._batches,
            self._step,
            batch_size=config.batch_size,
            accumulation=config.accumulation,
            device=device,
            capture=capture_for(config, self.number_format, device),
        )

    @property
    def evaluated(self) -> nn.Module:
        """Return the network whose figures an epoch reports: the moving average, else Lookahead's slow weights, else the trained one."""
        if self._ema is not None:
            return self._ema.module
        return self.module if self._lookahead is None else self._lookahead.module()

    @property
    def kept_epoch(self) -> int:
        """Return the epoch whose network is exported: the best one with `keep_best`, else the last."""
        return self._best.epoch if self.config.keep_best else self.epoch

    @property
    def kept(self) -> nn.Module:
        """Return the network that is exported, as it was evaluated after `kept_epoch`."""
        if self._best.weights is None:
            return self.evaluated
        module: nn.Module = copy.deepcopy(self.module)
        module.load_state_dict(self._best.weights)
        return module

    @property
    def batch_losses(self) -> tuple[float, ...]:
        """Return the mean loss of each batch of the last epoch trained here, in nats; empty before there was one."""
        return tuple(self._losses_S.tolist())

    @property
    def over(self) -> str | None:
        """Return why the run ends before its horizon, in one line; None while it may go on."""
        patience, waited = self.config.patience, self.epoch - self._best.epoch
        if not patience or waited < patience or self.epoch >= self.config.max_epochs:
            return None
        return f"no better {self.config.metric} in {waited} epochs; the best was at epoch {self._best.epoch}"

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
        steps = self._steps(epoch)
        sizes = [len(rows_B) for batches in steps for rows_B in batches]
        losses_S = torch.zeros(len(sizes), device=self.device)
        num_right = torch.zeros((), dtype=torch.int64, device=self.device)
        looks = STEPS_BETWEEN_LOOKS[self.device.type]
        num_done = 0
        self._batches.begin(epoch)
        self.module.train()
        with (
            rng.seeded(config.stream, epoch, "dropout", self.device),
            float32_products(self.number_format),
            stream_of_its_own(self.device),
        ):
            for step, batches in enumerate(steps):
                lr = lr_at(config, self.epoch * len(steps) + step, len(steps))
                num_images = sum(len(rows_B) for rows_B in batches)
                for rows_B in batches:
                    losses_S[num_done], num_right_of_batch = self._captured(rows_B, len(rows_B) / num_images)
                    num_right += num_right_of_batch
                    num_done += 1
                    if num_done % looks == 0 or num_done == len(sizes):
                        self._stop_if_diverged(losses_S[:num_done], first=(num_done - 1) // looks * looks, num_steps=len(steps))
                self._captured.update(lr)
                for follower in (self._lookahead, self._ema):
                    if follower is not None:
                        follower.update()
        num_seen = sum(sizes)
        train_loss = float(losses_S.double() @ torch.tensor(sizes, dtype=torch.float64, device=self.device)) / num_seen
        train_accuracy = int(num_right) / num_seen
        trained = time.perf_counter()  # the two figures above waited for the device
        evaluated = self.evaluated
        validation = evaluate(
            evaluated, data.val_images_NHWC, data.val_labels_N, normalize=self.normalize, number_format=self.number_format
        )
        if not math.isfinite(validation.loss):
            raise Diverged(f"the validation loss is {validation.loss} after epoch {epoch}, lr {lr:.3g}; lower lr")
        ended = time.perf_counter()
        self.epoch = epoch
        self._losses_S = losses_S
        metrics = EpochMetrics(
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
        self._best.see(metrics, evaluated)
        return metrics

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs to go on as if nothing had happened; complete or not at all."""
        # The rates and momenta are the configuration's; only the optimizer's memory is kept.
        memory = {"optimizer": self._optimizer.state_dict()["state"]}
        memory |= {name: part.state_dict() for name, part in self._stateful().items()}
        checkpoint.write(folder, Checkpoint(self.epoch, self._identity(), self.module.state_dict(), memory))

    def load(self, folder: Path) -> None:
        """Continue from a folder that `save` wrote, of this configuration; another `max_epochs` is allowed.

        Raises:
            CheckpointError: The folder is damaged or belongs to another configuration.
        """
        saved = checkpoint.read(folder, self.device)
        if saved.config_hash != self._identity():
            raise CheckpointError(f"{folder} belongs to another configuration ({saved.config_hash}, this one is {self._identity()})")
        self.module.load_state_dict(saved.weights)
        optimizers.load(self._optimizer, saved.memory["optimizer"])
        self._captured.forget()
        for name, part in self._stateful().items():
            part.load_state_dict(saved.memory[name])
        self.epoch = saved.epoch

    def _stateful(self) -> dict[str, Stateful]:
        """Return what a checkpoint holds besides weights and optimizer, by name."""
        scaler = self._step.scaler if self._step.scaler.is_enabled() else None
        parts: dict[str, Stateful | None] = {"lookahead": self._lookahead, "ema": self._ema, "best": self._best, "scaler": scaler}
        return {name: part for name, part in parts.items() if part is not None}

    def _steps(self, epoch: int) -> list[tuple[torch.Tensor, ...]]:
        """Return the row numbers of each batch of each optimizer step.

        The last batch may be smaller, the last step may have fewer batches. A single image, too few for batch norm, sits this epoch out.
        """
        num_images, ordering = len(self.data.train_labels_N), rng.generator(self.config.stream, epoch, "order", torch.device("cpu"))
        order_N = torch.randperm(num_images * self.config.augment.repeats, generator=ordering) % num_images
        batches = torch.split(order_N.to(self.device), self.config.batch_size)
        if len(batches) > 1 and len(batches[-1]) == 1 < self.config.batch_size:
            batches = batches[:-1]
        num_together = self.config.accumulation
        return [batches[first : first + num_together] for first in range(0, len(batches), num_together)]

    def _stop_if_diverged(self, losses_S: torch.Tensor, *, first: int, num_steps: int) -> None:
        """Raise Diverged at the first loss that is not finite, from batch `first` on."""
        for batch, loss in enumerate(losses_S[first:].tolist(), start=first):
            if not math.isfinite(loss):
                step = batch // self.config.accumulation
                lr = lr_at(self.config, self.epoch * num_steps + step, num_steps)
                raise Diverged(f"the training loss is {loss} at step {step + 1} of epoch {self.epoch + 1}, lr {lr:.3g}; lower lr")

    def _identity(self) -> str:
        """Return the hash of all of the configuration that the state depends on: the horizon may be moved."""
        return self.config.model_copy(update={"max_epochs": 1}).hash()


def _start_from(file: Path, module: nn.Module) -> None:
    try:
        module.load_state_dict(safetensors.torch.load_file(file))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{file} cannot be started from ({reason}); put it back, or promote anew into a folder of its own") from error


def _refuse_data_to_learn_nothing_from(config: TrainConfig, data: TrainingData) -> None:
    labels_N = data.train_labels_N
    if config.batch_size > len(labels_N):
        raise DataError(
            f"batch_size: {config.batch_size}, must be at most the {len(labels_N)} training images; lower it or raise data.train_examples"
        )
    if bool((labels_N == labels_N[0]).all()):
        name = data.class_names[int(labels_N[0])]
        raise DataError(
            f"data: all {len(labels_N)} training images are of the class {name!r}, must be of two or more; add images of others"
        )


def _refuse_images_the_network_cannot_read(module: nn.Module, data: TrainingData, device: torch.device) -> None:
    """Send one image through: what does not fit is told before anything is trained."""
    image = " x ".join(map(str, data.image))
    try:
        with torch.inference_mode():
            logits_BK = module.eval()(torch.zeros((1, *data.image), device=device))
    except (RuntimeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        reason = str(error).splitlines()[0]
        raise ModelError(f"model: images of {image} (channels, height, width) do not pass through this network: {reason}") from error
    if logits_BK.shape != (1, data.num_classes):
        seen = " x ".join(map(str, logits_BK.shape[1:]))
        raise ModelError(f"model: an image of {image} gives {seen} numbers, must be {data.num_classes}, one for each class")
