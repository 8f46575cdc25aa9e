"""Winner to finished model: a final is a sweep of its own, over seeds, without early stopping, with a journal in `finals/<id>/`."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from results import journal, ranking
from results.history import History, TrialRecord
from results.storage import Storage
from search_spaces.errors import dotted
from search_spaces.overrides import changed
from search_spaces.refusals import explained
from search_spaces.sweep import FinalOptions, ResourceOptions, Sweep
from search_spaces.trial_fields import ELSEWHERE
from trainable.config.train import TrainConfig
from tuner import lineage, model_card, shipping
from tuner.errors import SweepFailed, UsageError
from tuner.run import Workplace, cost_counter, run_sessions
from tuner.session import hold

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
    """Return the trials to promote: the ones named, or the first of the leaderboard that nobody has hidden.

    Raises:
        UsageError: A trial does not exist or cannot be promoted, or none is ranked yet.
    """
    if trials:
        return [_named(history, sweep, name) for name in trials]
    eligible = [record for record in ranking.order(history) if ranking.eligible(record)]
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
        options: Length, seeds and overrides.
        resources: What one run holds.
        workplace: Where it runs and who looks on.

    Raises:
        UsageError: An override does not fit the recipe, there is no test split, or the user's own network could not be exported.
        SweepFailed: Not one seed of a final was trained to the end.
    """
    code = shipping.stored(storage.root)
    shipping.refuse_strangers(code)
    plans = [(record, final_sweep(sweep, record, options, resources)) for record in records]
    places = [Storage(storage.path(f"finals/{plan.name}")) for _, plan in plans]
    missing = [number for number, place in enumerate(places) if not place.exists("metrics.json")]
    if missing:
        _require_test_split(sweep)
        for number in missing:
            _set_aside_if_failed(places[number])
        with ExitStack() as stack:
            sessions = [
                stack.enter_context(hold(plans[number][1], places[number], source=None, cost=cost_counter(sweep.data), code=code))
                for number in missing
            ]
            run_sessions(sessions, workplace, test=True)
        for number in missing:
            _finish(sweep, history, plans[number][0], plans[number][1], places[number])
    return [
        Final(plan.name, record.trial, place, json.loads(place.read("metrics.json")), number in missing)
        for number, ((record, plan), place) in enumerate(zip(plans, places, strict=True))
    ]


def final_sweep(sweep: Sweep, record: TrialRecord, options: FinalOptions, resources: ResourceOptions) -> Sweep:
    """Return the sweep that trains one trial's configuration in full, once a seed.

    The schedule is re-derived: `max_epochs` is its horizon, so a cosine ends at the final's last epoch.

    Raises:
        UsageError: An override does not fit the recipe.
    """
    epochs = options.epochs or sweep.max_epochs
    content = changed(TrainConfig.model_validate(record.config), options.overrides) | {"max_epochs": epochs}
    try:
        content = TrainConfig.model_validate(content).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        reasons = "; ".join(f"{dotted(found.path)}: {found.seen}, {found.required}" for found in explained(error, TrainConfig, content, ()))
        raise UsageError(f"the overrides do not fit trial {record.trial}: {reasons}") from error
    seeds = sorted(set(options.seeds or [content["seed"]]))
    content["seed"] = seeds[0] if len(seeds) == 1 else {"choice": seeds}
    tree = {name: value for name, value in content.items() if name not in ELSEWHERE}
    identity = json.dumps([tree, epochs, content["data"]], sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()[:6]
    return Sweep.model_validate(
        {
            "name": f"{record.trial}-{epochs}ep-{digest}",
            "seed": sweep.seed,
            "data": content["data"],
            "objective": sweep.objective.model_dump(),
            "trial": tree,
            "search": {"sampler": "grid"},
            "scheduler": {"none": {"max_epochs": epochs}},
            "resources": resources.model_dump(),
        }
    )


def _named(history: History, sweep: Sweep, name: str) -> TrialRecord:
    trial = f"t{int(name):05d}" if name.isdigit() else name
    if (record := history.trials.get(trial)) is None:
        last = next(reversed(history.trials), "none yet")
        raise UsageError(f"{sweep.name} has no trial {name}, its trials go up to {last}; see `shortlist leaderboard {sweep.name}`")
    if record.status in ("diverged", "out_of_memory", "failed"):
        raise UsageError(f"trial {trial} is {record.status} ({record.reason}), it cannot be promoted; choose one with a rank")
    return record


def _require_test_split(sweep: Sweep) -> None:
    """Raise where a final could be trained and then not be tested; no image is opened."""
    if sweep.data.name == "parquet" and sweep.data.path is not None and not any(Path(sweep.data.path).glob("test*.parquet")):
        raise UsageError(f"{sweep.data.path} has no test*.parquet, a final needs the test split; put it there")


def _set_aside_if_failed(place: Storage) -> None:
    """Move a final away that ended without a tested run, so that the same promotion tries again; its journal is kept."""
    history = History.of(journal.read(place))
    over = history.stopped is not None and history.stopped.reason == "finished"
    if over and not any(run.tested is not None for run in history.trials.values()):
        number = 1
        while (aside := place.root.with_name(f"{place.root.name}.failed-{number}")).exists():
            number += 1
        place.move(aside)


def _finish(sweep: Sweep, history: History, record: TrialRecord, plan: Sweep, place: Storage) -> None:
    """Write what a final is for: the weights of the seed that validation prefers, and the account of it. `metrics.json` comes last."""
    events = list(journal.read(place))
    runs = History.of(events)
    finished = [run for run in runs.trials.values() if run.status == "completed" and run.tested is not None]
    # By the epoch whose weights were exported; `ranking` compares last epochs.
    better = plan.objective.sign
    trained = sorted(finished, key=lambda run: (-better * getattr(lineage.exported(run), plan.objective.metric), run.trial))
    if not trained:
        reasons = "; ".join(f"{run.trial}: {run.status} {run.reason}" for run in runs.trials.values())
        raise SweepFailed(f"final {plan.name} has no run that was trained to the end ({reasons}); see {place.path('journal')}")
    best = trained[0]
    exported = place.fetch(f"trials/{best.trial}/export")
    for name in EXPORTED:
        shutil.copyfile(exported / name, place.path(name))
        place.publish(name)
    metrics = lineage.metrics(plan, best, trained)
    place.write_atomic("lineage.json", _json(lineage.lineage(sweep, history, record, plan, best)))
    place.write_atomic("README.md", model_card.render(sweep, record, plan, metrics).encode())
    place.write_atomic("metrics.json", _json(metrics))


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"
