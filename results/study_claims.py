"""The studies' claims put to the test: pairs of measured trials that are alike in all but what the claim is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from results.analysis.confirmed import difference
from results.published import Claim

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["confirmed", "contradicted", "not decided"]


@dataclass(frozen=True, slots=True)
class Tested:
    """A claim after the test.

    Attributes:
        claim: What was tested.
        sweep: Name of the measured sweep.
        mean: Mean difference in validation accuracy over the pairs, in points of a percent, positive where the claim holds.
        low: Lower end of its 95 % t interval; None with one pair.
        high: Upper end.
        num_pairs: Pairs of trials.
    """

    claim: Claim
    sweep: str
    mean: float
    low: float | None
    high: float | None
    num_pairs: int

    @property
    def verdict(self) -> Verdict:
        """Return what the interval says: it must not hold zero."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "not decided"
        return "confirmed" if self.low > 0 else "contradicted"


def compare(claim: Claim, sweep: str, board: "pd.DataFrame") -> Tested | None:
    """Compare the pairs of a measured sweep; None where it holds none.

    Trials that ended before the longest ones did are left out. Where several trials of one side agree in all of `pairs`, their mean counts.

    Args:
        claim: The claim.
        sweep: Name of the measured sweep.
        board: Its leaderboard, one row per trial.
    """
    full = board[board["score"].notna() & (board["epochs"] == board["epochs"].max())]
    better, worse = (_accuracies(full, match, claim.pairs) for match in (claim.better, claim.worse))
    numbers = {pair: number for number, pair in enumerate(sorted(better.keys() & worse.keys()))}
    found = difference({numbers[pair]: better[pair] for pair in numbers}, {numbers[pair]: worse[pair] for pair in numbers}, sign=1)
    if found is None:
        return None
    low, high = (None if end is None else 100 * end for end in (found.low, found.high))
    return Tested(claim, sweep, 100 * found.mean, low, high, found.n)


def _accuracies(board: "pd.DataFrame", match: Mapping[str, object], pairs: tuple[str, ...]) -> dict[tuple[str, ...], float]:
    """Return the mean validation accuracy of the trials with these values, by what their partner has to agree in."""
    if any(f"config.{path}" not in board.columns for path in match):
        return {}
    for path, value in match.items():
        board = board[board[f"config.{path}"] == value]
    known = [f"config.{path}" for path in pairs if f"config.{path}" in board.columns]
    keys = [tuple(str(value) for value in row) for row in board[known].to_numpy().tolist()]
    found: dict[tuple[str, ...], list[float]] = {}
    for key, accuracy in zip(keys, board["val_accuracy"], strict=True):
        found.setdefault(key, []).append(float(accuracy))
    return {key: sum(values) / len(values) for key, values in found.items()}
