"""The names a recipe may use, and which fields each of them reads. Torch is not imported: the names are looked up when training starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSpec:
    """One optimizer.

    Attributes:
        torch_name: Class name in `torch.optim`.
        fields: Fields of TrainConfig that only some optimizers read, with the value taken where the sweep file says nothing.
    """

    torch_name: str
    fields: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


# Every optimizer also reads `lr` and `weight_decay`. One line makes a further optimizer of torch.optim available everywhere.
OPTIMIZERS: Mapping[str, OptimizerSpec] = MappingProxyType(
    {
        "sgd": OptimizerSpec(torch_name="SGD", fields=MappingProxyType({"momentum": 0.9})),
        "adam": OptimizerSpec(torch_name="Adam"),
        "adagrad": OptimizerSpec(torch_name="Adagrad"),
    }
)

# Fields that only some optimizers read: setting one beside an optimizer that ignores it is an error, not a silent no-op.
OPTIMIZER_FIELDS = frozenset(name for spec in OPTIMIZERS.values() for name in spec.fields)

SCHEDULES = ("constant", "cosine")
