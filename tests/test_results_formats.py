from pathlib import Path

import pytest

from results import formats
from results.columns import COLUMNS
from results.events import KINDS


def test_the_page_in_docs_is_the_one_that_the_schemas_give() -> None:
    page = Path(__file__).parents[1] / "docs" / "formats.md"
    assert page.read_text() == formats.render(), "write it anew: python -m results.formats > docs/formats.md"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_field_of_every_event_has_a_meaning(kind: type) -> None:
    assert [name for name, meaning in formats.meanings(kind).items() if not meaning] == []


def test_every_column_and_every_event_is_on_the_page() -> None:
    page = formats.render()
    assert all(f"| `{column.name}` |" in page for column in COLUMNS)
    assert all(f"### {name}\n" in page for name in KINDS)
