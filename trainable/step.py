"""One optimizer step.

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
        scaler: Scales the gradients in float16; its state is part of a run.
    """

    def __init__(
        self, module: nn.Module, optimizer: torch.optim.Optimizer, number_format: NumberFormat, *, smoothing: float, clip_norm: float
    ) -> None:
        self._module = module
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
                logits_BK = self._module(images_BCHW)
        except ValueError as error:  # how batch norm says that one image has one value per channel left
            raise ModelError(
                f"batch_size: {len(images_BCHW)}, too few for batch norm in this network ({error}); raise batch_size"
            ) from error
        loss = mean_loss(logits_BK.float(), targets, self._smoothing)
        self.scaler.scale(loss * share).backward()  # type: ignore[no-untyped-call]
        return loss.detach(), (logits_BK.detach().argmax(dim=1) == targets.main).sum()

    def update(self, lr: float) -> None:
        """Move the weights along the gradients that were added up."""
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        if self._clip_norm:
            self.scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._module.parameters(), self._clip_norm)
        self.scaler.step(self._optimizer)
        self.scaler.update()
        self._optimizer.zero_grad()
