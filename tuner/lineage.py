"""Where a final comes from (final -> trial -> sweep -> data -> commit), its figures, and how often the test split was looked at."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from results import journal, ranking
from results.errors import ResultsError
from results.events import Reported
from results.history import History, TrialRecord
from results.storage import Storage
from search_spaces.sweep import Sweep
from tuner import provenance, stages
from tuner.final_plan import FinalPlan, changes

FORMAT_VERSION = 2  # 2: stages, all readings of the test split


@dataclass(frozen=True, slots=True)
class Reading:
    """The test split was opened.

    Attributes:
        final: Folder of the final that it was opened for.
        at: When, UTC, ISO 8601.
        fingerprint: Content of the split; None where the reader did not live to say.
    """

    final: str
    at: str
    fingerprint: str | None


def readings(sweep: Storage) -> list[Reading]:
    """Return every reading of the test split for finals of a sweep, oldest first; those of finals that were set aside, too."""
    found: list[Reading] = []
    for folder in sorted(sweep.path("finals").glob("*")):
        place = Storage(folder)
        if place.exists("test.json"):
            record = json.loads(place.read("test.json"))
            found += [Reading(folder.name, at, record["fingerprint"]) for at in record["opened_at"]]
        elif place.exists(journal.FOLDER):  # an older release read it for each run
            found += _of_runs(place)
    return sorted(found, key=lambda reading: reading.at)


def exported(run: TrialRecord) -> Reported:
    """Return the report of the epoch whose weights a tested run exported: its last one, or its best with `keep_best`."""
    assert run.tested is not None
    return run.curve[int(run.tested.metrics.get("epoch", run.epochs))]


def metrics(plan: FinalPlan, best: TrialRecord, runs: Sequence[TrialRecord]) -> dict[str, Any]:
    """Return the content of `metrics.json`.

    Args:
        plan: What was promoted.
        best: The run whose weights are kept: the best on validation, never on test.
        runs: Every run of the last stage that was trained in full and tested, `best` first.
    """
    assert best.tested is not None
    accuracies = [run.tested.metrics["test_accuracy"] for run in runs if run.tested is not None]
    return {
        "version": FORMAT_VERSION,
        "final": plan.name,
        "epochs": plan.epochs,
        "parameters": best.cost["parameters"],
        "train_on": plan.options.train_on,
        "chosen_by": plan.sweep.objective.metric,
        "seed": best.config["seed"],
        **_validation(plan, best),
        **best.tested.metrics,
        "test_accuracy_mean": statistics.fmean(accuracies),
        "test_accuracy_sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "device_s": sum(run.device_s for run in runs),
        "runs": [
            {
                "trial": run.trial,
                "seed": run.config["seed"],
                "values": dict(run.values),
                "epochs": run.epochs,
                **_validation(plan, run),
                **(run.tested.metrics if run.tested is not None else {}),
            }
            for run in runs
        ],
    }


def lineage(plan: FinalPlan, history: History, place: Storage, best: TrialRecord) -> dict[str, Any]:
    """Return the content of `lineage.json`.

    Args:
        plan: What was promoted.
        history: The sweep that found the trial.
        place: The final's folder, which lies below the sweep's.
        best: The run whose weights are kept.
    """
    assert best.tested is not None
    record, sweep = plan.record, plan.sweep
    standing = ranking.standing(record)
    return {
        "version": FORMAT_VERSION,
        "final": plan.name,
        "config": best.config,
        "config_hash": best.config_hash,
        "stages": [_stage(plan, place, number, best.config["seed"]) for number in range(plan.num_stages)],
        "trial": {
            "id": record.trial,
            "config_hash": record.config_hash,
            "values": dict(record.values),
            "status": record.status,
            "rung_epochs": None if standing is None else standing.rung_epochs,
            "score": None if standing is None else standing.score,
        },
        "sweep": of_sweep(sweep, history),
        "data": {
            "name": sweep.data.name,
            "path": sweep.data.path,
            "train_fingerprint": best.tested.train_fingerprint,
            "test_fingerprint": best.tested.fingerprint,
        },
        "test_split": of_test_split(place, read_at=best.tested.at),
        "made_with": provenance.collect(),
    }


def of_sweep(sweep: Sweep, history: History) -> dict[str, Any]:
    """Return which search it was."""
    started = history.started
    return {
        "name": sweep.name,
        "hash": sweep.hash(),
        "started_at": started.at if started else None,
        "trials": len(history.trials),
        "commit": started.commit if started else None,
    }


def of_test_split(place: Storage, *, read_at: str) -> dict[str, Any]:
    """Return when the test split was read for a final, and when for the others of its sweep.

    Args:
        place: The final's folder, which lies below the sweep's.
        read_at: When it was, where no `test.json` says so.
    """
    read = readings(Storage(place.root.parent.parent))
    mine = [reading for reading in read if reading.final == place.root.name]
    return {
        "read_at": mine[-1].at if mine else read_at,
        "reader": place.root.name,
        "readings": [asdict(reading) for reading in mine],
        "earlier_readings": [asdict(reading) for reading in read if reading.final != place.root.name],
    }


def _validation(plan: FinalPlan, run: TrialRecord) -> dict[str, float | None]:
    """Return what validation says of the exported weights; nothing where they have learned from those images."""
    if plan.options.train_on == "all":
        return {"val_accuracy": None, "val_loss": None}
    return {"val_accuracy": exported(run).val_accuracy, "val_loss": exported(run).val_loss}


def _stage(plan: FinalPlan, place: Storage, number: int, seed: int) -> dict[str, Any]:
    """Return what one stage of the kept run's line was."""
    here = stages.place_of(plan, place, number)
    runs = [run for run in stages.best(plan, here, History.of(journal.read(here))) if run.config["seed"] == seed]
    kept = runs[0]
    return {
        "epochs": plan.contents[number]["max_epochs"],
        "journal": plan.folder(number) or ".",
        "changes": changes(plan, number),
        "runs": len(runs),
        "kept": kept.trial,
        "values": dict(kept.values),
        "exported_epoch": stages.exported(here, kept)["epoch"],
        "initial": kept.config.get("initial"),
    }


def _of_runs(place: Storage) -> list[Reading]:
    try:
        runs = History.of(journal.read(place)).trials.values()
    except ResultsError:  # a final that cannot be read any more keeps nobody from the next one
        return []
    return [Reading(place.root.name, run.tested.at, run.tested.fingerprint) for run in runs if run.tested is not None]
