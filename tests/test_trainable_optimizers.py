from typing import Any

import pytest
import torch
from pictures import recipe
from torch import nn

from trainable.config.recipe import OPTIMIZERS
from trainable.optimizers import build

# A value for every field that only some optimizers read, none of them a default.
VALUES = {"momentum": 0.7, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "rho": 0.6, "alpha": 0.5, "momentum_decay": 0.01}


def torch_arguments(name: str) -> dict[str, Any]:
    """Return what torch's class should be given, written out by hand."""
    betas = {"betas": (0.8, 0.95), "eps": 1e-3}
    return {
        "sgd": {"momentum": 0.7},
        "nesterov": {"momentum": 0.7, "nesterov": True},
        "adam": betas,
        "adamw": betas,
        "adagrad": {"eps": 1e-3},
        "adadelta": {"rho": 0.6, "eps": 1e-3},
        "rmsprop": {"alpha": 0.5, "eps": 1e-3, "momentum": 0.7},
        "nadam": betas | {"momentum_decay": 0.01},
    }[name]


def test_every_field_of_an_optimizer_is_tried_here() -> None:
    assert {name for spec in OPTIMIZERS.values() for name in spec.fields} == VALUES.keys()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_defaults_are_those_of_torch(name: str) -> None:
    (ours,) = build(recipe(optimizer=name, lr=0.05), nn.Linear(2, 2)).param_groups
    extra = {"momentum": 0.9, "nesterov": name == "nesterov"} if name in ("sgd", "nesterov") else {}
    reference = getattr(torch.optim, OPTIMIZERS[name].torch_name)(nn.Linear(2, 2).parameters(), lr=0.05, weight_decay=0.0, **extra)
    assert {**ours, "params": [], "fused": None} == {**reference.param_groups[0], "params": [], "fused": None}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_torch(name: str) -> None:
    torch.manual_seed(0)
    module, plain = nn.Linear(5, 3), nn.Linear(5, 3)
    plain.load_state_dict(module.state_dict())
    fields = {field: VALUES[field] for field in OPTIMIZERS[name].fields}
    ours = build(recipe(optimizer=name, lr=0.05, weight_decay=0.01, **fields), module)
    reference = getattr(torch.optim, OPTIMIZERS[name].torch_name)(plain.parameters(), lr=0.05, weight_decay=0.01, **torch_arguments(name))
    start = plain.weight.detach().clone()
    for batch in torch.rand(20, 4, 5):
        for network, optimizer in ((module, ours), (plain, reference)):
            optimizer.zero_grad()
            network(batch).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(module.weight, plain.weight, rtol=1e-5, atol=1e-6)
    assert (plain.weight - start).abs().max() > 0.01


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_norms_and_biases_may_be_left_out_of_weight_decay(name: str) -> None:
    """With gradients of zero only weight decay moves anything."""
    moved = {}
    for decay_norms in (True, False):
        module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
        for parameter in module.parameters():
            nn.init.constant_(parameter, 0.5)
            parameter.grad = torch.zeros_like(parameter)
        build(recipe(optimizer=name, lr=0.1, weight_decay=0.1, decay_norms=decay_norms), module).step()
        moved[decay_norms] = {name for name, parameter in module.named_parameters() if (parameter != 0.5).any()}
    assert moved[True] == {"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"}
    assert moved[False] == {"0.weight", "3.weight"}
