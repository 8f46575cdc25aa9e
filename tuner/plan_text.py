"""A plan as people read it. Prints nothing."""

from results.leaderboard_text import duration
from results.tables import TextColumn, aligned
from tuner.plan import ExpectedRung, Plan
from tuner.plan_finals import Step

LABEL_WIDTH = 17


def lines(plan: Plan) -> list[str]:
    """Return the whole answer, a line each."""
    size = "continuous" if plan.combinations is None else f"{plan.combinations:,} combinations"
    saved = 1 - plan.epochs / plan.epochs_in_full if plan.epochs_in_full else 0.0
    return [
        f"{plan.name}: {plan.trials:,.0f} trials, at most {plan.max_epochs} epochs each; {size}, "
        f"{plan.feasible:.0%} of the networks keep the constraints",
        "",
        *(_fact(f"rung at epoch {rung.epochs}", f"{_trials(rung)} trials") for rung in plan.rungs),
        _fact("trained in full", f"{_trials(plan.completed)} trials, {plan.completed.epochs} epochs"),
        _fact(
            "epochs",
            f"{plan.epochs:,.0f}{_range(f'{plan.epochs_low:,}', f'{plan.epochs_high:,}')}, {saved:.0%} less than the "
            f"{plan.epochs_in_full:,} of training everything",
        ),
        *_time(plan),
        *(_fact("budget" if not number else "", text) for number, text in enumerate(plan.budget)),
        *map(_step, plan.after),
        "",
        *aligned(
            [
                TextColumn("architecture", [one.label for one in plan.architectures]),
                TextColumn("parameters", [f"{one.parameters:,}" for one in plan.architectures], right=True),
                TextColumn("MFLOPs/image", [f"{one.flops_per_image / 1e6:,.1f}" for one in plan.architectures], right=True),
                TextColumn(
                    "activations/image", [f"{one.activation_bytes_per_image / 2**20:.2f} MiB" for one in plan.architectures], right=True
                ),
            ]
        ),
    ]


def _time(plan: Plan) -> list[str]:
    if plan.gpu_hours is None or plan.wall_s is None:
        return [_fact("hours, cost", "unknown: no earlier sweep on these images and this machine; measure with --calibrate")]
    assert plan.gpu_hours_low is not None
    assert plan.gpu_hours_high is not None
    assert plan.wall_s_low is not None
    assert plan.wall_s_high is not None
    workers = f"{plan.workers} worker{'s' if plan.workers > 1 else ''}"
    found = [
        _fact("device hours", f"{plan.gpu_hours:.3g}{_range(f'{plan.gpu_hours_low:.3g}', f'{plan.gpu_hours_high:.3g}')}"),
        _fact("wall time", f"{duration(plan.wall_s)}{_range(duration(plan.wall_s_low), duration(plan.wall_s_high))} with {workers}"),
    ]
    if plan.cost is not None and plan.price is not None:
        found.append(_fact("cost", f"{plan.cost:,.2f} at {plan.price:g} a device hour"))
    return [*found, _fact("speed", plan.speed or "")]


def _step(step: Step) -> str:
    """Return what something behind the search takes."""
    most = "at most " if step.name == "confirm" else ""
    text = f"{most}{step.runs:,} run{'s' if step.runs > 1 else ''}, {step.epochs:,} epochs"
    if step.gpu_hours is not None and step.wall_s is not None:
        spread = _range(f"{step.gpu_hours_low:.3g}", f"{step.gpu_hours_high:.3g}")
        text += f"; {step.gpu_hours:.3g}{spread} device hours, {duration(step.wall_s)}"
    if step.cost is not None:
        text += f", {step.cost:,.2f}"
    return _fact(f"then {step.name}", text + " besides")


def _trials(rung: ExpectedRung) -> str:
    return f"{rung.trials_mean:.3g}{_range(str(rung.trials_low), str(rung.trials_high))}"


def _range(low: str, high: str) -> str:
    return f" ({low} to {high})" if low != high else ""


def _fact(label: str, text: str) -> str:
    return f"{label:<{LABEL_WIDTH}}{text}"
