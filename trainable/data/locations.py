"""Where decoded images are kept on this node."""

import os
from pathlib import Path


def cache_root() -> Path:
    """Return SHORTLIST_CACHE where it is set, else `shortlist` in the user's cache folder (XDG Base Directory Specification)."""
    if chosen := os.environ.get("SHORTLIST_CACHE"):
        return Path(chosen).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "shortlist"
