"""Which limit a candidate breaks. Counting what it costs is not done here: that needs torch."""

from search_spaces.sweep import Constraints
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig


def broken(limits: Constraints, config: TrainConfig, cost: ArchitectureCost) -> str | None:
    """Return the name of the first limit that a candidate breaks; None where it keeps them all.

    The name is stable, so that rejected candidates can be counted by it; `explained` says the figures.

    Args:
        limits: The sweep's constraints.
        config: The candidate's recipe; no limit of today looks at it.
        cost: What its network costs.
    """
    if limits.max_parameters is not None and cost.parameters > limits.max_parameters:
        return "max_parameters"
    return None


def explained(limits: Constraints, config: TrainConfig, cost: ArchitectureCost) -> str:
    """Return seen and required of the limit that `broken` names; empty where none is broken."""
    match broken(limits, config, cost):
        case "max_parameters":
            return f"{cost.parameters:,} parameters, must be <= {limits.max_parameters:,}"
    return ""
