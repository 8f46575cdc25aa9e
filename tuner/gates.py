"""What keeps a trial from being promoted: each gate with what was seen and what is required. Nothing is trained."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from results.history import TrialRecord
from search_spaces.final_options import GateOptions
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from tuner.errors import GateRefused
from tuner.final_plan import FinalPlan

Cost = Callable[[TrainConfig], ArchitectureCost]
Latency = Callable[[TrainConfig], float]


@dataclass(frozen=True, slots=True)
class Check:
    """One gate held against one trial.

    Attributes:
        trial: The trial.
        gate: Name of the gate, as in `final.gates`.
        seen: What it has, for people.
        required: What it must have, for people.
        met: Whether it passes.
    """

    trial: str
    gate: str
    seen: str
    required: str
    met: bool


def checks(plan: FinalPlan, gates: GateOptions, *, cost: Cost, latency_ms: Latency) -> list[Check]:
    """Return every gate that is set, held against what would be promoted.

    Args:
        plan: What would be trained; parameters, operations and latency are those of its network, overrides included.
        gates: What is required.
        cost: Counts a network.
        latency_ms: Measures the forward pass of one image, in milliseconds; asked only where a gate needs it.
    """
    return list(_checks(plan, gates, cost, latency_ms))


def refuse(
    found: Iterable[Check],
    name: str,
    *,
    outcome: str = "nothing was trained",
    remedy: str = "choose another trial, or change final.gates",
) -> None:
    """Raise where a gate is not met.

    Args:
        found: All that were checked.
        name: How the user calls the sweep.
        outcome: What comes of it.
        remedy: What to do.

    Raises:
        GateRefused: At least one is not; the message has each with seen and required.
    """
    broken = [check for check in found if not check.met]
    if not broken:
        return
    lines = "\n".join(f"  {check.trial}: {check.gate}: seen {check.seen}, required {check.required}" for check in broken)
    raise GateRefused(f"{name}: {len(broken)} gate{'s are' if len(broken) > 1 else ' is'} not met, {outcome}\n{lines}\n  {remedy}")


def _checks(plan: FinalPlan, gates: GateOptions, cost: Cost, latency_ms: Latency) -> Iterable[Check]:
    record = plan.record
    config = TrainConfig.model_validate({**plan.contents[0], "seed": plan.seeds[0]})

    def check(gate: str, seen: str, required: str, met: bool) -> Check:
        return Check(record.trial, gate, seen, required, met)

    confirm = f"run: shortlist confirm {plan.sweep.name}, then: shortlist promote {plan.sweep.name}; or let `run` do it with final.confirm"
    if gates.confirmed:
        known = record.confirmed
        seen = "no confirmation" if known is None else f"{known.n} fresh seeds" + (f", {known.failed} failed" if known.failed else "")
        yield check("confirmed", seen, f"a confirmation; {confirm}", known is not None and known.n > 0)
    if gates.min_val_accuracy is not None:
        value, words = _accuracy(record)
        seen = "none" if value is None else f"{value:.2%} ({words})"
        yield check("min_val_accuracy", seen, f">= {gates.min_val_accuracy:.2%}", value is not None and value >= gates.min_val_accuracy)
    if gates.min_margin is not None:
        margin = None if record.confirmed is None else record.confirmed.margin
        seen = "unknown" if margin is None else f"{margin:.2f} standard errors"
        required = f">= {gates.min_margin:g} above the runner-up" + (f"; {confirm}" if margin is None else "")
        yield check("min_margin", seen, required, margin is not None and margin >= gates.min_margin)
    if gates.max_parameters is not None or gates.max_flops is not None:
        network = cost(config)
        if gates.max_parameters is not None:
            number, most = network.parameters, gates.max_parameters
            yield check("max_parameters", f"{number:,}", f"<= {most:,}", number <= most)
        if gates.max_flops is not None:
            number, most = network.flops_per_image, gates.max_flops
            yield check("max_flops", f"{number:,}", f"<= {most:,}", number <= most)
    if gates.max_latency_ms is not None:
        measured = latency_ms(config)
        yield check("max_latency_ms", f"{measured:.3g} ms", f"<= {gates.max_latency_ms:g} ms", measured <= gates.max_latency_ms)


def _accuracy(record: TrialRecord) -> tuple[float | None, str]:
    """Return the validation accuracy that counts, and where it comes from: a mean over fresh seeds before the lucky single run."""
    known = record.confirmed
    if known is not None and known.val_accuracy is not None:
        return known.val_accuracy, f"mean of {known.n} fresh seeds"
    if record.last is None:
        return None, ""
    return record.last.val_accuracy, f"a single run, epoch {record.last.epoch}, unconfirmed"


def as_data(found: Iterable[Check]) -> list[dict[str, Any]]:
    """Return the checks as plain data."""
    return [{name: getattr(check, name) for name in ("trial", "gate", "seen", "required", "met")} for check in found]
