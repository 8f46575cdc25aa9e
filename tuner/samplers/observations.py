"""What a sampler that learns may know of a trial: its values, and one number for how good it was.

Trials of one sweep were trained for different lengths, so their scores cannot be compared as they are. Their places in the leaderboard
can: by rung reached, then by the score there. The quality is that place, from 0 (the worst) to 1 (the best): levels of the metric, and of
other data sets, leave no trace in it. Imports neither optuna nor torch.
"""

from collections.abc import Sequence
from itertools import groupby

from results import ranking
from results.history import History, TrialRecord

# (rung in epochs, score as if maximised); what ended badly stands below every rung.
_Place = tuple[int, float]
_BADLY: _Place = (-1, 0.0)


def observed(history: History, *, sign: int) -> list[tuple[TrialRecord, float | None]]:
    """Return the trials from which something can be learnt, in the order of suggestion, each with its quality.

    The quality is in (0, 1), None while a trial has reached no rung yet. Equal trials share a quality. One that diverged, ran out of
    memory or failed is among the worst, so that a sampler learns to keep away. One that ended otherwise before its first rung says
    nothing and is left out.

    Args:
        history: The sweep so far.
        sign: +1 where its metric is maximised, -1 where it is minimised.
    """
    found: list[tuple[TrialRecord, _Place | None]] = []
    for record in history.trials.values():
        if record.status in ranking.UNRANKED:
            found.append((record, _BADLY))
        elif (standing := ranking.standing(record)) is not None:
            found.append((record, (standing.rung_epochs, sign * standing.score)))
        elif record.ended is None:
            found.append((record, None))
    known = iter(qualities([place for _, place in found if place is not None]))
    return [(record, None if place is None else next(known)) for record, place in found]


def qualities(places: Sequence[_Place]) -> list[float]:
    """Return for each place its mean rank from below, less a half, over their number: in (0, 1), 0.5 on average."""
    order = sorted(range(len(places)), key=places.__getitem__)
    result = [0.0] * len(places)
    below = 0
    for _, equal in groupby(order, key=places.__getitem__):
        members = list(equal)
        for index in members:
            result[index] = (below + len(members) / 2) / len(places)
        below += len(members)
    return result
