"""Whether the images are still those that a sweep was searched on: their fingerprint is kept with the sweep."""

import json

from results.storage import Storage
from tuner.errors import UsageError

NAME = "data.json"


def check(storage: Storage, train_fingerprint: str) -> None:
    """Refuse other training images than those that the sweep began with.

    Args:
        storage: The sweep's folder; one of an older release knows no fingerprint, and is not checked.
        train_fingerprint: Content of the training split as it is now.

    Raises:
        UsageError: They differ.
    """
    if (known := recorded(storage)) is not None and known != train_fingerprint:
        raise UsageError(
            f"{storage}: the training images have changed since the sweep began (fingerprint {known[:12]}, now "
            f"{train_fingerprint[:12]}); put the old ones back, or search anew under another name"
        )


def keep(storage: Storage, train_fingerprint: str) -> None:
    """Write the fingerprint down, unless one is known already."""
    if recorded(storage) is None:
        storage.write_atomic(NAME, json.dumps({"train_fingerprint": train_fingerprint}).encode() + b"\n")


def recorded(storage: Storage) -> str | None:
    """Return the fingerprint that is kept with a sweep; None where there is none."""
    try:
        return str(json.loads(storage.read(NAME))["train_fingerprint"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{storage.path(NAME)} is damaged ({error}); restore it from a copy, or delete it to skip the check") from error
