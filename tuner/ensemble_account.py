"""What an ensemble says of itself: its figures and where it comes from, as plain data."""

import json
from collections.abc import Sequence
from typing import Any

from results.history import History
from results.storage import Storage
from search_spaces.sweep import Sweep
from tuner import lineage, provenance
from tuner.ensemble_pool import Candidate


def metrics(
    sweep: Sweep, place: Storage, members: Sequence[tuple[Candidate, float]], selection: dict[str, Any], tested: dict[str, Any]
) -> dict[str, Any]:
    """Return the content of `metrics.json`: the words of a final that is one network, and `members`, `gain` besides."""
    figures, seen = tested["figures"]["ensemble"], selection["validation"]
    validation = {"val_accuracy": seen["ensemble"]["accuracy"], "val_loss": seen["ensemble"]["loss"]}
    seen_alone = {told["weights"]: told["accuracy"] for told in selection["candidates"]}  # in float32, as all figures of finals are
    epochs = sum(candidate.epochs for candidate, _ in members)
    return {
        "version": lineage.FORMAT_VERSION,
        "final": place.root.name,
        "epochs": epochs,
        "parameters": sum(candidate.parameters for candidate, _ in members),
        "flops_per_image": sum(candidate.flops for candidate, _ in members),
        "train_on": "train",
        "chosen_by": sweep.objective.metric,
        "seed": None,
        **validation,
        **figures,
        "test_accuracy_mean": figures["test_accuracy"],
        "test_accuracy_sd": None,
        "device_s": sum(candidate.device_s for candidate, _ in members),
        "runs": [{"trial": "ensemble", "seed": None, "values": {}, "epochs": epochs, **validation, **figures}],
        "members": [
            {
                "final": candidate.final,
                "trial": candidate.trial,
                "seed": candidate.seed,
                "share": share,
                "parameters": candidate.parameters,
                "val_accuracy": seen_alone[candidate.weights],
                "test_accuracy": candidate.test_accuracy,
            }
            for candidate, share in members
        ],
        "single": _single(selection),
        "gain": seen["gain"],
        "candidates": len(selection["candidates"]),
    }


def _single(selection: dict[str, Any]) -> dict[str, Any]:
    """Return the best candidate alone, by which the gain is measured."""
    first = selection["candidates"][selection["steps"][0]["candidate"]]
    return {name: first[name] for name in ("final", "trial", "seed", "accuracy", "loss")}


def origin(
    sweep: Sweep, place: Storage, history: History, members: Sequence[tuple[Candidate, float]], record: str, tested: dict[str, Any]
) -> dict[str, Any]:
    """Return the content of `lineage.json`."""
    first = members[0][0]
    return {
        "version": lineage.FORMAT_VERSION,
        "final": place.root.name,
        "config": {"data": first.config["data"]},
        "selection": record,
        "members": [
            {
                "final": candidate.final,
                "trial": candidate.trial,
                "seed": candidate.seed,
                "share": share,
                "weights": candidate.weights,
                "config": candidate.config,
                "of": json.loads(candidate.place.read("lineage.json"))["trial"],
            }
            for candidate, share in members
        ],
        "sweep": lineage.of_sweep(sweep, history),
        "data": {
            "name": sweep.data.name,
            "path": sweep.data.path,
            "train_fingerprint": first.train_fingerprint,
            "test_fingerprint": tested["fingerprint"],
        },
        "test_split": lineage.of_test_split(place, read_at=tested["opened_at"][-1]),
        "made_with": provenance.collect(),
    }
