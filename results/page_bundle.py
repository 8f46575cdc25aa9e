"""The page's template, style and modules put together with a sweep's data: one HTML string. Knows no figure of the page.

Each file of `results/page/` is a plain ES module that imports its siblings by name. Here they become one inline script: every module
a function called once, in the order of their imports, so that a name in one file never meets a name in another.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

ENTRY = "app.js"
LIST = "sweeps.js"  # of the page that lists the sweeps

_IMPORT = re.compile(r'^import (?P<names>\{[^}]*\}) from "(?P<source>\./[\w./]+|\.\./[\w./]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)


def page(data: Mapping[str, Any]) -> str:
    """Return the page of one sweep.

    Args:
        data: What `results.report.page_data` gives; its text may hold anything, markup too.
    """
    code = script()
    policy = (
        f"default-src 'none'; script-src '{digest(code)}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": html.escape(policy),
        "title": html.escape(str(data["sweep"]["name"])),
        "style": _file("style.css"),
        "data": as_json(data),
        "script": code,
    }
    return _filled("template.html", parts)


def list_page() -> str:
    """Return the page that lists the sweeps of a service; it asks the service for them."""
    return _filled("sweeps.html", {"style": _file("style.css"), "script": script(LIST)})


def as_json(data: Mapping[str, Any]) -> str:
    """Return data as JSON that may stand inside a script element: no `<` in it, so neither `</script>` nor `<!--`."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


@cache
def script(entry: str = ENTRY) -> str:
    """Return a module and all that it imports as one script.

    Raises:
        ValueError: A module imports itself in a circle, or in a way that is not understood here.
    """
    ordered: dict[str, str] = {}
    _collect(entry, ordered, ())
    return "\n".join(["'use strict';", *ordered.values()]).replace("</", "<\\/")


def digest(code: str) -> str:
    """Return how a policy names a script that stands in a page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """Return a template with its parts, in one pass: what a part holds is never looked at for placeholders again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _file(template))


def _collect(name: str, ordered: dict[str, str], above: tuple[str, ...]) -> None:
    """Add a module behind all that it imports."""
    if name in above:
        raise ValueError(f"results/page/{name} imports itself by way of {' > '.join(above)}")
    if name in ordered:
        return
    source = _file(name)
    needed = {match["source"]: _beside(name, match["source"]) for match in _IMPORT.finditer(source)}
    for other in needed.values():
        _collect(other, ordered, (*above, name))
    body = _IMPORT.sub(lambda match: f"const {match['names'].replace(' as ', ': ')} = {_variable(needed[match['source']])};\n", source)
    exported = _EXPORT.findall(body)
    body = _EXPORT.sub("", body)
    if strange := re.search(r"^(?:import|export)\b.*", body, re.MULTILINE):
        raise ValueError(f"results/page/{name}: {strange[0]!r} is not understood; import {{names}} from a file, export declarations")
    ordered[name] = f"const {_variable(name)} = (() => {{\n{body}return {{{', '.join(exported)}}};\n}})();"


def _beside(name: str, source: str) -> str:
    parts = name.split("/")[:-1]
    for part in source.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _variable(name: str) -> str:
    return "module_" + re.sub(r"\W", "_", name.removesuffix(".js"))


@cache
def _file(name: str) -> str:
    place: Traversable = resources.files("results") / "page"
    return (place / name).read_text(encoding="utf-8")
