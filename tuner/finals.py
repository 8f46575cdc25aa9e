"""Winner to finished model: a final is a sweep of its own, over seeds, without early stopping, with a journal in `finals/<id>/`.

Several finals share the workers. Their stages follow each other; after the last one the run to keep is chosen by validation, and only
then the test split is read, once for each final, for all of its runs.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import journal, ranking
from results.events import Tested, stamp
from results.history import History, TrialRecord
from results.storage import Storage
from search_spaces.final_options import FinalOptions
from search_spaces.sweep import ResourceOptions, Sweep
from tuner import delivery, final_plan, fingerprints, lineage, model_card, ray_cluster, shipping, slots, stages
from tuner.errors import SweepFailed, UsageError
from tuner.final_plan import FinalPlan
from tuner.run import Workplace, cost_counter, prepare_data, run_sessions
from tuner.session import Session, hold

# What of a trial's export belongs to the finished model; the user's own modules lie there already.
EXPORTED = ("model.safetensors", "model.py")


@dataclass(frozen=True, slots=True)
class Final:
    """One finished model.

    Attributes:
        id: Its folder's name under `finals/`.
        trial: The trial of the sweep that it came from.
        storage: Its folder.
        metrics: What `metrics.json` holds.
        made_now: Whether this call trained it; False where it was there already.
    """

    id: str
    trial: str
    storage: Storage
    metrics: dict[str, Any]
    made_now: bool


def choose(history: History, sweep: Sweep, *, trials: Sequence[str], top: int) -> list[TrialRecord]:
    """Return the trials to promote: the ones named, or the first of the leaderboard that nobody has hidden, the best confirmed first.

    Raises:
        UsageError: A trial does not exist or cannot be promoted, or none is ranked yet.
    """
    if trials:
        return [_named(history, sweep, name) for name in trials]
    eligible = ranking.leaders(history)
    if not eligible:
        if any(map(ranking.ranked, history.trials.values())):
            raise UsageError(f"every ranked trial of {sweep.name} is hidden; name one with --trial, or see: shortlist unhide --help")
        raise UsageError(f"no trial of {sweep.name} has reached a rung yet, there is nothing to promote; let the sweep run on")
    return eligible[:top]


def promote(
    sweep: Sweep,
    storage: Storage,
    history: History,
    records: Sequence[TrialRecord],
    options: FinalOptions,
    *,
    resources: ResourceOptions,
    workplace: Workplace,
) -> list[Final]:
    """Train trials in full, test each once, write `finals/<id>/`; what is there already is left as it is.

    Args:
        sweep: The sweep that found them.
        storage: Its folder.
        history: Its trials.
        records: The trials to promote, best first.
        options: Length, seeds, overrides, stages. Gates are not looked at here: `tuner.gates` is asked before.
        resources: What one run holds.
        workplace: Where it runs and who looks on.

    Raises:
        UsageError: An override does not fit the recipe, there is no test split, the images have changed since the sweep, or the user's
            own network could not be exported.
        Locked: Somebody else is at the same promotion.
        SweepFailed: Not one seed of a final was trained to the end.
    """
    code = shipping.stored(storage.root)
    shipping.refuse_strangers(code)
    plans = [final_plan.plan(sweep, record, options, resources) for record in records]
    places = [place_of(storage, plan) for plan in plans]
    missing = [number for number, place in enumerate(places) if not place.exists("metrics.json")]
    if missing:
        _require_test_split(sweep)
        fingerprints.check(storage, prepare_data(sweep.data))
        for number in missing:
            _set_aside_if_failed(plans[number], places[number])
        for stage in range(plans[0].num_stages):
            _train(history, [(plans[number], places[number]) for number in missing], stage, code, workplace)
    return [
        Final(plan.name, plan.record.trial, place, json.loads(place.read("metrics.json")), number in missing)
        for number, (plan, place) in enumerate(zip(plans, places, strict=True))
    ]


def place_of(storage: Storage, plan: FinalPlan) -> Storage:
    """Return the folder of a final, made or to be made."""
    return Storage(storage.path(f"finals/{plan.name}"))


def _train(
    history: History, finals: Sequence[tuple[FinalPlan, Storage]], stage: int, code: Mapping[str, bytes], workplace: Workplace
) -> None:
    """Train one stage of every final, together; after the last stage choose, test and write what the finals are for.

    Raises:
        SweepFailed: A final has no run that came to the stage's end.
    """
    with ExitStack() as stack:
        sessions = []
        for plan, place in finals:
            options = stages.begin(plan, place, stage)
            held = hold(options, stages.place_of(plan, place, stage), source=None, cost=cost_counter(options.data), code=code)
            sessions.append(stack.enter_context(held))
        run_sessions(sessions, workplace, export=True)
        if stage == finals[0][0].num_stages - 1:
            able = [(plan, session) for (plan, _), session in zip(finals, sessions, strict=True) if stages.trained(session.search.history)]
            _test(able)
            for plan, session in able:
                finish(plan, session.storage, session.search.history, history)
    for (plan, _), session in zip(finals, sessions, strict=True):
        runs = session.search.history.trials.values()
        if not stages.trained(session.search.history):
            reasons = "; ".join(f"{run.trial}: {run.status} {run.reason}" for run in runs)
            raise SweepFailed(
                f"final {plan.name} has no run that was trained to the end ({reasons}); see {session.storage.path('journal')}; "
                "the same command tries again"
            )


def _test(finals: Sequence[tuple[FinalPlan, Session]]) -> None:
    """Have the test split read for the finals that have not been tested, and journal what it says."""
    kept = [(session, stages.kept(plan, session.storage, session.search.history)) for plan, session in finals]
    untested = [(session, runs) for session, runs in kept if any(run.tested is None for run in runs)]
    if not untested:
        return
    from tuner.ray_test import TestOrder, read_test_splits

    orders = [
        TestOrder(
            root=session.storage.address,
            configs={run.trial: run.config for run in runs},
            weights={run.trial: stages.exported(session.storage, run)["weights"] for run in runs},
            chosen=runs[0].trial,
        )
        for session, runs in untested
    ]
    planned = slots.plan(untested[0][0].sweep.resources, ray_cluster.nodes())
    for (session, _), record in zip(untested, read_test_splits(orders, planned), strict=True):
        session.search.record(*tested(session.storage, session.search.history, record))


def tested(place: Storage, history: History, record: Mapping[str, Any]) -> list[Tested]:
    """Return the facts that `test.json` gives, a run each."""
    found = []
    for trial, figures in record["figures"].items():
        exported = stages.exported(place, history.trials[trial])
        found.append(
            Tested(
                at=stamp(time.time()),
                trial=trial,
                metrics={**figures, "epoch": exported["epoch"]},
                fingerprint=record["fingerprint"],
                train_fingerprint=exported["train_fingerprint"],
            )
        )
    return found


def finish(plan: FinalPlan, place: Storage, runs: History, history: History) -> None:
    """Write what a final is for: the weights of the run that validation prefers, and the account of it. `metrics.json` comes last.

    Args:
        plan: What was promoted.
        place: The final's folder.
        runs: Its last stage, every completed run tested.
        history: The sweep that found the trial.
    """
    trained = stages.kept(plan, place, runs)
    best = trained[0]
    for name in EXPORTED:
        place.write_atomic(name, stages.read_export(place, best, name))
    delivery.copy_extras(place, best.trial)
    metrics = lineage.metrics(plan, best, trained) | delivery.account(place, best.trial)
    content = {
        "lineage.json": _json(lineage.lineage(plan, history, place, best)),
        "README.md": model_card.render(plan, metrics).encode(),
        "metrics.json": _json(metrics),
    }
    delivery.publish(place, content)


def _named(history: History, sweep: Sweep, name: str) -> TrialRecord:
    trial = f"t{int(name):05d}" if name.isdigit() else name
    if (record := history.trials.get(trial)) is None:
        last = next(reversed(history.trials), "none yet")
        raise UsageError(f"{sweep.name} has no trial {name}, its trials go up to {last}; see `shortlist leaderboard {sweep.name}`")
    if record.status in ranking.UNRANKED:
        raise UsageError(f"trial {trial} is {record.status} ({record.reason}), it cannot be promoted; choose one with a rank")
    return record


def _require_test_split(sweep: Sweep) -> None:
    """Raise where a final could be trained and then not be tested; no image is opened."""
    if sweep.data.name == "parquet" and sweep.data.path is not None and not any(Path(sweep.data.path).glob("test*.parquet")):
        raise UsageError(f"{sweep.data.path} has no test*.parquet, a final needs the test split; put it there")


def _set_aside_if_failed(plan: FinalPlan, place: Storage) -> None:
    """Move a final away that ended without a trained run, so that the same promotion tries again; its journals are kept."""
    for stage in range(plan.num_stages):
        history = History.of(journal.read(stages.place_of(plan, place, stage)))
        if history.finished and not stages.trained(history):
            number = 1
            while (aside := place.root.with_name(f"{place.root.name}.failed-{number}")).exists():
                number += 1
            place.move(aside)
            return


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"
