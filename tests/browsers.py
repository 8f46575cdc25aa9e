"""The browser of the browser tests: the Chromium on the PATH, or Debian's, installed where that is allowed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW = "put Chromium on the PATH (Debian, Ubuntu: `apt-get install chromium`), or leave the browser tests out: pytest -m 'not browser'"


def chromium() -> str:
    """Return the path of Chromium; as root on a Debian it is installed where it is missing.

    Raises:
        RuntimeError: There is none and it cannot be installed; the message says how to get it.
    """
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            done = subprocess.run(["apt-get", "-qq", *arguments], capture_output=True, text=True)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise RuntimeError(f"no Chromium on the PATH, and apt-get {arguments[0]} failed ({last}); {HOW}")
        if found := shutil.which("chromium"):
            return found
    raise RuntimeError(f"no Chromium on the PATH; {HOW}")


@contextmanager
def launched() -> Iterator[Browser]:
    """Run headless Chromium."""
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # root cannot have Chromium's sandbox
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=options)
        try:
            yield browser
        finally:
            browser.close()


def watched(browser: Browser, **options: Any) -> Iterator[Page]:
    """Yield a window; whatever it complained of, or asked the network for, fails at the end."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "about:", "blob:", "data:")) else complaints.append(request.url)
    )
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    yield page
    context.close()
    assert complaints == []


def opened(page: Page, file: Path, address: str = "") -> None:
    """Open a report, as far as it is drawn."""
    page.goto("about:blank")  # else only the part behind # changes, and the page stays as it is
    page.goto(file.as_uri() + address)
    page.wait_for_selector("html[data-shown]", state="attached")


def draw_all(page: Page) -> None:
    """Scroll past every picture, so that all are drawn, and back. The page grows meanwhile."""
    top = 0
    while top < page.evaluate("document.documentElement.scrollHeight"):
        page.evaluate("top => scrollTo(0, top)", top)
        page.wait_for_timeout(50)
        top += page.evaluate("innerHeight")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(100)
