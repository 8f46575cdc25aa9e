"""The leaders again, over fresh seeds, in full: how good they are on average, and how much of the first row's score was luck.

A confirmation is a sweep of its own in `confirmations/<id>/`: its sampler gives the next seed to the trial about which it decides most
(`samplers/more_seeds.py`). What comes of it is journaled with the sweep that is confirmed, whose leaderboard shows it.
"""

import hashlib
import itertools
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from results import journal, ranking
from results.analysis import confirmed
from results.analysis.confirmed import Difference
from results.events import Confirmed, stamp
from results.history import History, TrialRecord
from results.storage import Storage
from search_spaces.sweep import BudgetOptions, Constraints, ResourceOptions, SearchOptions, Sweep
from tuner import asking, fingerprints, requests, shipping
from tuner.errors import SweepFailed
from tuner.run import Workplace, cost_counter, prepare_data, run_sessions
from tuner.samplers.more_seeds import SEED
from tuner.session import hold, stored

NUM_SEEDS = 64  # fresh seeds to choose from: more than anybody pays for, and the same for every budget, so that one can be raised


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One trial, confirmed.

    Attributes:
        trial: The trial of the sweep.
        score: Its own score there.
        scores: Fresh seed -> score after the last epoch.
        figures: As `results.events.Confirmed` keeps them.
        behind: How much better the leader is, in pairs; None for the leader itself, and where no seed is shared.
    """

    trial: str
    score: float | None
    scores: Mapping[int, float]
    figures: Mapping[str, float | None]
    behind: Difference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a confirmation came to.

    Attributes:
        id: Its folder's name.
        storage: Its folder.
        rows: The best mean first; trials of which no seed was trained to the end come last.
        num_runs: Runs launched.
        made_now: Whether this call trained any.
    """

    id: str
    storage: Storage
    rows: tuple[Row, ...]
    num_runs: int
    made_now: bool


def confirmation_sweep(sweep: Sweep, history: History, records: Sequence[TrialRecord], *, seeds: int, resources: ResourceOptions) -> Sweep:
    """Return the sweep that trains the trials again, `seeds` runs for each on average.

    Args:
        sweep: The sweep that found them.
        history: Its trials: their seeds are not taken again.
        records: The trials to confirm.
        seeds: Fresh seeds for each trial on average; some get more, others fewer.
        resources: What one run holds.
    """
    used = {record.config.get(SEED) for record in history.trials.values()}
    fresh = list(itertools.islice((seed for seed in itertools.count(sweep.seed + 1) if seed not in used), NUM_SEEDS))
    candidates = list({json.dumps(_candidate(record), sort_keys=True): _candidate(record) for record in records}.values())
    identity = json.dumps([sweep.hash(), sorted(record.trial for record in records)])
    return sweep.model_copy(
        update={
            "name": f"{len(records)}x{sweep.max_epochs}ep-{hashlib.sha256(identity.encode()).hexdigest()[:6]}",
            "trial": {**sweep.trial, SEED: {"choice": fresh}},
            "constraints": Constraints(),
            "search": SearchOptions(sampler="more_seeds", trials=len(candidates) * seeds, configurations=tuple(candidates)),
            "scheduler": type(sweep.scheduler).model_validate({"none": {"max_epochs": sweep.max_epochs}}),
            "budget": BudgetOptions(),
            "resources": resources,
            "final": None,
        }
    )


def place_of(storage: Storage, options: Sweep) -> Storage:
    """Return the folder of a confirmation, made or to be made."""
    return Storage(storage.path(f"confirmations/{options.name}"))


def confirm(
    sweep: Sweep, storage: Storage, history: History, records: Sequence[TrialRecord], options: Sweep, workplace: Workplace, *, author: str
) -> Outcome:
    """Train the confirmation to its end, from wherever it stands, and journal what came of it with the sweep.

    Args:
        sweep: The sweep that found the trials.
        storage: Its folder.
        history: What happened in it.
        records: The trials.
        options: What `confirmation_sweep` returned. One that is stored with a smaller budget goes on up to this one.
        workplace: Where it runs and who looks on.
        author: Who asks.

    Raises:
        UsageError: The images have changed since the sweep.
        Locked: Somebody else is at the same confirmation.
        SweepFailed: Not one run was trained to the end.
    """
    place = place_of(storage, options)
    fingerprints.check(storage, prepare_data(sweep.data))
    options = _raised(place, options, author)
    code = shipping.stored(storage.root)
    with hold(options, place, source=None, cost=cost_counter(options.data), code=code) as session:
        made_now = run_sessions([session], workplace, export=False).reason != "nothing to do"
        outcome = evaluate(sweep, place, session.search.history, records, made_now=made_now)
    if not any(row.scores for row in outcome.rows):
        raise SweepFailed(f"no run of {place} was trained to the end; see: shortlist leaderboard {place}")
    _journal(storage, history, outcome, author)
    return outcome


def evaluate(sweep: Sweep, place: Storage, runs: History, records: Sequence[TrialRecord], *, made_now: bool = False) -> Outcome:
    """Return what the runs of a confirmation say of the trials.

    Args:
        sweep: The sweep that found them.
        place: The confirmation's folder.
        runs: What happened in it.
        records: The trials.
        made_now: Whether any was trained just now.
    """
    sign = sweep.objective.sign
    most = 1.0 if sweep.objective.metric == "val_accuracy" else math.inf  # a share of images; a loss has no end
    mine = {record.trial: _runs_of(record, runs) for record in records}
    done = {trial: {int(run.config[SEED]): run for run in found if run.status == "completed"} for trial, found in mine.items()}
    scores = {
        trial: {seed: run.last.score for seed, run in sorted(found.items()) if run.last is not None and run.last.score is not None}
        for trial, found in done.items()
    }
    listed = [list(scores[record.trial].values()) for record in records]
    shares = confirmed.probability_best(listed, sign=sign)
    spread = confirmed.pooled(listed)
    rows = []
    for number, record in enumerate(records):
        own = listed[number]
        half = spread.half_width(len(own)) if spread is not None and own else None
        mean = fmean(own) if own else None
        figures: dict[str, float | None] = {
            "mean": mean,
            "low": None if half is None or mean is None else max(0.0, mean - half),
            "high": None if half is None or mean is None else min(most, mean + half),
            "sd": stdev(own) if len(own) > 1 else None,
            "n": len(own),
            "failed": sum(run.status in ranking.UNRANKED for run in mine[record.trial]),
            "p_best": None if shares is None else shares[number],
            "margin": confirmed.margin(listed, number, sign=sign),
            "rung_mean": _mean_at_rung(record, list(done[record.trial].values())),
            "val_accuracy": fmean([run.last.val_accuracy for run in done[record.trial].values() if run.last]) if own else None,
        }
        standing = ranking.standing(record)
        rows.append((record.trial, None if standing is None else standing.score, figures))
    rows.sort(key=lambda row: (row[2]["mean"] is None, -sign * (row[2]["mean"] or 0.0), row[0]))
    leader = scores[rows[0][0]]
    return Outcome(
        id=place.root.name,
        storage=place,
        rows=tuple(
            Row(
                trial=trial,
                score=score,
                scores=scores[trial],
                figures=figures,
                behind=None if trial == rows[0][0] else confirmed.difference(leader, scores[trial], sign=sign),
            )
            for trial, score, figures in rows
        ),
        num_runs=len(runs.trials),
        made_now=made_now,
    )


def _raised(place: Storage, options: Sweep, author: str) -> Sweep:
    """Return the confirmation as it is stored, where it is, its number of runs raised to what is asked for now."""
    if not place.exists("sweep.json"):
        return options
    known = stored(place).model_copy(update={"resources": options.resources})
    history = History.of(journal.read(place))
    asked = options.search.trials or 0
    if history.started is not None and asked > (requests.limits(history, known)["trials"] or 0):
        asking.ask(place, requests.extension(history, known, {"trials": asked}, author=author, now=time.time()))
    return known


def _journal(storage: Storage, history: History, outcome: Outcome, author: str) -> None:
    """Have the figures written into the sweep's journal, unless it has them already."""
    news = {row.trial: row.figures for row in outcome.rows}
    known = {trial: history.trials[trial].confirmed for trial in news}
    if all(one is not None and all(getattr(one, name) == value for name, value in news[trial].items()) for trial, one in known.items()):
        return
    now = time.time()
    asking.ask(storage, Confirmed(at=stamp(now), request=requests.new_id(now), author=author, confirmation=outcome.id, trials=news))


def _candidate(record: TrialRecord) -> dict[str, object]:
    return {path: value for path, value in record.values.items() if path != SEED}


def _runs_of(record: TrialRecord, runs: History) -> list[TrialRecord]:
    candidate = _candidate(record)
    return [run for run in runs.trials.values() if _candidate(run) == candidate]


def _mean_at_rung(record: TrialRecord, runs: Sequence[TrialRecord]) -> float | None:
    """Return the mean score of the fresh runs at the epoch at which the trial has its own: like with like."""
    standing = ranking.standing(record)
    if standing is None:
        return None
    there = [run.curve[standing.rung_epochs].score for run in runs if standing.rung_epochs in run.curve]
    finite = [score for score in there if score is not None]
    return fmean(finite) if finite else None
