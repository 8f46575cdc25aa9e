"""Who stands before whom. Reads records of what happened; knows no rule of any scheduler.

Honest about fidelity: first the rung a trial has reached, then the metric at that rung's epoch, then its id. A lucky first epoch never
outranks a survivor, and nothing depends on the order in which trials ended.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Literal

from results.history import STATUSES, History, TrialRecord

# These have no place in the order, whatever they scored before.
UNRANKED = frozenset({"diverged", "out_of_memory", "failed"})


@dataclass(frozen=True, slots=True)
class Standing:
    """The highest rung at which a trial has a score, and that score.

    Attributes:
        rung_epochs: In epochs; a completed trial stands at its last epoch.
        score: The metric there, finite.
    """

    rung_epochs: int
    score: float


def sign(mode: Literal["max", "min"]) -> int:
    """Return +1 where the metric is maximised, -1 where it is minimised."""
    return 1 if mode == "max" else -1


def standing(record: TrialRecord) -> Standing | None:
    """Return where a trial stands; None where it has no rank.

    Unranked are trials that ended badly and those that no rung has seen, running ones included. A rung without a finite score counts
    as not reached. A stopped trial stands at the rung where it was stopped.
    """
    if record.status in UNRANKED:
        return None
    scores = record.rungs
    if record.status == "completed" and (last := record.last) is not None:
        # Its last epoch rather than the sweep's max_epochs: a sweep that was extended keeps what was completed before.
        scores = scores | {last.epoch: last.score}
    for rung in sorted(scores, reverse=True):
        score = scores[rung]
        if score is not None and math.isfinite(score):
            return Standing(rung, score)
    return None


def ranked(record: TrialRecord) -> bool:
    """Return whether a trial has a place in the order."""
    return standing(record) is not None


def eligible(record: TrialRecord) -> bool:
    """Return whether a trial may lead or be promoted without being named: it has a place, and nobody has hidden it."""
    return ranked(record) and not record.hidden


def order(history: History) -> list[TrialRecord]:
    """Return all trials, best first; the unranked come last, by status in the order of a trial's life, then by id."""
    return [record for record, _ in placed(history)]


def placed(history: History) -> list[tuple[TrialRecord, Standing | None]]:
    """Return all trials in the order of `order`, with where they stand."""
    better = sign("max" if history.started is None else history.started.mode)

    def key(item: tuple[TrialRecord, Standing | None]) -> tuple[int, int, float, str]:
        record, place = item
        if place is None:
            return (1, STATUSES.index(record.status), 0.0, record.trial)
        return (0, -place.rung_epochs, -better * place.score, record.trial)

    return sorted(((record, standing(record)) for record in history.trials.values()), key=key)


def leaders(history: History) -> list[TrialRecord]:
    """Return the trials that may be promoted without being named, best first.

    They stand as in the leaderboard, except that its first rows, as far as one confirmation has seen them all, go by their means over fresh
    seeds: a lucky single score does not choose.
    """
    rows = [record for record in order(history) if eligible(record)]
    better = sign("max" if history.started is None else history.started.mode)
    named = rows[0].confirmed.confirmation if rows and rows[0].confirmed is not None else None
    seen = list(itertools.takewhile(lambda record: named is not None and _mean(record, named) is not None, rows))
    return sorted(seen, key=lambda record: -better * (_mean(record, named) or 0.0)) + rows[len(seen) :]


def _mean(record: TrialRecord, confirmation: str | None) -> float | None:
    """Return the mean that a confirmation gave a trial; None where it gave none."""
    known = record.confirmed
    return known.mean if known is not None and known.confirmation == confirmation else None
