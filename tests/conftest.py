"""What every test may rely on: a cache of its own session, and the data sets handed to this checkout."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Decoded images of this session, never the user's own; processes that tests start inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("SHORTLIST_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def cifar10_jpeg() -> Path:
    """The folder of CIFAR-10 as JPEG; the test is skipped where nobody has put it there."""
    datasets = Path(os.environ.get("SHORTLIST_DATASETS", ROOT / "../shared/datasets"))
    folder = datasets / "cifar10-jpeg"
    if not folder.is_dir():
        pytest.skip(
            f"{folder} is absent: put CIFAR-10 as train*.parquet and test*.parquet (image and label columns, as the Hugging Face hub "
            "lays them out) into a folder cifar10-jpeg, and name the folder above it in SHORTLIST_DATASETS"
        )
    return folder


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return name -> a report to open in a browser."""
    from tests.report_pages import written

    return written(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Headless Chromium, one for all tests of a file."""
    from tests.browsers import launched

    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def desk(browser: "Browser") -> "Iterator[Page]":
    """One wide window for all tests of a file. Whatever its pages complain of, or ask the network for, fails the last test."""
    from tests.browsers import watched
    from tests.report_pages import WIDE

    yield from watched(browser, viewport=WIDE, color_scheme="light", accept_downloads=True)


@pytest.fixture
def recorded_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder `runs` with the recorded sweep `digits`, below the folder that the commands are given in."""
    from tests import recorded

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("COLUMNS", raising=False)
    recorded.store(tmp_path / "runs" / "digits", recorded.sweep())
    return tmp_path / "runs"
