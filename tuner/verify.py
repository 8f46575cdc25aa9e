"""Whether a final is still what it was: its files, then its figures, computed again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from results import places
from results.storage import Storage, stored_sweeps
from trainable.config.data import DataConfig
from trainable.errors import TrainableError
from tuner import delivery, lineage
from tuner.errors import SweepFailed, UsageError


@dataclass(frozen=True, slots=True)
class Compared:
    """Figures of one split, then and now.

    Attributes:
        split: validation or test.
        told: Accuracy, loss, examples as `metrics.json` has them.
        seen: The same, computed now.
        agree: Whether they are the same within the tolerance.
    """

    split: str
    told: dict[str, Any]
    seen: dict[str, Any]
    agree: bool

    @property
    def same(self) -> bool:
        """Say whether they are the same to the last digit."""
        return all(self.told[name] == self.seen[name] for name in ("accuracy", "loss", "examples"))


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it.

    Attributes:
        damaged: What is wrong with the files, a line each; then nothing was computed.
        compared: A split each.
    """

    damaged: list[str]
    compared: list[Compared]

    @property
    def good(self) -> bool:
        """Say whether everything is as it was."""
        return not self.damaged and all(one.agree for one in self.compared)


def find_final(argument: str, runs: Path) -> Storage:
    """Return the final that an argument means.

    Its folder or `s3://` address, `SWEEP/finals/ID` under the storage folder, or its id, where one sweep has it.

    Raises:
        UsageError: There is none, or several have it.
    """
    if "://" in argument:
        folders = [places.local(argument)]
    else:
        folders = [Path(argument), runs / argument, *(runs / sweep / "finals" / argument for sweep in stored_sweeps(runs))]
    found = list(dict.fromkeys(folder for folder in folders if Storage(folder).exists("model.py")))
    if not found:
        raise UsageError(f"{argument}: no finished model there (no model.py); see the finals under {runs}/ with: shortlist winners")
    if len(found) > 1:
        raise UsageError(f"{argument} is in {' and '.join(map(str, found))}; name one of these folders")
    return Storage(found[0])


def verify(place: Storage, *, test: bool = False) -> Verified:
    """Compare the files with their checksums and, where they agree, the figures of the held-out images with `metrics.json`.

    Args:
        place: The final's folder.
        test: Compute those of the test split, too. That is a reading of it, which the lineage counts.

    Raises:
        SweepFailed: There is nothing to compare with, or the images have changed.
    """
    from trainable.final import published
    from trainable.final import verify as evaluation

    if damaged := delivery.damaged(place):
        return Verified(damaged, [])
    metrics, told = json.loads(place.read("metrics.json")), json.loads(place.read("lineage.json"))
    config = DataConfig.model_validate(told["config"]["data"])
    try:
        model = published.load(place.root, published.here())
        compared = []
        if "check" in metrics:
            expected = metrics["check"]
            seen = evaluation.validation(model, config, fingerprint=told["data"]["train_fingerprint"])
            compared.append(_compared(expected, seen, split="validation"))
        if test:
            expected = {"accuracy": metrics["test_accuracy"], "loss": metrics["test_loss"], "examples": metrics["test_examples"]}
            compared.append(_compared(expected, _look_again(place, told, config), split="test"))
    except TrainableError as error:
        raise SweepFailed(str(error)) from error
    return Verified([], compared)


def _look_again(place: Storage, told: dict[str, Any], config: DataConfig) -> dict[str, Any]:
    """Read the test split once more; the lineage counts the reading even where it then fails."""
    from trainable.final import published
    from trainable.final import verify as evaluation

    try:
        model = published.load(place.root, published.here())
        return evaluation.test_again(model, place.root, config, written=lambda: place.publish("test.json"))
    finally:
        readings = [asdict(one) for one in lineage.readings(Storage(place.root.parent.parent)) if one.final == place.root.name]
        told["test_split"]["readings"] = readings
        place.write_atomic("lineage.json", json.dumps(told, indent=2).encode() + b"\n")
        delivery.seal(place)


def _compared(told: dict[str, Any], seen: dict[str, Any], *, split: str) -> Compared:
    from trainable.final import verify as evaluation

    figures = ("accuracy", "loss", "examples")
    told, seen = {name: told[name] for name in figures}, {name: seen[name] for name in figures}
    return Compared(split, told, seen, evaluation.agree(seen, told))
