"""What an ensemble, and what it is selected from, says to people. Prints nothing."""

from typing import Any

from results.tables import TextColumn, aligned
from tuner.ensemble_pool import Candidate, Pool
from tuner.ensembles import Outcome


def selected(outcome: Outcome) -> list[str]:
    """Return who is a member and what that gains, or plainly that one run is left alone."""
    pool, seen = outcome.pool, outcome.selection["validation"]
    number = len(pool.candidates)
    left = [f"{final} is left out: {reason}" for final, reason in pool.left_out.items()]
    if len(outcome.members) == 1:
        alone = outcome.members[0][0]
        return [
            *left,
            f"validation keeps {alone.name} alone, of {number} runs: no mean with another makes the labels likelier and classifies no "
            "fewer images right; no ensemble was made",
        ]
    accuracy, loss = seen["gain"]["accuracy"], seen["gain"]["loss"]
    seen_alone = {told["weights"]: told["accuracy"] for told in outcome.selection["candidates"]}
    parameters = sum(candidate.parameters for candidate, _ in outcome.members)
    single = pool.candidates[outcome.selection["steps"][0]["candidate"]]
    return [
        *left,
        f"selected on validation, {len(outcome.members)} of {number} runs:",
        *_table([(candidate, f"{share:.0%}", seen_alone[candidate.weights]) for candidate, share in outcome.members]),
        f"over {single.name} alone, on the images that selected it: {_interval(accuracy, 100, 2)} points of accuracy, "
        f"the calibrated loss is lower by {_interval(loss, 1, 4)}; {parameters:,} parameters in all",
    ]


def dry_run(pool: Pool, *, max_members: int) -> list[str]:
    """Return what would be selected from."""
    return [
        f"at most {max_members} of these {len(pool.candidates)} runs, selected on validation; then the test split is read, once:",
        *_table([(candidate, "", candidate.val_accuracy) for candidate in pool.candidates]),
        *(f"{final} is left out: {reason}" for final, reason in pool.left_out.items()),
        "nothing was selected: --dry-run",
    ]


def as_data(pool: Pool) -> list[dict[str, Any]]:
    """Return what there is to choose from, as plain data."""
    names = ("final", "trial", "seed", "parameters", "flops", "val_accuracy")
    return [{name: getattr(candidate, name) for name in names} for candidate in pool.candidates]


def _interval(gain: dict[str, float], factor: int, digits: int) -> str:
    mean, low, high = (f"{gain[name] * factor:+.{digits}f}" for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _table(rows: list[tuple[Candidate, str, float]]) -> list[str]:
    """Return candidates, each with its share and its accuracy on validation."""
    columns = [
        TextColumn("share", [share for _, share, _ in rows], right=True),
        TextColumn("final", [candidate.final for candidate, _, _ in rows]),
        TextColumn("seed", [str(candidate.seed) for candidate, _, _ in rows], right=True),
        TextColumn("parameters", [f"{candidate.parameters:,}" for candidate, _, _ in rows], right=True),
        TextColumn("validation %", [f"{accuracy * 100:.2f}" for _, _, accuracy in rows], right=True),
    ]
    return aligned([column for column in columns if any(column.cells)])
