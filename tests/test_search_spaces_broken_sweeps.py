"""Broken sweep files and the exact text that they are answered with: `tests/broken_sweeps/NAME.yaml` beside `NAME.expected`."""

from pathlib import Path

import pytest

from search_spaces.errors import SweepError
from search_spaces.load import load

FOLDER = Path(__file__).parent / "broken_sweeps"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
# Words of pydantic and Python that no user should have to read.
JARGON = ("Input should", "a valid", "invalid", "NoneType", "dict", "union", "literal", "tuple", "instance", "extra", "Value error", "str ")


@pytest.mark.parametrize("name", NAMES)
def test_broken_file_is_answered_with_every_mistake_at_its_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    with pytest.raises(SweepError) as caught:
        load(f"{name}.yaml")
    assert str(caught.value) == (FOLDER / f"{name}.expected").read_text().rstrip("\n")


def test_every_expected_text_has_its_file_and_speaks_plainly() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.expected")) == NAMES
    for name in NAMES:
        text = (FOLDER / f"{name}.expected").read_text()
        assert not [word for word in JARGON if word in text], name
        assert all(line.startswith(f"{name}.yaml:") for line in text.splitlines()), name
