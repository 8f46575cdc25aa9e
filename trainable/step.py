"""One optimizer step.

Shapes: B batch, C channels, H height, W width, K classes.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from trainable.errors import ModelError
from trainable.precision import autocast


class TrainStep:
    """Forward, backward, update."""

    def __init__(self, module: nn.Module, optimizer: torch.optim.Optimizer, number_format: torch.dtype) -> None:
        self._module = module
        self._optimizer = optimizer
        self._number_format = number_format

    def __call__(self, images_BCHW: torch.Tensor, labels_B: torch.Tensor, lr: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Take the step; return the mean loss and the number of images classified right before it, both still on the device.

        Raises:
            ModelError: Batch norm cannot train on a batch so small.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        try:
            with autocast(images_BCHW.device, self._number_format):
                logits_BK = self._module(images_BCHW)
        except ValueError as error:  # how batch norm says that one image has one value per channel left
            raise ModelError(
                f"batch_size: {len(images_BCHW)}, too few for batch norm in this network ({error}); raise batch_size"
            ) from error
        loss = cross_entropy(logits_BK.float(), labels_B)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return loss.detach(), (logits_BK.detach().argmax(dim=1) == labels_B).sum()
