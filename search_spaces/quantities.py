"""Numbers as a sweep file writes them: epochs, seeds, `5M`, `2GiB`, `1h30m`, each with its bounds."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from search_spaces.wording import Described
from trainable.config.base import Unit

Epochs = Annotated[int, Field(strict=True, ge=1, le=1_000_000), Unit("epochs")]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]

DURATION = r"^(?=.)(\d+(?:\.\d+)?h)?(\d+(?:\.\d+)?m)?(\d+(?:\.\d+)?s)?$"


def _seconds(value: Any) -> Any:
    """Read `1h30m`; what is no such text is left to the field's own bounds."""
    if not isinstance(value, str) or (found := re.match(DURATION, value)) is None:
        return value
    return sum(float(part[:-1]) * {"h": 3600.0, "m": 60.0, "s": 1.0}[part[-1]] for part in found.groups() if part)


Duration = Annotated[
    float,
    Field(gt=0.0),
    BeforeValidator(_seconds),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": DURATION}]}),
    Unit("seconds"),
    Described("a number of seconds > 0, or text such as 90s, 15m, 12h, 1h30m"),
]


COUNT = r"^(\d+(?:\.\d+)?)(k|M|G)$"
BYTES = r"^(\d+(?:\.\d+)?)(KiB|MiB|GiB)$"
UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def _number(pattern: str) -> Callable[[Any], Any]:
    """Return what reads `5M`; what is no such text is left to the field's own bounds."""

    def read(value: Any) -> Any:
        found = re.match(pattern, value) if isinstance(value, str) else None
        return value if found is None else int(Decimal(found[1]) * UNITS[found[2]])

    return read


Count = Annotated[
    int,
    Field(strict=True, ge=1),
    BeforeValidator(_number(COUNT)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": COUNT}]}),
    Described("a whole number >= 1, or text such as 5M (units k, M, G)"),
]
Bytes = Annotated[
    int,
    Field(strict=True, ge=1),
    BeforeValidator(_number(BYTES)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": BYTES}]}),
    Unit("bytes"),
    Described("a number of bytes >= 1, or text such as 2GiB (units KiB, MiB, GiB)"),
]
