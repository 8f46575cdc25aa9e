from pathlib import Path

import pytest

from results.storage import Storage
from tuner import fingerprints
from tuner.errors import UsageError


def test_first_fingerprint_is_kept_and_another_refused(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    fingerprints.check(storage, "a" * 64)
    assert fingerprints.recorded(storage) is None, "a sweep of an older release knows none, and is not checked"
    fingerprints.keep(storage, "a" * 64)
    fingerprints.keep(storage, "b" * 64)
    fingerprints.check(storage, "a" * 64)
    with pytest.raises(UsageError, match=r"have changed since the sweep began \(fingerprint aaaaaaaaaaaa, now bbbbbbbbbbbb\); put the old"):
        fingerprints.check(storage, "b" * 64)


def test_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text("{")
    with pytest.raises(UsageError, match=r"data\.json is damaged"):
        fingerprints.check(Storage(tmp_path), "a")
