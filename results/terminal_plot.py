"""A curve in characters: braille dots where the terminal has them, stars where not. Prints nothing."""

import math
from collections.abc import Sequence

LEAST_WIDTH, LEAST_HEIGHT = 8, 2

# Bits of the eight dots of a braille character, by row and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLOCKS = "▁▂▃▄▅▆▇█"
_STEPS = "_.-=*#"


def plot(
    values: Sequence[float | None], *, width: int, height: int = 8, marks: Sequence[int] = (), unicode: bool = True, decimals: int = 1
) -> list[str]:
    """Return a picture of a series over 1, 2, 3, ..., with labels at its lowest and highest value.

    Args:
        values: One a step; None or not finite leaves a gap.
        width: Characters of the whole, labels included.
        height: Lines of the picture, the line of step labels not counted.
        marks: Steps at which a dotted vertical line stands.
        unicode: Whether braille may be used.
        decimals: Of the labels.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return ["no finite value yet"]
    low, high = min(finite), max(finite)
    labels = [f"{high:.{decimals}f}", f"{low:.{decimals}f}"]
    margin = max(map(len, labels))
    columns, rows = max(LEAST_WIDTH, width - margin - 2), max(LEAST_HEIGHT, height)
    canvas = _Canvas(columns, rows, unicode)
    for mark in marks:
        if mark <= len(values):
            canvas.dotted(_place(mark - 1, len(values)))
    before: tuple[float, float] | None = None
    for step, value in enumerate(values):
        if value is None or not math.isfinite(value):
            before = None
            continue
        point = _place(step, len(values)), (high - value) / (high - low) if high > low else 0.5
        canvas.line(before or point, point)
        before = point
    sides = [labels[0], *[""] * (rows - 2), labels[1]]
    bar = "│" if unicode else "|"
    lines = [f"{side:>{margin}} {bar}{text}".rstrip() for side, text in zip(sides, canvas.lines(), strict=True)]
    return [*lines, " " * (margin + 2) + _steps(len(values), marks, columns)]


def sparkline(values: Sequence[float | None], *, low: float, high: float, width: int, unicode: bool = True) -> str:
    """Return a series as one line of at most `width` characters, each showing the mean of its share of the steps.

    Args:
        values: One a step; None or not finite leaves a blank.
        low: The value at the bottom.
        high: The value at the top.
        width: Characters at most; a shorter series takes one a step.
        unicode: Whether block characters may be used.
    """
    levels = _BLOCKS if unicode else _STEPS
    num = min(width, len(values))
    text = ""
    for column in range(num):
        share = values[column * len(values) // num : (column + 1) * len(values) // num]
        finite = [value for value in share if value is not None and math.isfinite(value)]
        if not finite:
            text += " "
            continue
        place = (sum(finite) / len(finite) - low) / (high - low) if high > low else 0.5
        text += levels[min(len(levels) - 1, max(0, int(place * len(levels))))]
    return text


class _Canvas:
    """Dots on a grid of characters, two across and four down in each where braille is there; places are 0..1 from the top left."""

    def __init__(self, columns: int, rows: int, unicode: bool) -> None:
        self._across, self._down = (2, 4) if unicode else (1, 1)
        self._unicode = unicode
        self._bits = [[0] * columns for _ in range(rows)]
        self._right, self._bottom = columns * self._across - 1, rows * self._down - 1

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        x0, y0, x1, y1 = (round(place * size) for place, size in zip((*start, *end), (self._right, self._bottom) * 2, strict=True))
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(steps + 1):
            self._dot(round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * step / steps))

    def dotted(self, x: float) -> None:
        for y in range(0, self._bottom + 1, 2 * self._down // (4 if self._unicode else 1)):
            self._dot(round(x * self._right), y)

    def lines(self) -> list[str]:
        return ["".join(chr(0x2800 + bits) if self._unicode and bits else " *"[bits > 0] for bits in row) for row in self._bits]

    def _dot(self, x: int, y: int) -> None:
        bit = _DOTS[y % 4][x % 2] if self._unicode else 1
        self._bits[y // self._down][x // self._across] |= bit


def _place(step: int, num_steps: int) -> float:
    return step / (num_steps - 1) if num_steps > 1 else 0.0


def _steps(num_steps: int, marks: Sequence[int], columns: int) -> str:
    """Return the labels under the picture: first and last step, and the marks where there is room."""
    line = [" "] * (columns + len(str(num_steps)))
    for step in (num_steps, 1, *marks):
        text = str(step)
        if step > num_steps:
            continue
        start = max(0, round(_place(step - 1, num_steps) * (columns - 1)) - len(text) // 2)
        around = line[max(0, start - 1) : start + len(text) + 1]
        if all(character == " " for character in around):
            line[start : start + len(text)] = text
    return "".join(line).rstrip()
