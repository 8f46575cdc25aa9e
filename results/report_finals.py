"""What the report's page knows of the finals: one plain mapping each, ready for JSON, and bounded whatever the data set."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from results import finals
from results.analysis.frames import Frames
from results.analysis.shares import wilson
from results.finals import Final, Stage
from results.report_trials import SCALE, significant
from results.storage import Storage

CURVES = ("val_accuracy", "val_loss", "train_accuracy", "train_loss")
MOST_CLASSES = 100  # of a confusion matrix that is drawn; of larger ones only the commonest pairs are told
MOST_PAIRS = 20
MOST_IMAGE_BYTES = 1_000_000  # of all finals together; those of the first ones are kept
MOST_MEMBERS = 4  # of an ensemble with a box of their own in the lineage
MOST_RUNS = 40  # of a stage: a search within it may have had hundreds

_FIGURES = (
    "epochs", "parameters", "val_accuracy", "val_loss", "test_accuracy", "test_accuracy_low", "test_accuracy_high", "test_accuracy_mean",
    "test_accuracy_sd", "test_accuracy_views", "test_examples",
)  # fmt: skip
_MEMBER = ("seed", "share", "parameters", "val_accuracy")  # of an ensemble
_RUN = ("seed", "epochs", "val_accuracy", "test_accuracy")


def told(storage: Storage, frames: Frames) -> list[dict[str, Any]]:
    """Return the finals of a sweep: finished ones, best on validation first, then those at work, then those that cannot be read."""
    found = [_told(final, frames) for final in finals.read(storage)]
    found.sort(
        key=lambda final: (("finished", "at work", "damaged").index(final["state"]), -(final.get("val_accuracy") or 0.0), final["id"])
    )
    left = MOST_IMAGE_BYTES
    for final in found:
        images = final.get("mistakes", {}).get("images", [])
        left -= sum(len(image["image"]) for image in images)
        if images and left < 0:
            final["mistakes"]["images"] = []
    return found


def _told(final: Final, frames: Frames) -> dict[str, Any]:
    """Return one final; what its files hold of the wrong kind counts as damage."""
    try:
        content = _content(final, frames)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        final.problems.append(f"{final.id}: its files are damaged ({error!r})")
        content = {"state": "damaged"}
    if not final.whole and any(finals.METRICS in problem for problem in final.problems):
        content = {"state": "damaged"}
    trial = _trial(final)
    places = {str(name): place for place, name in enumerate(frames.board["trial"])}
    return {"id": final.id, "trial": places.get(trial), "remark": "; ".join(final.problems)} | content


def _trial(final: Final) -> str:
    origin = final.lineage.get("trial")
    return str(origin["id"]) if isinstance(origin, Mapping) and "id" in origin else final.id.partition("-")[0]


def _content(final: Final, frames: Frames) -> dict[str, Any]:
    metrics = final.metrics
    test = metrics.get(finals.DETAILS) or {}
    runs = metrics.get("runs") or []
    found: dict[str, Any] = {
        "state": "finished" if final.whole else "at work",
        **{name: significant(metrics.get(name)) for name in _FIGURES},
    }
    found |= {
        "test_readings": max(1, len((final.lineage.get("test_split") or {}).get("readings") or [])),
        "train_on": metrics.get("train_on", "train"),
        "runs": [{name: significant(run.get(name)) for name in _RUN} for run in runs],
        "stages": _stages(final, [str(run.get("trial")) for run in runs]),
        "search": _search(final, frames),
        "confirmed": _confirmed(final, frames),
        "lineage": _lineage(final, frames),
    }
    if metrics.get("members"):
        found["members"] = [
            {"final": str(member["final"])} | {name: significant(member[name]) for name in _MEMBER} for member in metrics["members"]
        ]
    if metrics.get("val_accuracy") is not None and (examples := (metrics.get("check") or {}).get("examples")):
        found["val_accuracy_low"], found["val_accuracy_high"] = map(significant, wilson(metrics["val_accuracy"], int(examples)))
    if test.get("per_class"):
        found["classes"] = _classes(test["per_class"])
    if test.get("confusion"):
        found["confusion"] = _confusion(test["confusion"], [str(row["class"]) for row in test["per_class"]])
    if test.get("reliability"):
        found["calibration"] = {
            "before": {"bins": _bins(test["reliability"]), "error": significant(test["plain"]["calibration_error"])},
            "after": {"bins": _bins(test["reliability_calibrated"]), "error": significant(test["calibrated"]["calibration_error"])},
            "temperature": significant(test["calibrated"]["temperature"]),
        }
    if final.mistakes:
        found["mistakes"] = _mistakes(final.mistakes)
    return found


def _search(final: Final, frames: Frames) -> dict[str, Any] | None:
    """Return what the search saw of the trial, with a Wilson interval where it is a share of as many images as the final is checked on."""
    row = _row(final, frames)
    if row is None or pd.isna(row["score"]):
        return None
    score, examples = float(row["score"]), (final.metrics.get("check") or {}).get("examples")
    low, high = wilson(score, int(examples)) if frames.about.metric == "val_accuracy" and examples else (None, None)
    return {"score": significant(score), "low": significant(low), "high": significant(high), "epochs": int(row["rung_epochs"])}


def _confirmed(final: Final, frames: Frames) -> dict[str, Any] | None:
    row = _row(final, frames)
    if row is None or pd.isna(row.get("confirmed_score")):
        return None
    told = {name: _number(row.get(f"confirmed_{name}")) for name in ("score", "low", "high", "seeds")}
    return told | {"id": str(row["confirmation"])}


def _row(final: Final, frames: Frames) -> "pd.Series[Any] | None":
    found = frames.board[frames.board["trial"] == _trial(final)]
    return None if found.empty else found.iloc[0]


def _stages(final: Final, runs: Sequence[str]) -> list[dict[str, Any]]:
    """Return the curves of every run of every stage, the kept ones marked; runs beyond MOST_RUNS are counted and left out."""
    recorded = final.lineage.get("stages")
    kept = [stage.get("kept") for stage in recorded] if isinstance(recorded, list) else []
    found = []
    for number, stage in enumerate(final.stages):
        chosen = kept[number] if number < len(kept) else (runs[0] if runs and number == len(final.stages) - 1 else None)
        names = sorted(stage.curves["trial"].unique(), key=lambda name: (name != chosen, name))
        lines = [_line(stage, str(name), kept=name == chosen) for name in names[:MOST_RUNS]]
        found.append({"epochs": stage.epochs, "state": stage.state, "runs": len(names), "lines": lines})
    return found


def _line(stage: Stage, run: str, *, kept: bool) -> dict[str, Any]:
    """Return one run's curves as whole numbers of 1 / SCALE; null is a gap."""
    rows = stage.curves[stage.curves["trial"] == run]
    line: dict[str, Any] = {"run": run, "seed": stage.seeds.get(run), "kept": kept}
    for metric in CURVES:
        numbers = rows[metric].to_numpy(dtype=float)
        finite = np.isfinite(numbers)
        if finite.any():
            whole = np.rint(np.where(finite, numbers, 0.0) * SCALE).astype(np.int64).tolist()
            line[metric] = [value if known else None for value, known in zip(whole, finite.tolist(), strict=True)]
    return line


def _classes(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the columns of the classes, and which of them chance hardly left so far from all together.

    `stands_out`: the interval of the class leaves out the accuracy of all, at a confidence so high that among as many classes without
    any difference one would stand out in 5 of 100 finals (Bonferroni).
    """
    counted = [row for row in rows if row["examples"]]
    overall = sum(row["accuracy"] * row["examples"] for row in counted) / sum(row["examples"] for row in counted)
    z = NormalDist().inv_cdf(1 - 0.025 / len(counted))

    def apart(row: Mapping[str, Any]) -> bool:
        if not row["examples"]:
            return False
        low, high = wilson(row["accuracy"], row["examples"], z=z)
        return not low <= overall <= high

    numbers = ("examples", "accuracy", "accuracy_low", "accuracy_high", "precision")
    stands_out = [apart(row) for row in rows]
    return {
        "class": [str(row["class"]) for row in rows],
        "stands_out": stands_out,
        **{name: [significant(row[name], 4) for row in rows] for name in numbers},
    }


def _confusion(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> dict[str, Any]:
    """Return the matrix, as far as it can be drawn, and the commonest confusions as [true, predicted, images], classes by their place."""
    counts = np.array(matrix, dtype=np.int64)
    if counts.shape != (len(names), len(names)):
        raise ValueError(f"a confusion matrix of {counts.shape} for {len(names)} classes")
    off = counts - np.diag(np.diag(counts))
    order = np.argsort(-off, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [[int(place) // len(names), int(place) % len(names), int(off.flat[place])] for place in order if off.flat[place]]
    return {"matrix": counts.tolist() if len(names) <= MOST_CLASSES else None, "pairs": pairs, "wrong": int(off.sum())}


def _bins(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the bins of confidence, each share of right answers with its Wilson interval."""
    found = []
    for row in rows:
        low, high = wilson(float(row["accuracy"]), int(row["examples"]))
        told = {"examples": int(row["examples"]), "confidence": row["confidence"], "accuracy": row["accuracy"], "low": low, "high": high}
        found.append({name: significant(value, 4) for name, value in told.items()})
    return found


def _mistakes(content: Mapping[str, Any]) -> dict[str, Any]:
    images = [
        {"true": str(image["true"]), "predicted": str(image["predicted"]), "image": image["image"]}
        | {name: significant(image[name], 4) for name in ("confidence", "of_true", "number")}
        for image in content["images"]
    ]
    counted = {name: significant(content[name]) for name in ("examples", "mistakes")}
    return {"learned_from": bool(content["learned_from"]), "images": images, "num_images": len(images), **counted}


def _lineage(final: Final, frames: Frames) -> list[dict[str, Any]]:
    """Return the steps from the data to the files, in order, each as `step`, `name` and `facts`: [what, value, whether it is a hash]."""
    told, boxes = final.lineage, []

    def box(step: str, name: Any, *facts: tuple[str, Any, bool]) -> None:
        known = [[what, str(value), is_hash] for what, value, is_hash in facts if value not in (None, "")]
        boxes.append({"step": step, "name": str(name), "facts": known})

    data, sweep, trial, test = (told.get(part) or {} for part in ("data", "sweep", "trial", "test_split"))
    if data:
        box("data", data.get("name"), ("training images", data.get("train_fingerprint"), True))
    if sweep:
        facts = (("trials", sweep.get("trials"), False), ("sweep file", sweep.get("hash"), True), ("commit", sweep.get("commit"), True))
        box("sweep", sweep.get("name"), *facts)
    if trial:
        rung = None if trial.get("rung_epochs") is None else f"epoch {trial['rung_epochs']}"
        box("trial", trial.get("id"), ("compared at", rung, False), ("recipe", trial.get("config_hash"), True))
    confirmed = _confirmed(final, frames)
    if trial and confirmed is not None:
        box("confirmation", confirmed["id"], ("fresh seeds", confirmed["seeds"], False))
    members = told.get("members") or []
    for member in members[:MOST_MEMBERS]:
        counts = (("counts for", f"{member['share']:.0%}", False), ("weights", member.get("weights"), True))
        box("member", f"{member['final']} seed {member['seed']}", *counts)
    if rest := members[MOST_MEMBERS:]:
        box("members", f"{len(rest)} more", ("count for", f"{sum(member['share'] for member in rest):.0%}", False))
    if told.get("members"):
        box("ensemble", final.id, ("parameters", f"{final.metrics['parameters']:,}", False))
    elif told:
        stages = told.get("stages") or []
        seeds = ", ".join(str(run.get("seed")) for run in final.metrics.get("runs") or [])
        kept = (
            ("epochs", final.metrics.get("epochs"), False), ("stages", len(stages) if len(stages) > 1 else None, False),
            ("seeds", seeds, False), ("recipe", told.get("config_hash"), True),
        )  # fmt: skip
        box("final", final.id, *kept)
    if test:
        readings = test.get("readings") or []
        name = "read once" if len(readings) <= 1 else f"read {len(readings)} times"
        earlier = len(test.get("earlier_readings") or [])
        looked = (
            ("at", str(test.get("read_at"))[:16].replace("T", " ") + " UTC", False), ("read before, for others", earlier or None, False),
            ("test images", data.get("test_fingerprint"), True),
        )  # fmt: skip
        box("test split", name, *looked)
    if final.checksums:
        weights = next((name for name in final.checksums if name.endswith("model.safetensors")), None)
        box(
            "files",
            f"finals/{final.id}",
            ("files", len(final.checksums), False),
            *([(weights, final.checksums[weights], True)] if weights else []),
        )
    return boxes


def _number(value: Any) -> float | int | None:
    return None if value is None or pd.isna(value) else significant(float(value))
