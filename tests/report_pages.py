"""Reports to be opened in a browser: of a finished sweep, and of some that are not; and how their table is asked."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize

from results import report
from results.events import Event, Noted
from tests import demo_sweep, recorded

WIDE: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"


def written(root: Path) -> dict[str, Path]:
    """Return name -> a page: a finished sweep with its finals, and three that are not finished."""
    sweep = demo_sweep.demo(60)
    finished = demo_sweep.store(root / "finished", sweep, demo_sweep.events(sweep))
    models = {"t00001": EVIL, "t00002": "b"}
    suggested = [recorded.suggested(trial, values={"model": model, "lr": 0.1}) for trial, model in models.items()]
    ended = [fact for trial in models for fact in (recorded.launched(trial), recorded.ended(trial, "failed", EVIL))]
    note = Noted(at=recorded.AT, request="r1", author=EVIL, trial="t00001", text=EVIL)
    states: dict[str, list[Event]] = {
        "empty": [recorded.started()],
        "running": demo_sweep.events(demo_sweep.demo(20), stop_after=40, killed=True),
        "failed": [recorded.started(sweep=EVIL, num_trials=2), recorded.driver(), *suggested, *ended, note, recorded.stopped("failed")],
    }
    stores = {"finished": finished} | {name: recorded.store(root / name, events) for name, events in states.items()}
    for name, storage in stores.items():
        (root / f"{name}.html").write_text(report.render(storage, now=demo_sweep.START + 86_400))
    return {name: root / f"{name}.html" for name in stores}


def ids(page: Page) -> list[str]:
    """Return the trials of the rows in the document, in order."""
    return [row.inner_text().strip() for row in page.query_selector_all(".trials tbody tr[data-place] th")]


def address(page: Page) -> str:
    return page.url.partition("#")[2]


def row(page: Page, number: int) -> Any:
    return page.locator(".trials tbody tr[data-place]").nth(number)
