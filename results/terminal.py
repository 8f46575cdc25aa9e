"""What the terminal at hand can show. Standard library only."""

import os
import shutil
from dataclasses import dataclass
from typing import Self, TextIO

BOLD = "1"
FAINT = "2"


@dataclass(frozen=True, slots=True)
class Terminal:
    """How text may look.

    Attributes:
        width: Columns; None where nobody wraps: a pipe or a file gets whole lines.
        color: Whether bold and faint may be used.
        unicode: Whether characters beyond ASCII can be written.
    """

    width: int | None = None
    color: bool = False
    unicode: bool = True

    @classmethod
    def of(cls, stream: TextIO) -> Self:
        """Return what a stream can show; COLUMNS, NO_COLOR and TERM=dumb are obeyed."""
        interactive = stream.isatty()
        width = shutil.get_terminal_size().columns if interactive or os.environ.get("COLUMNS") else None
        color = interactive and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
        return cls(width, color, (stream.encoding or "").lower().replace("-", "").startswith("utf"))

    def styled(self, text: str, style: str) -> str:
        """Return the text in a style where the terminal has it, else as it is."""
        return f"\033[{style}m{text}\033[0m" if self.color and text else text
