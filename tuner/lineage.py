"""Where a final comes from (final -> trial -> sweep -> data -> commit), and its figures."""

import statistics
from collections.abc import Sequence
from typing import Any

from results import ranking
from results.events import Reported
from results.history import History, TrialRecord
from search_spaces.sweep import Sweep
from tuner import provenance

FORMAT_VERSION = 1


def exported(run: TrialRecord) -> Reported:
    """Return the report of the epoch whose weights a tested run exported: its last one, or its best with `keep_best`."""
    assert run.tested is not None
    return run.curve[int(run.tested.metrics.get("epoch", run.epochs))]


def metrics(plan: Sweep, best: TrialRecord, runs: Sequence[TrialRecord]) -> dict[str, Any]:
    """Return the content of `metrics.json`.

    Args:
        plan: The final's own sweep.
        best: The run whose weights are kept: the best on validation, never on test.
        runs: Every run that was trained in full and tested, best on validation first.
    """
    assert best.tested is not None
    accuracies = [run.tested.metrics["test_accuracy"] for run in runs if run.tested is not None]
    return {
        "version": FORMAT_VERSION,
        "final": plan.name,
        "epochs": plan.max_epochs,
        "parameters": best.cost["parameters"],
        "chosen_by": plan.objective.metric,
        "seed": best.config["seed"],
        "val_accuracy": exported(best).val_accuracy,
        "val_loss": exported(best).val_loss,
        **best.tested.metrics,
        "test_accuracy_mean": statistics.fmean(accuracies),
        "test_accuracy_sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "device_s": sum(run.device_s for run in runs),
        "runs": [
            {
                "trial": run.trial,
                "seed": run.config["seed"],
                "epochs": run.epochs,
                "val_accuracy": exported(run).val_accuracy,
                "val_loss": exported(run).val_loss,
                **(run.tested.metrics if run.tested is not None else {}),
            }
            for run in runs
        ],
    }


def lineage(sweep: Sweep, history: History, record: TrialRecord, plan: Sweep, best: TrialRecord) -> dict[str, Any]:
    """Return the content of `lineage.json`."""
    assert best.tested is not None
    started = history.started
    place = ranking.standing(record)
    return {
        "version": FORMAT_VERSION,
        "final": plan.name,
        "config": best.config,
        "config_hash": best.config_hash,
        "trial": {
            "id": record.trial,
            "config_hash": record.config_hash,
            "values": dict(record.values),
            "status": record.status,
            "rung_epochs": None if place is None else place.rung_epochs,
            "score": None if place is None else place.score,
        },
        "sweep": {
            "name": sweep.name,
            "hash": sweep.hash(),
            "started_at": started.at if started else None,
            "trials": len(history.trials),
            "commit": started.commit if started else None,
        },
        "data": {
            "name": sweep.data.name,
            "path": sweep.data.path,
            "train_fingerprint": best.tested.train_fingerprint,
            "test_fingerprint": best.tested.fingerprint,
        },
        "test_split": {"read_at": best.tested.at, "reader": plan.name},
        "made_with": provenance.collect(),
    }
