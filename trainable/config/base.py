"""The one pydantic base of everything that a person or a file says.

A validator that looks at several fields says `<field> is <seen>, must be <required>`: the sweep file's reader finds the line by it.
"""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable, and refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
