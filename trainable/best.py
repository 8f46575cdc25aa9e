"""The best epoch so far by the validation split, and its weights where they are kept."""

from typing import Any, Literal

import torch
from torch import nn

from trainable.metrics import EpochMetrics


class Best:
    """Remembers which epoch was best; of equals, the earliest."""

    def __init__(self, *, metric: Literal["val_accuracy", "val_loss"], keep: bool) -> None:
        """Begin before the first epoch.

        Args:
            metric: What is compared; more accuracy is better, less loss is.
            keep: Whether the weights are kept as well.
        """
        self.epoch = 0
        self.weights: dict[str, torch.Tensor] | None = None
        self._metric = metric
        self._keep = keep
        self._score = 0.0

    def see(self, metrics: EpochMetrics, module: nn.Module) -> None:
        """Compare one more epoch; `module` is what was evaluated."""
        score: float = getattr(metrics, self._metric)
        better = score > self._score if self._metric == "val_accuracy" else score < self._score
        if self.epoch == 0 or better:
            self.epoch, self._score = metrics.epoch, score
            if self._keep:
                self.weights = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """Return everything that `load_state_dict` needs."""
        return {"epoch": self.epoch, "score": self._score, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.epoch, self._score, self.weights = state["epoch"], state["score"], state["weights"]
