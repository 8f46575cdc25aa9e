"""The stages of a final: where each lies, which of its runs goes on, and the weights that one stage hands to the next."""

import hashlib
import json
from typing import Any

from results import journal
from results.history import History, TrialRecord
from results.storage import Storage
from search_spaces.sweep import Sweep
from tuner.errors import SweepFailed
from tuner.final_plan import FinalPlan


def place_of(plan: FinalPlan, place: Storage, stage: int) -> Storage:
    """Return the folder of a stage, given the final's."""
    folder = plan.folder(stage)
    return Storage(place.path(folder)) if folder else place


def begin(plan: FinalPlan, place: Storage, stage: int) -> Sweep:
    """Return the sweep of a stage, and lay the weights beside it that it starts from: those that the stage before has left.

    Each seed's line goes on from its own best run; a seed that came to nothing has no further runs.
    """
    if stage == 0:
        return plan.stage(0)
    before = place_of(plan, place, stage - 1)
    history = History.of(journal.read(before))
    heirs = {int(run.config["seed"]): run for run in kept(plan, before, history)}
    heirs = dict(sorted(heirs.items()))
    weights = {seed: exported(before, run)["weights"] for seed, run in heirs.items()}
    initial = hashlib.sha256(json.dumps(weights, sort_keys=True).encode()).hexdigest()[:16]
    here = place_of(plan, place, stage)
    for seed, run in heirs.items():
        name = f"trials/initial/{initial}/{seed}.safetensors"
        if not here.exists(name):
            here.write_atomic(name, read_export(before, run, "model.safetensors"))
    return plan.stage(stage, seeds=list(heirs), initial=initial)


def trained(history: History) -> list[TrialRecord]:
    """Return the runs that came to their end."""
    return [run for run in history.trials.values() if run.status == "completed"]


def best(plan: FinalPlan, place: Storage, history: History) -> list[TrialRecord]:
    """Return the runs that came to their end, best first, by validation after the epoch whose weights were exported.

    Where the validation images were learned from they choose nothing: then the lowest seed comes first.
    """
    runs = trained(history)
    if plan.options.train_on == "all":
        return sorted(runs, key=lambda run: (run.config["seed"], run.trial))
    objective = plan.sweep.objective

    def key(run: TrialRecord) -> tuple[float, str]:
        return -objective.sign * getattr(run.curve[exported(place, run)["epoch"]], objective.metric), run.trial

    return sorted(runs, key=key)


def kept(plan: FinalPlan, place: Storage, history: History) -> list[TrialRecord]:
    """Return the best run of each seed, the best first: what a search within the stage has tried besides is dropped."""
    found: dict[int, TrialRecord] = {}
    for run in best(plan, place, history):
        found.setdefault(int(run.config["seed"]), run)
    return list(found.values())


def exported(place: Storage, run: TrialRecord) -> dict[str, Any]:
    """Return what a run says of its export: epoch, weights (SHA-256), train_fingerprint.

    Raises:
        SweepFailed: The export is gone or damaged.
    """
    try:
        found: dict[str, Any] = json.loads(read_export(place, run, "run.json"))
    except ValueError as error:
        raise SweepFailed(f"{_folder(place, run)}/run.json is damaged ({error}); {_REMEDY}") from error
    return found


def read_export(place: Storage, run: TrialRecord, name: str) -> bytes:
    """Return a file that a run has exported.

    Raises:
        SweepFailed: It is gone.
    """
    folder = f"trials/{run.trial}/export"
    try:
        if place.mirror is not None:
            return place.read_now(f"{folder}/{name}")  # a worker has uploaded it: nothing of it need be here
        return place.read(f"{folder}/{name}")
    except FileNotFoundError as error:
        raise SweepFailed(f"{_folder(place, run)}/{name} is gone, {run.trial} had exported it; {_REMEDY}") from error


_REMEDY = "put it back, or move the final's folder away and give the same command again: it is trained anew"


def _folder(place: Storage, run: TrialRecord) -> str:
    return f"{place}/trials/{run.trial}/export"
