"""File to `Sweep`, with every mistake at once and in the order of the file. Neither torch nor ray is imported."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from search_spaces import checks
from search_spaces.errors import Problem, SweepError
from search_spaces.overrides import overridden
from search_spaces.refusals import explained, refusals
from search_spaces.space import Space
from search_spaces.sweep import METRICS, Sweep
from search_spaces.yaml_source import Source, read


def load(path: Path | str, overrides: Sequence[str] = ()) -> Sweep:
    """Read, check and resolve a sweep file.

    Args:
        path: The file.
        overrides: `path=value` texts of `-s`, laid over the file in their order.

    Raises:
        SweepError: All mistakes, each with its place.
    """
    return resolve(source_of(path, overrides))


def resolve(source: Source) -> Sweep: ...
