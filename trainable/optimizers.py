"""Recipe -> optimizer.

On a CPU everything that has a fused kernel takes it: 10 % of a step of the smallest networks with Adam and Adagrad, nothing to lose
elsewhere (measured, torch 2.15, one thread). On CUDA, not yet measured:

    sgd, nesterov              fused                   rate on the device, can be captured
    adam, adamw                fused                   rate and step count on the device, can be captured
    nadam, rmsprop, adadelta   one kernel for many     the same; they have no fused kernel
                               tensors (foreach)
    adagrad                    foreach                 eager: torch counts its steps on the processor
    any in float16             torch's own choice      eager: the gradient scaler asks after every step whether it was finite, and torch's
                                                       fused SGD is wrong where the very first step is skipped (torch 2.15)

A rate on the device is a float32 there, in eager steps and in captured ones alike; elsewhere it is Python's double. The two differ by a
rounding of lr, 6e-8 of it.
"""

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from trainable.config.recipe import OPTIMIZERS
from trainable.config.train import TrainConfig
from trainable.precision import NumberFormat

# Arguments with which torch's classes compute from tensors alone, lr among them: only so can a CUDA graph, which freezes every Python
# number, repeat their steps. SGD reads such a rate without waiting in its fused kernel only.
ON_DEVICE: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "SGD": {"fused": True},
        "Adam": {"fused": True, "capturable": True},
        "AdamW": {"fused": True, "capturable": True},
        "NAdam": {"foreach": True, "capturable": True},
        "RMSprop": {"foreach": True, "capturable": True},
        "Adadelta": {"foreach": True, "capturable": True},
    }
)


def on_device(config: TrainConfig, number_format: NumberFormat, device: torch.device) -> bool:
    """Return whether a run's optimizer reads its rate from the device, so that its steps can be captured."""
    return device.type == "cuda" and number_format != "float16" and OPTIMIZERS[config.optimizer].torch_name in ON_DEVICE


def build(config: TrainConfig, module: nn.Module, *, from_device: bool = False) -> torch.optim.Optimizer:
    """Return the optimizer that the configuration names, over all parameters of the module.

    Args:
        config: The recipe.
        module: On the device where it is trained.
        from_device: Whether all that a step reads, the rate too, is on the device; see `on_device`.
    """
    spec = OPTIMIZERS[config.optimizer]
    optimizer_class = getattr(torch.optim, spec.torch_name)
    options: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay, **spec.fixed}
    options |= {name: getattr(config, name) for name in spec.fields if name not in ("beta1", "beta2")}
    if "beta1" in spec.fields:
        options["betas"] = (config.beta1, config.beta2)
    device = next(module.parameters()).device
    if from_device:
        # CUDA's kernels take float32 only. A CPU's take the double, which keeps Python's number.
        options["lr"] = torch.tensor(config.lr, dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
        options |= ON_DEVICE[spec.torch_name]
    elif device.type == "cpu" and "fused" in inspect.signature(optimizer_class).parameters:
        options["fused"] = True
    optimizer: torch.optim.Optimizer = optimizer_class(_groups(config, module), **options)
    return optimizer


def load(optimizer: torch.optim.Optimizer, memory: dict[str, Any]) -> None:
    """Give an optimizer the memory that was saved; rates and momenta stay as the configuration says.

    Args:
        optimizer: Of the same configuration.
        memory: Its `state_dict()["state"]`, on any device.
    """
    optimizer.load_state_dict({"state": memory, "param_groups": optimizer.state_dict()["param_groups"]})
    for group in optimizer.param_groups:
        if group.get("capturable") or group.get("fused"):
            continue
        for parameter in group["params"]:
            for counter in ("step", "mu_product"):  # where they are read, torch waits for each of them on every step
                if counter in optimizer.state[parameter]:
                    optimizer.state[parameter][counter] = optimizer.state[parameter][counter].cpu()


def _groups(config: TrainConfig, module: nn.Module) -> list[dict[str, Any]]:
    """Return the parameters, those that weight decay leaves alone in a group of their own."""
    parameters = list(module.parameters())
    if config.decay_norms:
        return [{"params": parameters}]
    # Norms scale and biases shift: they have one number a channel. Everything that multiplies inputs has two dimensions or more.
    matrices, vectors = ([p for p in parameters if (p.ndim >= 2) is many] for many in (True, False))
    return [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
