"""One mistake in a sweep file with its place, and the error that carries all of them.

ValueError
└── SweepError    the sweep file, an override or a candidate is wrong: the user mends the file
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Where something stands in a file: keys and list indexes from the top."""

Locate = Callable[[KeyPath], tuple[str, int, int]]
"""Keys of a sweep file -> file, line and column, for mistakes that are found after loading."""


def dotted(path: Sequence[str | int]) -> str:
    """Return a key path as people write it: `trial.model.choice.0.channels`."""
    return ".".join(map(str, path))


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake whose line is not known yet: `yaml_source.Source.mistake` looks it up.

    Attributes:
        path: Where it stands in the file.
        seen: What stands there.
        required: What has to stand there, with the remedy.
    """

    path: KeyPath
    seen: str
    required: str


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

    @classmethod
    def without_lines(cls, problems: Iterable[Problem], file: str) -> "SweepError":
        """Return the error for problems in something that was not read from a file with lines."""
        return cls([Mistake(file=file, line=0, column=0, path=dotted(p.path), seen=p.seen, required=p.required) for p in problems])
