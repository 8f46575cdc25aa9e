"""The names a recipe may use, and which fields each of them reads. Torch is not imported: the names are looked up when training starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


def _fields(**defaults: Any) -> Mapping[str, Any]:
    return MappingProxyType(defaults)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSpec:
    """One optimizer.

    Attributes:
        torch_name: Class name in `torch.optim`.
        fields: Fields of TrainConfig that only some optimizers read, with the value taken where the sweep file says nothing.
        fixed: Arguments of the class that the name stands for.
    """

    torch_name: str
    fields: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpec:
    """One schedule; `schedules.py` has its formula.

    Attributes:
        fields: Fields of TrainConfig that only some schedules read, with the value taken where the sweep file says nothing.
    """

    fields: Mapping[str, Any]


# Every optimizer also reads `lr`, `weight_decay` and `decay_norms`. One line makes a further optimizer of torch.optim available
# everywhere. The defaults are torch's, but for the momentum: torch's 0 is plain gradient descent, which nobody means by sgd.
OPTIMIZERS: Mapping[str, OptimizerSpec] = MappingProxyType(
    {
        "sgd": OptimizerSpec(torch_name="SGD", fields=_fields(momentum=0.9)),
        "nesterov": OptimizerSpec(torch_name="SGD", fields=_fields(momentum=0.9), fixed=_fields(nesterov=True)),
        "adam": OptimizerSpec(torch_name="Adam", fields=_fields(beta1=0.9, beta2=0.999, eps=1e-8)),
        "adamw": OptimizerSpec(torch_name="AdamW", fields=_fields(beta1=0.9, beta2=0.999, eps=1e-8)),
        "adagrad": OptimizerSpec(torch_name="Adagrad", fields=_fields(eps=1e-10)),
        "adadelta": OptimizerSpec(torch_name="Adadelta", fields=_fields(rho=0.9, eps=1e-6)),
        "rmsprop": OptimizerSpec(torch_name="RMSprop", fields=_fields(momentum=0.0, alpha=0.99, eps=1e-8)),
        "nadam": OptimizerSpec(torch_name="NAdam", fields=_fields(beta1=0.9, beta2=0.999, eps=1e-8, momentum_decay=4e-3)),
    }
)

# Every schedule also reads `lr`, its highest rate, and `max_epochs`, its horizon. `*_share` and `milestones` are shares of the horizon:
# a final's longer run stretches them. `warmup_epochs` are epochs and stay: what a warm-up is for does not take longer in a longer run.
SCHEDULES: Mapping[str, ScheduleSpec] = MappingProxyType(
    {
        "constant": ScheduleSpec(fields=_fields(warmup_epochs=0.0)),
        "step": ScheduleSpec(fields=_fields(warmup_epochs=0.0, step_share=0.3, gamma=0.1)),
        "multistep": ScheduleSpec(fields=_fields(warmup_epochs=0.0, milestones=(0.5, 0.75), gamma=0.1)),  # He et al., 2015, section 4.2
        "cosine": ScheduleSpec(fields=_fields(warmup_epochs=0.0, lr_floor=0.0, restarts=0, restart_growth=1.0)),
        # torch's defaults but for the warm-up, which takes the 25 % of study E: lr / 25 at the start, 1e-4 of that at the end.
        "onecycle": ScheduleSpec(fields=_fields(warmup_share=0.25, lr_start=0.04, lr_floor=4e-6)),
        "trapezoid": ScheduleSpec(fields=_fields(warmup_epochs=0.0, cooldown_share=0.2, lr_floor=0.0)),  # Hägele et al., 2024: 20 %
    }
)

# Fields that decide which others are read: setting one beside a choice that ignores it is an error, not a silent no-op.
CHOOSERS: Mapping[str, Mapping[str, OptimizerSpec | ScheduleSpec]] = MappingProxyType({"optimizer": OPTIMIZERS, "schedule": SCHEDULES})


def readers(chooser: str, name: str) -> tuple[str, ...]:
    """Return which choices read a field: `readers("optimizer", "momentum")` is sgd, nesterov and rmsprop; empty where all do."""
    return tuple(choice for choice, spec in CHOOSERS[chooser].items() if name in spec.fields)


def optional_fields(chooser: str) -> frozenset[str]:
    """Return the fields that only some choices read."""
    return frozenset(name for spec in CHOOSERS[chooser].values() for name in spec.fields)


def forgotten(chooser: str, old: str, new: str) -> frozenset[str]:
    """Return the fields whose values mean nothing once the choice has changed: those not read by both, or with another default."""
    before, after = CHOOSERS[chooser][old].fields, CHOOSERS[chooser][new].fields
    return frozenset(name for name in {*before, *after} if name not in before or name not in after or before[name] != after[name])
