"""What confirmations, promotions and their dry runs say to people. Prints nothing."""

from collections.abc import Sequence
from typing import Any

from results.leaderboard_text import duration
from results.tables import TextColumn, aligned
from results.trial_text import score_text
from tuner.confirmations import Outcome, Row
from tuner.final_plan import FinalPlan, changes
from tuner.gates import Check
from tuner.lineage import Reading
from tuner.samplers.more_seeds import CLEAR


def promotion(plan: FinalPlan) -> list[str]:
    """Return what a promotion will train: its runs, and each change of the recipe."""
    seeds = ", ".join(map(str, plan.seeds))
    found = [f"{plan.record.trial} -> finals/{plan.name}: {_number(len(plan.seeds), 'seed')} ({seeds}), {plan.epochs_in_all} epochs in all"]
    for number in range(plan.num_stages):
        told = changes(plan, number)
        search = plan.options.stages[number].search if plan.options.stages else None
        if search is not None:
            told.append(f"{search.trials} candidates for each seed over {', '.join(search.parameters)}; the best on validation is kept")
        head = f"  stage {number + 1}: " if plan.num_stages > 1 else "  "
        found += [f"{head if not place else ' ' * len(head)}{line}" for place, line in enumerate(told)]
    return found


def cost_s(plan: FinalPlan) -> float | None:
    """Return the seconds of work that a promotion will take, at the pace that its trial had in the search; None where it had none."""
    record = plan.record
    return record.device_s / len(record.curve) * plan.epochs_in_all if record.curve else None


def as_data(plan: FinalPlan, *, made: bool) -> dict[str, Any]:
    """Return what a promotion will train, as plain data."""
    return {
        "trial": plan.record.trial,
        "final": plan.name,
        "made": made,
        "seeds": plan.seeds,
        "changes": [changes(plan, number) for number in range(plan.num_stages)],
        "epochs_in_all": plan.epochs_in_all,
        "work_s": cost_s(plan),
    }


def dry_run(plans: Sequence[FinalPlan], made: Sequence[bool], checks: Sequence[Check], readings: Sequence[Reading]) -> list[str]:
    """Return what would happen.

    Args:
        plans: What would be trained.
        made: Whether each is there already.
        checks: The gates.
        readings: How often the test split was opened for this sweep so far.
    """
    found: list[str] = []
    for plan, there in zip(plans, made, strict=True):
        found += promotion(plan)
        seconds = cost_s(plan)
        price = f"about {duration(seconds)} of work, at the pace of {plan.record.trial} in the search" if seconds else "how long is unknown"
        found.append("  is there already, nothing would be trained" if there else f"  {price}; then the test split is read, once")
    if plans and plans[0].options.ensemble is not None:
        runs = sum(len(plan.seeds) for plan in plans)
        found.append(f"then validation selects the best mean of these {runs} runs, which is a final of its own, and tested, once")
    found += gates(checks)
    found += looked_at(readings)
    return [*found, "nothing was trained: --dry-run"]


def gates(checks: Sequence[Check]) -> list[str]:
    """Return the gates as a table; nothing where none is set."""
    if not checks:
        return []
    columns = [
        TextColumn("trial", [check.trial for check in checks]),
        TextColumn("gate", [check.gate for check in checks]),
        TextColumn("seen", [check.seen for check in checks]),
        TextColumn("required", [check.required for check in checks]),
        TextColumn("", ["met" if check.met else "NOT MET" for check in checks]),
    ]
    return aligned(columns)


def looked_at(readings: Sequence[Reading]) -> list[str]:
    """Return how often the test split was looked at for a sweep, where it was."""
    if not readings:
        return []
    finals = len({reading.final for reading in readings})
    times = _number(len(readings), "time")
    return [
        f"the test split has been looked at {times} for {_number(finals, 'final')} of this sweep; the best of several test figures is "
        "better than the model is"
    ]


def confirmation(outcome: Outcome, *, metric: str, first: str, argument: str | None) -> list[str]:
    """Return a confirmation as a table, and what it says of the leaderboard's first row.

    Args:
        outcome: What it came to.
        metric: The objective.
        first: The trial that led the leaderboard.
        argument: How the user calls the sweep, for what to type next; None where promotion follows by itself.
    """
    percent = metric.endswith("accuracy")
    unit = " %" if percent else ""

    def text(value: float | None) -> str:
        return "" if value is None else score_text(value, percent)

    def gap(row: Row) -> str:
        if row.behind is None:
            return ""
        around = "" if row.behind.low is None else f" [{text(row.behind.low)}, {text(row.behind.high)}]"
        return f"{text(row.behind.mean)}{around}"

    rows = outcome.rows
    columns = [
        TextColumn("trial", [row.trial for row in rows]),
        TextColumn(f"score{unit}", [text(row.score) for row in rows], right=True),
        TextColumn(f"confirmed{unit}", [text(row.figures["mean"]) for row in rows], right=True),
        TextColumn("95 % interval", [_interval(text(row.figures["low"]), text(row.figures["high"])) for row in rows]),
        TextColumn("seeds", [str(row.figures["n"]) for row in rows], right=True),
        TextColumn("failed", [str(row.figures["failed"] or "") for row in rows], right=True),
        TextColumn("best with", [_share(row.figures["p_best"]) for row in rows], right=True),
        TextColumn("behind in pairs", [gap(row) for row in rows]),
    ]
    found = aligned([column for column in columns if any(column.cells)])
    led = next((row for row in rows if row.trial == first), None)
    if led is not None and led.score is not None and (there := led.figures["rung_mean"]) is not None:
        luck = _signed(led.score - there, percent)
        found += [
            "",
            f"{first} led with {text(led.score)}{unit}; fresh seeds give {text(there)} at that epoch: {luck} of it was luck",
        ]
    shares = rows[0].figures["p_best"]
    if shares is not None and len(rows) > 1:
        sure = "the order at the top is clear" if shares >= CLEAR else "more seeds may still change the order"
        found.append(f"{rows[0].trial} is the best of these with probability {shares:.0%}; {sure}")
    return found if argument is None else [*found, "", f"next: shortlist promote {argument} --trial {rows[0].trial}"]


def _number(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _interval(low: str, high: str) -> str:
    return f"{low} to {high}" if low else ""


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _signed(value: float, percent: bool) -> str:
    return f"{value * 100:+.1f} points" if percent else f"{value:+.4f}"
