"""One optimizer step, as Python says it; `captured.py` decides which steps are replayed from CUDA graphs instead.

Tried and left out, in milliseconds of a step at batch 128 (C=64: 64), bfloat16 channels_last, AMD EPYC with avx512_bf16, one thread,
torch 2.15. torch.compile: [1,1,1] x 8 channels 34.9 eager, 38.5 compiled; x 16: 56.0, 64.9; [3,3,3] x 64: 673, 676; x 8 at batch 16: 5.9,
6.4; compiling takes 37 to 74 s a network, 3.5 s from the cache on disk. Contiguous tensors: 50.1, 70.5, 757. What is faster with few
channels: `fast_norm`, `fast_stride`.
Of the step with 64 channels 90 % are convolutions, at 360 to 520 GFLOP/s; a product of matrices reaches 440 to 480 there.

Not tried on CUDA, for want of a GPU: torch.compile. A graph takes away what Python costs; what inductor would gain beyond that by fusing
kernels, and after how many epochs it has paid for compiling, is to be measured before it gets a field.

Shapes: B batch, C channels, H height, W width, K classes.
"""

import torch
from torch import nn

from trainable.errors import ModelError
from trainable.loss import Targets, mean_loss
from trainable.precision import NumberFormat, autocast, gradient_scaler


class TrainStep:
    """Forward and backward, once for each batch of the step; then the update.

    Attributes:
        module: The network.
        scaler: Scales the gradients in float16; its state is part of a run.
    """

    def __init__(
        self, module: nn.Module, optimizer: torch.optim.Optimizer, number_format: NumberFormat, *, smoothing: float, clip_norm: float
    ) -> None:
        self.module = module
        self._optimizer = optimizer
        self._number_format = number_format
        self._smoothing = smoothing
        self._clip_norm = clip_norm
        self.scaler = gradient_scaler(next(module.parameters()).device, number_format)

    def __call__(self, images_BCHW: torch.Tensor, targets: Targets, share: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Add a batch's gradient to the step's.

        Args:
            images_BCHW: Normalized.
            targets: What they show.
            share: How much of the step's images they are, 0..1; 1 where a step is one batch.

        Returns:
            The mean loss and the number of images classified right, both still on the device.

        Raises:
            ModelError: Batch norm cannot train on a batch so small.
        """
        try:
            with autocast(images_BCHW.device, self._number_format):
                logits_BK = self.module(images_BCHW)
        except ValueError as error:  # how batch norm says that one image has one value per channel left
            raise ModelError(
                f"batch_size: {len(images_BCHW)}, too few for batch norm in this network ({error}); raise batch_size"
            ) from error
        loss = mean_loss(logits_BK.float(), targets, self._smoothing)
        self.scaler.scale(loss * share).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.detach(), (logits_BK.detach().argmax(dim=1) == targets.main).sum()

    def update(self, lr: float) -> None:
        """Move the weights along the gradients that were added up."""
        self.set_rate(lr)
        self.move()

    def set_rate(self, lr: float) -> None:
        """Take the learning rate of the step under way."""
        for group in self._optimizer.param_groups:
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(lr)  # in its place, where a graph reads it
            else:
                group["lr"] = lr

    def move(self) -> None:
        """Move the weights at the rate that was set, and drop the gradients."""
        if self._clip_norm:
            self.scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self.module.parameters(), self._clip_norm)
        self.scaler.step(self._optimizer)
        self.scaler.update()
        self._optimizer.zero_grad()

    def gradients(self) -> list[torch.Tensor | None]:
        """Return what has been added up so far, one for each parameter; None where there is nothing yet."""
        return [parameter.grad for parameter in self.module.parameters()]

    def restore(self, gradients: list[torch.Tensor | None]) -> None:
        """Put back what `gradients` returned."""
        for parameter, gradient in zip(self.module.parameters(), gradients, strict=True):
            parameter.grad = gradient
