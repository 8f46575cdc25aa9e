"""One mistake in a sweep file with its place, and the error that carries all of them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mistake:
    """One thing wrong in a sweep file.

    Attributes:
        file: The file as the user named it; `-s` for a mistake in an override.
        line: 1-based line of the key or value; 0 where there is none.
        column: 1-based column; 0 where there is none.
        path: Dotted path in the file; empty for the file as a whole.
        seen: What stands there.
        required: What has to stand there, with the remedy.
    """

    file: str
    line: int
    column: int
    path: str
    seen: str
    required: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path + ': ' if self.path else ''}{self.seen}, {self.required}"


class SweepError(ValueError):
    """Every mistake found in one reading of a sweep file, in the order of the file."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(map(str, self.mistakes)))
