"""Candidates as points: what a model of the space calculates with.

A number is its place in [0, 1] on its search scale; options are one coordinate each. A parameter that does not apply to a candidate sits
in the middle of its range, or has no option, and one further coordinate says so.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from search_spaces.conditions import active
from search_spaces.domains import Choice, Value, is_number, option_name, same
from search_spaces.settings import Constant, Parameter
from search_spaces.space import Space

# Two options lie one unit apart, as far as the two ends of a range.
OPTION = 0.5**0.5

# Values closer together than this factor lie alike on both scales.
MIN_LOG_FACTOR = 4.0


class Encoding:
    """The points of one space. D coordinates, G parameters: all coordinates of a parameter share one lengthscale."""

    def __init__(self, space: Space) -> None:
        self._settings = space.settings
        self._scales = [_scale(parameter) for parameter in space.parameters]
        widths = [
            len(parameter.domain.options) if scale is None and isinstance(parameter.domain, Choice) else 2
            for parameter, scale in zip(space.parameters, self._scales, strict=True)
        ]
        self.num_parameters = len(widths)
        self.groups_D = np.repeat(np.arange(len(widths)), widths)

    def point(self, values: Mapping[str, Value]) -> np.ndarray:
        """Return a candidate's point, (D,) float64.

        Args:
            values: Its values, active ones only. Names that are no parameters are ignored.
        """
        known: dict[str, Value] = {}
        point: list[float] = []
        scales = iter(self._scales)
        for setting in self._settings:
            applies = active(setting.conditions, known)
            if isinstance(setting, Constant):
                if applies:
                    known[setting.path] = option_name(setting.value)
                continue
            scale = next(scales)
            applies = applies and setting.path in values
            value = values[setting.path] if applies else None
            if applies:
                known[setting.path] = value
            if scale is not None:
                point += [scale[value], 1.0] if applies else [0.5, 0.0]
            elif isinstance(setting.domain, Choice):
                point += [OPTION * (applies and same(option.name, value)) for option in setting.domain.options]
            else:
                point += [setting.domain.unit(value), 1.0] if applies else [0.5, 0.0]  # type: ignore[arg-type]  # a value is of its domain
        return np.array(point)


def logarithmic(ascending: Sequence[float] | np.ndarray) -> bool:
    """Say whether distinct numbers lie more evenly on the logarithmic scale than on the linear one."""
    if ascending[0] <= 0 or ascending[-1] < MIN_LOG_FACTOR * ascending[0]:
        return False
    return bool(_unevenness(np.log(ascending)) < _unevenness(np.array(ascending, dtype=float)))


def _unevenness(ascending: np.ndarray) -> float:
    """Return the greatest distance between values, scaled to [0, 1], and as many that are evenly spaced."""
    unit = (ascending - ascending[0]) / (ascending[-1] - ascending[0])
    return float(np.abs(unit - np.linspace(0.0, 1.0, len(unit))).max())


def _scale(parameter: Parameter) -> dict[Value, float] | None:
    """Return where in [0, 1] the options of a choice among numbers lie; None for any other domain.

    Batch sizes 16, 64 and 256 are an order, not three unrelated names.
    """
    if not isinstance(parameter.domain, Choice):
        return None
    options = [option.name for option in parameter.domain.options]
    numbers = sorted({float(option) for option in options if is_number(option)})  # type: ignore[arg-type]  # is_number narrows nothing
    if len(numbers) < max(2, len(options)):
        return None
    places = np.log(numbers) if logarithmic(numbers) else np.array(numbers)
    unit = (places - places[0]) / (places[-1] - places[0])
    place = dict(zip(numbers, unit.tolist(), strict=True))
    return {option: place[float(option)] for option in options}  # type: ignore[arg-type]  # all are numbers here
