"""Lookahead: slow weights that follow the optimizer's fast ones, and draw them back.

Source: Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", 2019, arXiv:1907.08610, algorithm 1.
"""

import copy
from typing import Any

import torch
from torch import nn


class Lookahead:
    """Slow weights around any optimizer: every k steps they go `alpha` of the way to the fast ones, which begin again from there.

    What the optimizer remembers (momentum, squares) stays as it is, the first of the paper's three variants.
    """

    def __init__(self, module: nn.Module, *, k: int, alpha: float) -> None:
        """Begin with slow weights equal to the fast ones, which are the module's."""
        self._fast = module
        self._slow = copy.deepcopy(module).eval().requires_grad_(False)
        self._k = k
        self._alpha = alpha
        self._steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take note of one optimizer step; to be called after each."""
        self._steps += 1
        if self._steps % self._k == 0:
            fast: list[torch.Tensor] = list(self._fast.parameters())
            slow: list[torch.Tensor] = list(self._slow.parameters())
            torch._foreach_lerp_(slow, fast, self._alpha)
            torch._foreach_copy_(fast, slow)

    @torch.no_grad()
    def module(self) -> nn.Module:
        """Return the network with the slow weights, which are what is evaluated; its running statistics are the fast network's."""
        for slow, fast in zip(self._slow.buffers(), self._fast.buffers(), strict=True):
            slow.copy_(fast)
        return self._slow

    def state_dict(self) -> dict[str, Any]:
        """Return everything that `load_state_dict` needs."""
        return {"steps": self._steps, "slow": dict(self._slow.named_parameters())}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self._steps = state["steps"]
        for name, slow in self._slow.named_parameters():
            slow.copy_(state["slow"][name])
