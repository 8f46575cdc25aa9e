"""Who may ask the web service: a token in every request, known host names only, one origin, nothing but reading. Plain ASGI, no framework.

A page elsewhere that a user has open must not be able to read his sweeps, by his browser's cookie or by a name of its own that resolves to
this machine (DNS rebinding). So the cookie goes along with requests of the same site and with links that a person follows, what a page of
another site asks for is refused, and so is, before anything else, a request that calls the service by an unknown name.
"""

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
TOKEN_BYTES = 32
LEAST_TOKEN = 16  # characters of one that a person has chosen
OPEN = frozenset({"/healthz"})  # says nothing of any sweep
COOKIE_DAYS = 7

# Of every answer. The pages bring their own scripts and styles, and ask nobody but this service.
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?")


def new_token() -> str:
    """Return a token nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


class Access:
    """Lets requests through to an application, or answers them itself."""

    def __init__(self, application: Application, *, token: str, hosts: Iterable[str] = (), port: int = 0) -> None:
        """Guard an application.

        Args:
            application: What is behind.
            token: What every request must show.
            hosts: Names by which the service may be called, besides those of the machine itself.
            port: Of the service; browsers share cookies between the ports of a machine, so the cookie is named after it.

        Raises:
            ValueError: The token is too short to keep anybody out.
        """
        if len(token) < LEAST_TOKEN:
            raise ValueError(f"the token has {len(token)} characters, must have {LEAST_TOKEN} or more; leave it out for a random one")
        self._application = application
        self._token = token.encode()
        self._hosts = frozenset(name.strip("[]").lower() for name in (*LOOPBACK, *hosts))
        self._cookie = f"shortlist_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._knows(headers.get("host", "")):
            await _answer(send, 421, "this service does not go by that name; allow it with: shortlist serve --allow-host NAME")
        elif scope["method"] not in {"GET", "HEAD"}:
            await _answer(send, 405, "this service only reads", allow="GET, HEAD")
        elif headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and not _navigates(headers):
            await _answer(send, 403, "asked for by a page of another site")
        elif scope["path"] in OPEN:
            await self._application(scope, receive, _guarded(send))
        elif (given := _in_query(scope)) is not None:
            await self._enter(scope, send, given)
        elif self._is_token(_bearer(headers)) or self._is_token(_in_cookie(headers, self._cookie)):
            await self._application(scope, receive, _guarded(send))
        else:
            await _answer(send, 401, "a token is missing or wrong; open the address that `shortlist serve` printed", authenticate="Bearer")

    def _knows(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        return found is not None and found["name"].strip("[]") in self._hosts

    def _is_token(self, given: str | None) -> bool:
        """Compare in a time that does not tell how far two texts agree."""
        return given is not None and hmac.compare_digest(given.encode(), self._token)

    async def _enter(self, scope: Scope, send: Send, given: str) -> None:
        """Take the token out of the address, where it would stay in histories, and keep it in a cookie that no script can read."""
        if not self._is_token(given):
            await _answer(send, 401, "the token in the address is wrong; open the address that `shortlist serve` printed")
            return
        rest = urlencode([(name, value) for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name != "token"])
        # Two slashes in front would name another host.
        place = "/" + scope["path"].lstrip("/\\") + (f"?{rest}" if rest else "")
        cookie = f"{self._cookie}={self._token.decode()}; HttpOnly; SameSite=Lax; Path=/; Max-Age={COOKIE_DAYS * 86_400}"
        headers = [(b"location", place.encode("ascii", "replace")), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 303, "headers": [*headers, *HEADERS]})
        await send({"type": "http.response.body", "body": b""})


def _navigates(headers: MutableMapping[str, str]) -> bool:
    """Return whether a person has followed a link to a page here; what comes back is not for the page that had the link."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _bearer(headers: MutableMapping[str, str]) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token else None


def _in_cookie(headers: MutableMapping[str, str], name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if found is None else found.value


def _in_query(scope: Scope) -> str | None:
    return next((value for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name == "token"), None)


def _guarded(send: Send) -> Send:
    """Return what adds the headers that every answer has."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", [])}
            more = [header for header in (*HEADERS, (b"cache-control", b"no-store")) if header[0] not in names]
            message["headers"] = [*message.get("headers", []), *more]
        await send(message)

    return guarded


async def _answer(send: Send, status: int, text: str, *, allow: str = "", authenticate: str = "") -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *HEADERS]
    if allow:
        headers.append((b"allow", allow.encode()))
    if authenticate:
        headers.append((b"www-authenticate", authenticate.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
