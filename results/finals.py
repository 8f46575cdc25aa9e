"""The files of a finished model, read back: figures, curves, mistakes, where it comes from. Says what each file holds; judges nothing.

A final is told by its files alone, whatever made it: what a file does not hold is left out, and what is damaged is named.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from results import curves, derived, journal, leaderboard
from results.errors import ResultsError
from results.storage import Storage

METRICS, LINEAGE, MISTAKES, CHECKSUMS = "metrics.json", "lineage.json", "mistakes.json", "checksums.sha256"

DETAILS = "test"  # the part of `metrics.json` that tells of the test split in detail

# Field of `metrics.json` -> meaning. Numbers of the test split are those of its one reading.
METRICS_FIELDS: Mapping[str, str] = {
    "epochs": "Length of a run, all stages together.",
    "parameters": "Of the network.",
    "train_on": "train, or all: it has learned from the validation images, too.",
    "chosen_by": "The metric by which validation chose the run that is kept.",
    "val_accuracy": "Share of the validation images classified right, by the exported weights. Null where it has learned from them.",
    "val_loss": "Their mean cross-entropy in nats.",
    "test_accuracy": "Share of the test images classified right, 0..1.",
    "test_accuracy_low": "Lower end of its 95 % interval (Wilson).",
    "test_accuracy_high": "Upper end of it.",
    "test_loss": "Mean cross-entropy in nats.",
    "test_calibration_error": "Expected calibration error, 0..1.",
    "test_calibration_error_calibrated": "The same under the temperature that validation fitted.",
    "test_accuracy_views": "Accuracy over the views that validation chose.",
    "test_accuracy_mean": "Mean over all runs.",
    "test_accuracy_sd": "Standard deviation over them; null for a single one.",
    "test_examples": "Test images.",
    "runs": "A list, the kept one first: trial, seed, epochs, and the same figures for each run.",
    "test": "In detail: plain, calibrated and views (accuracy with its interval, loss, calibration_error, temperature, chosen), and:",
    "test.per_class": "A list: class, examples, accuracy, accuracy_low, accuracy_high, precision.",
    "test.confusion": "Rows of counts: images of each class (row) that were taken for each class (column).",
    "test.reliability": "Bins of confidence that have images: low, high, examples, confidence, accuracy.",
    "test.reliability_calibrated": "The same under the temperature.",
    "validation": "plain, calibrated and views on the validation images; empty where it has learned from them.",
    "check": "accuracy, loss, examples that whoever computes them again must find; with device and torch.",
    "programs": "What was written for other runtimes, and how near its answers are.",
    "speed": "Milliseconds of a forward pass and images a second, at batch 1 and 256.",
}
MISTAKES_FIELDS: Mapping[str, str] = {
    "split": "validation: test images are shown to nobody, lest somebody fits to them.",
    "learned_from": "Whether the network has learned from these images; then none is kept.",
    "examples": "Images of the split.",
    "mistakes": "How many are classified wrong; null where it has learned from them.",
    "images": "At most 24 of them, the surest first: number (place in the split), true, predicted, confidence, of_true, image.",
    "images.image": "PNG or JPEG as a `data:` address, at most 64 pixels a side.",
}

_IMAGE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/]+={0,2}")
_ASIDE = ".failed-"  # in the name of a folder that was moved away because nothing in it came to its end


@dataclass(frozen=True, slots=True)
class Stage:
    """Runs that trained side by side.

    Attributes:
        curves: The columns of `curves.parquet`, sorted by trial and epoch.
        seeds: Run -> seed.
        state: How far it is, as in the footer of its leaderboard.
        epochs: Length of a run.
    """

    curves: Any
    seeds: Mapping[str, int]
    state: str
    epochs: int


@dataclass(slots=True)
class Final:
    """What the files of one final hold.

    Attributes:
        id: Its folder's name.
        folder: Where it lies on this machine.
        metrics: `metrics.json`; empty while it is trained.
        lineage: `lineage.json`; empty where there is none.
        mistakes: `mistakes.json`, the images that are none left out; empty where there is none.
        checksums: File -> SHA-256 of what is handed over.
        stages: In their order.
        problems: What cannot be read, a line each.
    """

    id: str
    folder: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    mistakes: dict[str, Any] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Return whether it is finished and can be read."""
        return bool(self.metrics)


def read(storage: Storage) -> list[Final]:
    """Return the finals of a sweep, by name: finished ones, those at work, and those whose files are damaged."""
    storage.path("finals")  # brings the copy of an object store up to date
    folders = sorted(folder for folder in storage.root.glob("finals/*") if folder.is_dir() and _ASIDE not in folder.name)
    return [_read(folder) for folder in folders if (folder / METRICS).is_file() or any(_stage_folders(folder))]


def stamp(storage: Storage) -> str:
    """Return a few characters that change when the figures or the curves of any final do; none where there is no final."""
    root = storage.path("finals")
    times = []
    for pattern in (f"*/{METRICS}", f"*/{curves.NAME}", f"*/stages/*/{curves.NAME}"):
        for file in sorted(root.glob(pattern)):
            try:
                times.append(f"{file} {file.stat().st_mtime_ns}")
            except FileNotFoundError:  # moved away meanwhile
                continue
    return hashlib.sha256("\n".join(times).encode()).hexdigest()[:12] if times else ""


def _read(folder: Path) -> Final:
    final = Final(folder.name, folder)
    final.metrics = _json(final, METRICS)
    final.lineage = _json(final, LINEAGE)
    mistakes = _json(final, MISTAKES)
    if isinstance(mistakes.get("images"), list):
        final.mistakes = mistakes | {"images": [image for image in mistakes["images"] if _is_shown(image)]}
    try:
        lines = (folder / CHECKSUMS).read_text().splitlines()
        final.checksums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    except FileNotFoundError:
        pass  # an older release wrote none
    except (OSError, ValueError) as error:
        final.problems.append(f"{folder.name}/{CHECKSUMS} is damaged ({error})")
    for place in _stage_folders(folder):
        try:
            final.stages.append(_stage(place))
        except (ResultsError, OSError, ValueError, KeyError) as error:
            final.problems.append(f"{place.relative_to(folder.parent)}: its curves cannot be read ({error})")
    return final


def _json(final: Final, name: str) -> dict[str, Any]:
    """Return a JSON file of a final; nothing where there is none, and a problem where it is damaged."""
    try:
        content = json.loads((final.folder / name).read_bytes())
        if not isinstance(content, dict):
            raise ValueError("no mapping")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        final.problems.append(f"{final.id}/{name} is damaged ({error})")
        return {}
    return content


def _is_shown(image: Any) -> bool:
    return isinstance(image, dict) and isinstance(image.get("image"), str) and _IMAGE.fullmatch(image["image"]) is not None


def _stage_folders(folder: Path) -> Iterator[Path]:
    """Yield where the stages of a final lie, those that have begun."""
    for place in (*sorted(folder.glob("stages/*")), folder):
        if (place / journal.FOLDER).is_dir() or (place / curves.NAME).is_file():
            yield place


def _stage(folder: Path) -> Stage:
    place = Storage(folder, follow=False)  # the sweep's copy, which has it, is up to date
    board = leaderboard.read_table(place, columns=("trial", "seed"))
    about = derived.About.of(board)
    seeds = dict(zip(board["trial"].to_pylist(), board["seed"].to_pylist(), strict=True))
    told = curves.read(place)
    return Stage(told, {str(run): int(seed) for run, seed in seeds.items() if seed is not None}, about.state, about.max_epochs)
