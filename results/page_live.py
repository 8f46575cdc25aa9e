"""The report page as the web service gives it: the same page, with a script that asks for its data again when they have changed."""

import html
import json
import re
from importlib import resources

from results import live, page_bundle, report
from results.storage import Storage

_SCRIPT = re.compile(r"<script(?: [^>]*)?>(.*?)</script>", re.DOTALL)


def render(storage: Storage, *, now: float, events: str, data: str) -> str:
    """Return the page of a stored sweep, alive.

    Args:
        storage: The sweep.
        now: Seconds since 1970.
        events: Path of the sweep's event stream on this service.
        data: Path of the page's data.

    Raises:
        ResultsError: The sweep cannot be read; its class says why.
    """
    version = live.table_version(storage)  # before the page is made: what changes meanwhile is asked for again
    page = report.render(storage, now=now)
    code = (resources.files("results") / "page" / "live.js").read_text(encoding="utf-8")
    attributes = {"events": events, "data": data, "version": version}
    told = " ".join(f'data-{name}="{html.escape(value)}"' for name, value in attributes.items())
    # The page allows its own script alone and asks nobody. Here it may run this one, too, and ask this service.
    allowed = page.replace("script-src", f"connect-src 'self'; script-src '{page_bundle.digest(code)}'", 1)
    before, end, after = allowed.rpartition("</body>")
    return f"{before}<script {told}>{code}</script>\n{end}{after}"


def data(storage: Storage, *, now: float) -> str:
    """Return what the page shows, as JSON. Arguments and errors as in `render`."""
    content = report.page_data(storage, now=now)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def policy(page: str) -> str:
    """Return the content security policy of a page that brings its scripts along and asks this service alone."""
    scripts = " ".join(f"'{page_bundle.digest(code)}'" for code in _SCRIPT.findall(page))
    drawn = "style-src 'unsafe-inline'; img-src data:"
    return f"default-src 'none'; script-src {scripts}; {drawn}; connect-src 'self'; base-uri 'none'; form-action 'none'"
