"""The one place that opens the test split: once for a final, when all of its runs are trained and the choice among them is made.

`test.json` in the final's folder says so before the split is opened, and holds the figures afterwards: a driver killed in between finds
them, or finds that it may open the split for these same weights again; for any others it is refused.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from trainable.checkpoint import write_synced
from trainable.config.data import DataConfig
from trainable.data.test_split import open_test_split
from trainable.errors import DataError, TestedAlready
from trainable.final.choices import Choice
from trainable.final.runs import Finished, loaded
from trainable.final.scores import score
from trainable.memory import says_out_of_memory

RECORD = "test.json"


@says_out_of_memory
def read_test_split(
    runs: Mapping[str, Finished],
    *,
    chosen: str,
    place: Path,
    device: torch.device,
    choices: Mapping[str, Choice],
    written: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Return what the test split says of every run of a final, reading it once for all of them.

    Args:
        runs: Trial id -> run; all of one data set.
        chosen: The run whose weights are kept. It was chosen before, and is written down before the split is opened.
        place: The final's folder.
        device: Where to evaluate.
        choices: Trial -> how its network is asked; as it is where none is given. Written down, too, before the split is opened.
        written: Called when `test.json` has been written, before the split is opened and afterwards.

    Returns:
        The content of `test.json`: chosen, weights (trial -> SHA-256), asked (trial -> views and temperatures), opened_at (UTC, one entry
        unless a driver was killed meanwhile), fingerprint of the split, figures (trial -> the fields of `scores.Scores`) and details
        (trial -> what `scores.score` says besides).

    Raises:
        TestedAlready: The split was read for other weights, or another choice, of this final.
        DataError: The test images cannot be read, or are not of the kind the networks were trained on.
    """
    asked = {"chosen": chosen, "weights": {trial: run.weights for trial, run in runs.items()}}
    record = _record(place / RECORD, asked)
    if record["figures"] is not None:
        return record
    record["asked"] = {trial: _spoken(choices.get(trial, Choice())) for trial in runs}
    record["opened_at"].append(datetime.now(UTC).isoformat(timespec="milliseconds"))
    _write(place / RECORD, record)
    written()
    test = open_test_split(next(iter(runs.values())).data, device)
    record["fingerprint"] = test.fingerprint
    figures, details = {}, {}
    for trial, run in runs.items():
        module, data = loaded(run, device)
        scores, details[trial] = score(module, test, data, choices.get(trial))
        figures[trial] = asdict(scores)
    record["figures"], record["details"] = figures, details
    _write(place / RECORD, record)
    written()
    return record


def look_again(
    place: Path,
    config: DataConfig,
    device: torch.device,
    scores: Callable[[torch.Tensor, torch.Tensor], dict[str, Any]],
    *,
    written: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Return what a finished model says of the test split now. A reading like any other: it is counted before it happens.

    Args:
        place: The final's folder.
        config: Its data.
        device: Where to evaluate.
        scores: uint8 images_NHWC and labels_N of the split -> figures.
        written: Called when `test.json` has been written, before the split is opened.

    Raises:
        TestedAlready: The split was never read for this final, so that there is nothing to compare with.
        DataError: The test images cannot be read.
    """
    file = place / RECORD
    record: dict[str, Any] = json.loads(file.read_bytes()) if file.exists() else {"figures": None}
    if record["figures"] is None:
        raise TestedAlready(f"{file} holds no figures, so there is nothing to compare with; give the command that began this final again")
    record["opened_at"].append(datetime.now(UTC).isoformat(timespec="milliseconds"))
    _write(file, record)
    written()
    test = open_test_split(config, device)
    if test.fingerprint != record["fingerprint"]:
        raise DataError(f"the test images are not those of {record['opened_at'][0]} (fingerprint {test.fingerprint[:12]}); put them back")
    return scores(test.images_NHWC, test.labels_N)


def _spoken(choice: Choice) -> dict[str, Any]:
    return {"views": choice.views, "temperature": choice.temperature, "views_temperature": choice.views_temperature}


def _record(file: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a reading of these weights; a new record where there was none."""
    if not file.exists():
        return {"version": 1, **asked, "opened_at": [], "fingerprint": None, "figures": None}
    record: dict[str, Any] = json.loads(file.read_bytes())
    if any(record[name] != asked[name] for name in asked):
        when = record["opened_at"][0]
        raise TestedAlready(
            f"{file}: the test split was read at {when} for other weights of this final, and is read once; "
            "keep what is there, or move the folder away and promote again"
        )
    return record


def _write(file: Path, record: dict[str, Any]) -> None:
    partial = file.with_name(f".{file.name}.partial")
    write_synced(partial, json.dumps(record, indent=2).encode() + b"\n")
    partial.replace(file)
