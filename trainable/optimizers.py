"""Recipe -> optimizer."""

import inspect
from typing import Any

import torch
from torch import nn

from trainable.config.recipe import OPTIMIZERS
from trainable.config.train import TrainConfig


def build(config: TrainConfig, module: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer that the configuration names, over all parameters of the module."""
    spec = OPTIMIZERS[config.optimizer]
    optimizer_class = getattr(torch.optim, spec.torch_name)
    options: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay, **spec.fixed}
    options |= {name: getattr(config, name) for name in spec.fields if name not in ("beta1", "beta2")}
    if "beta1" in spec.fields:
        options["betas"] = (config.beta1, config.beta2)
    # Fused on the CPU: 10 % of a step of the smallest networks with Adam and Adagrad, nothing to lose elsewhere (measured,
    # torch 2.15, one thread). CUDA keeps torch's own choice: not every optimizer has a fused kernel there.
    on_cpu = all(parameter.device.type == "cpu" for parameter in module.parameters())
    if on_cpu and "fused" in inspect.signature(optimizer_class).parameters:
        options["fused"] = True
    optimizer: torch.optim.Optimizer = optimizer_class(_groups(config, module), **options)
    return optimizer


def _groups(config: TrainConfig, module: nn.Module) -> list[dict[str, Any]]:
    """Return the parameters, those that weight decay leaves alone in a group of their own."""
    parameters = list(module.parameters())
    if config.decay_norms:
        return [{"params": parameters}]
    # Norms scale and biases shift: they have one number a channel. Everything that multiplies inputs has two dimensions or more.
    matrices, vectors = ([p for p in parameters if (p.ndim >= 2) is many] for many in (True, False))
    return [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
