"""Who may ask the web service."""

import hmac
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
import recorded
from served import TOKEN, serving

from results.access import Access

LIST = "/api/v1/sweeps"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    runs = tmp_path_factory.mktemp("runs")
    recorded.store(runs / "digits", recorded.sweep())
    with serving(runs) as (client, _):
        yield client


def address(client: httpx.Client) -> str:
    return str(client.base_url).rstrip("/")


def stranger(client: httpx.Client, path: str, **headers: str) -> httpx.Response:
    """Ask without a token."""
    return client.send(httpx.Request("GET", f"{address(client)}{path}", headers=headers))


@pytest.mark.parametrize("path", ["/", LIST, "/sweeps/digits", "/api/v1/openapi.json", "/api/v1/sweeps/digits/events", "/nowhere"])
def test_without_the_token_nothing_is_told(client: httpx.Client, path: str) -> None:
    for headers in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": TOKEN},
        {"cookie": "shortlist_8484=wrong"},
        {"cookie": "=;\x7f"},
    ):
        answer = stranger(client, path, **headers)
        assert answer.status_code == 401
        assert "digits" not in answer.text
    assert stranger(client, f"{path}?token=wrong").status_code == 401


def test_token_goes_in_a_header_or_a_cookie(client: httpx.Client) -> None:
    assert stranger(client, LIST, authorization=f"Bearer {TOKEN}").status_code == 200
    assert stranger(client, LIST, cookie=f"other=1; shortlist_8484={TOKEN}").status_code == 200
    assert stranger(client, LIST, cookie=f"shortlist_9999={TOKEN}").status_code == 401
    assert stranger(client, "/healthz").text == "ok\n"


@pytest.mark.parametrize(
    ("asked", "sent_to"),
    [
        ("/?token=T", "/"),
        ("/sweeps/digits?a=1&token=T&b=x%26y", "/sweeps/digits?a=1&b=x%26y"),
        ("//evil.example/?token=T", "/evil.example/"),
    ],
)
def test_token_in_the_address_becomes_a_cookie_that_no_script_reads(client: httpx.Client, asked: str, sent_to: str) -> None:
    answer = stranger(client, asked.replace("=T", f"={TOKEN}"))
    assert (answer.status_code, answer.headers["location"]) == (303, sent_to)
    assert urljoin(f"{address(client)}{asked}", answer.headers["location"]).startswith(address(client)), "it stays here"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"shortlist_8484={TOKEN}; HttpOnly; SameSite=Lax; Path=/")
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_tokens_are_compared_in_constant_time(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda given, known: compared.append(given) or compare(given, known))
    stranger(client, LIST, authorization="Bearer wrong")
    stranger(client, LIST, cookie="shortlist_8484=also-wrong")
    stranger(client, f"{LIST}?token=wrong-too")
    assert compared == [b"wrong", b"also-wrong", b"wrong-too"]


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("LOCALHOST:8484", True),
        ("127.0.0.1:1", True),
        ("[::1]:8484", True),
        ("sweeps.example", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil.example#localhost", False),
        ("user@localhost", False),
    ],
)
def test_only_known_names_are_answered_to(client: httpx.Client, host: str, known: bool) -> None:
    answer = client.get(LIST, headers={"host": host})
    assert (answer.status_code == 200) is known
    if not known:
        assert answer.status_code in {400, 421}
        assert "digits" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_it_only_reads(client: httpx.Client, method: str) -> None:
    answer = client.request(method, LIST)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_page_of_another_site_is_refused_and_its_links_are_followed(client: httpx.Client) -> None:
    cookie = f"shortlist_8484={TOKEN}"
    fetch = {"cookie": cookie, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}
    assert stranger(client, LIST, **fetch).status_code == 403
    assert stranger(client, LIST, **fetch | {"sec-fetch-site": "same-site"}).status_code == 403
    assert stranger(client, LIST, **fetch | {"sec-fetch-site": "same-origin"}).status_code == 200
    frame = {"cookie": cookie, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
    assert stranger(client, "/", **frame).status_code == 403
    assert stranger(client, "/", **frame | {"sec-fetch-dest": "document"}).status_code == 200
    answer = stranger(client, LIST, cookie=cookie, origin="https://evil.example")
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", LIST, "/api/v1/sweeps/nowhere"])
def test_every_answer_has_the_headers_that_keep_others_out(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] in {"no-store", "no-cache"}
    assert "server" not in headers or "uvicorn" in headers["server"]


def test_short_token_is_refused(tmp_path: Path) -> None:
    async def nothing(scope: object, receive: object, send: object) -> None:
        """Answer nothing."""

    with pytest.raises(ValueError, match="has 5 characters, must have 16"):
        Access(nothing, token="12345")
