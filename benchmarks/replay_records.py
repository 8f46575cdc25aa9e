"""Records of `benchmarks.replay`: read, checked, and put together where slow methods were replayed in a call of their own.

Only what was measured alike comes together: the same tables, orders, workers and budget, the same reference. What each method was
measured with (repeats, commit, machine, versions) is said beside it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What must be equal, as `about` names it.
ALIKE = ("reference", "rows", "seed", "num_workers", "budget")


class RecordError(ValueError):
    """A file is no record, or not one that fits beside another; the message says what was seen and what is required."""


def read(path: Path) -> dict[str, Any]:
    """Read a record.

    Raises:
        RecordError: It cannot be read, or no call of `benchmarks.replay` wrote it.
    """
    try:
        record = json.loads(path.read_text())
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise RecordError(f"{path}: is no JSON: {error}") from None
    if not isinstance(record, dict) or not {"tables", "ratios", "about"} <= record.keys():
        raise RecordError(f"{path}: is no record of benchmarks.replay; it needs tables, ratios and about")
    if absent := [name for name in (*ALIKE, "methods") if name not in record["about"]]:
        raise RecordError(f"{path}: does not say {', '.join(absent)}; an older release wrote it, replay it again")
    return record


def check_alike(options: Mapping[str, Any], other: Mapping[str, Any], path: Path) -> None:
    """Refuse a record that was measured with other options.

    Args:
        options: What the record to come will say of itself, ALIKE.
        other: The record that is to be put beside it.
        path: Its file, for the message.

    Raises:
        RecordError: They differ, or it was replayed without the reference, so that it has no ratios.
    """
    for name in ALIKE:
        if other["about"][name] != options[name]:
            raise RecordError(f"{path}: has {name} {other['about'][name]}, here it is {options[name]}; both must have been replayed alike")
    if not other["ratios"]:
        raise RecordError(f"{path}: has no ratios; replay it with {options['reference']} among its methods")


def merge(record: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Take into a record the methods that only the other has; of one that both have, the first record's figures stay.

    Ratios are paired by order: those of the other record stand as they are, to the reference in the very orders that it replayed.
    """
    taken = [method for method in other["about"]["methods"] if method not in record["about"]["methods"]]
    for method in taken:
        for table, figures in other["tables"].items():
            record["tables"][table][method] = figures[method]
        record["ratios"][method] = other["ratios"][method]
        record["about"]["methods"][method] = other["about"]["methods"][method]
        if method in other["about"]["proposals"]:
            record["about"]["proposals"][method] = other["about"]["proposals"][method]
