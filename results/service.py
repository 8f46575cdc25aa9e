"""The web service: the sweeps under a storage folder, live, for browsers and programs. It reads, and never writes.

    GET /                                           the list of sweeps
    GET /sweeps/<sweep>                             its report, moving while it runs
    GET /api/v1/sweeps                              all sweeps with their leaders and finals
    GET /api/v1/sweeps/<sweep>                      where one stands
    GET /api/v1/sweeps/<sweep>/leaderboard          its trials, best first
    GET /api/v1/sweeps/<sweep>/curves               their curves
    GET /api/v1/sweeps/<sweep>/trials/<trial>       one trial, whole
    GET /api/v1/sweeps/<sweep>/page                 what its report shows
    GET /api/v1/sweeps/<sweep>/events               server-sent events
    GET /api/v1/openapi.json                        this, for machines

Who may ask is `access.py`'s matter: `guarded` puts it in front.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from starlette.middleware.gzip import GZipMiddleware

from results import curves, excerpt, leaderboard, live, lock, overview, page_bundle, page_live, places, tables, trial_text, winners
from results.access import Access
from results.errors import NotASweep, ResultsError
from results.live import Feeds, Full
from results.overview import Overview
from results.storage import Storage, stored_sweeps
from results.winners import Winner

MAX_ROWS = 10_000  # of one answer
KEPT_ANSWERS = 64
SLOW_S = 0.05  # what took longer to make is kept as long as the file it was made from

_API = "/api/v1"
Limit = Annotated[int, Query(ge=1, le=MAX_ROWS, description="Rows of this answer.")]
Offset = Annotated[int, Query(ge=0, description="Rows left out before.")]


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: str
    body: bytes


class Answers:
    """Answers that took long to make, kept until the sweep's tables change. At most one is made at a time for each."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._locks = [threading.Lock() for _ in range(KEPT_ANSWERS)]
        self._guard = threading.Lock()

    def get(self, key: str, stamp: str, make: Callable[[], bytes]) -> bytes:
        """Return the answer made at this stamp, or make it."""
        with self._locks[hash(key) % len(self._locks)]:
            found = self._kept.get(key)
            if found is not None and found.stamp == stamp:
                return found.body
            started = time.perf_counter()
            body = make()
            if time.perf_counter() - started >= SLOW_S:
                with self._guard:
                    self._kept[key] = _Kept(stamp, body)
                    while len(self._kept) > KEPT_ANSWERS:
                        del self._kept[next(iter(self._kept))]
            return body


def app(runs: Path, *, feeds: Feeds | None = None) -> FastAPI:
    """Return the application; nothing guards it yet, see `guarded`.

    Args:
        runs: The storage folder that holds the sweeps.
        feeds: The streams; of its own by default.
    """
    streams = feeds or Feeds()
    answers = Answers()
    service = FastAPI(
        title="shortlist",
        version=installed("shortlist"),
        description="Sweeps under one storage folder, read-only.",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{_API}/openapi.json",
    )
    service.add_middleware(GZipMiddleware, minimum_size=2_000, compresslevel=4)

    def within(text: str) -> str:
        """Return a message without where the storage lies, which is nobody's business."""
        for place in (places.address(runs), runs.absolute(), runs):
            text = text.replace(f"{place}/", "")
        return text

    def opened(sweep: str) -> Storage:
        """Return a sweep by its name: one of those that there are, so that no name leads elsewhere."""
        if sweep not in stored_sweeps(runs):
            raise HTTPException(404, f"no sweep {sweep!r} here")
        return Storage(runs / sweep)

    def kept(request: Request, storage: Storage, make: Callable[[], bytes], *, kind: str = "application/json") -> Response:
        """Return an answer that changes with the sweep's tables only; who has it already is told so."""
        stamp = f"{live.table_version(storage)}.{_driver_stamp(storage)}"
        etag = f'"{hashlib.sha256(f"{request.url.path}?{request.url.query} {stamp}".encode()).hexdigest()[:24]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        body = answers.get(f"{request.url.path}?{request.url.query}", stamp, make)
        return Response(body, media_type=kind, headers={"etag": etag, "cache-control": "no-cache"})

    @service.exception_handler(ResultsError)
    def unreadable(request: Request, error: ResultsError) -> Response:
        """Say what is wrong with a stored sweep."""
        status = 404 if isinstance(error, NotASweep) else 500
        return PlainTextResponse(within(str(error)) + "\n", status)

    @service.get("/healthz", include_in_schema=False)
    def health() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @service.get("/", include_in_schema=False)
    def list_page() -> HTMLResponse:
        page = page_bundle.list_page()
        return HTMLResponse(page, headers={"content-security-policy": page_live.policy(page)})

    @service.get("/sweeps/{sweep}", include_in_schema=False)
    def sweep_page(request: Request, sweep: str) -> Response:
        storage = opened(sweep)

        def make() -> bytes:
            return page_live.render(
                storage, now=time.time(), events=f"{_API}/sweeps/{sweep}/events", data=f"{_API}/sweeps/{sweep}/page"
            ).encode()

        return kept(request, storage, make, kind="text/html; charset=utf-8")

    @service.get(f"{_API}/sweeps", tags=["sweeps"], response_model=list[Winner])
    def sweeps() -> Response:
        """Every sweep with its leader, each followed by its finals."""

        def make() -> bytes:
            found = [asdict(winner) | {"remark": within(winner.remark)} for winner in winners.winners(runs)]
            return json.dumps(found, ensure_ascii=False).encode()

        return Response(answers.get("sweeps", _listing_stamp(runs), make), media_type="application/json")

    @service.get(f"{_API}/sweeps/{{sweep}}", tags=["sweeps"])
    def sweep_overview(sweep: str) -> Overview:
        """Where a sweep stands."""
        return overview.overview(opened(sweep), time.time())

    @service.get(f"{_API}/sweeps/{{sweep}}/leaderboard", tags=["sweeps"], response_model=list[dict[str, Any]])
    def board(request: Request, sweep: str, limit: Limit = 1_000, offset: Offset = 0) -> Response:
        """Its trials, best first; the columns of `leaderboard.parquet`. `X-Total-Count` says how many there are."""
        storage = opened(sweep)
        answer = kept(request, storage, lambda: tables.json_text(leaderboard.read_table(storage).slice(offset, limit)).encode())
        answer.headers["x-total-count"] = str(leaderboard.read_table(storage, columns=["trial"]).num_rows)
        return answer

    @service.get(f"{_API}/sweeps/{{sweep}}/curves", tags=["sweeps"], response_model=list[dict[str, Any]])
    def told(request: Request, sweep: str, trial: Annotated[list[str], Query(max_length=200, description="Ids of trials.")]) -> Response:
        """One row per epoch of the trials named; the columns of `curves.parquet`."""
        storage = opened(sweep)

        def make() -> bytes:
            table = curves.read_table(storage)
            return tables.json_text(
                table.filter(pc.is_in(table["trial"], value_set=pa.array(trial, pa.string()))).slice(0, MAX_ROWS)
            ).encode()

        return kept(request, storage, make)

    @service.get(f"{_API}/sweeps/{{sweep}}/trials/{{trial}}", tags=["sweeps"])
    def one_trial(sweep: str, trial: str) -> dict[str, Any]:
        """Everything that is known of a trial: configuration, curve, decisions, segments, failures, log."""
        storage = opened(sweep)
        history = excerpt.excerpt(storage, [trial])
        if (record := history.trials.get(trial)) is None:
            raise HTTPException(404, f"{sweep} has no trial {trial!r}")
        found = leaderboard.read_table(storage, columns=["rank", "trial"])
        rank = dict(zip(found["trial"].to_pylist(), found["rank"].to_pylist(), strict=True)).get(trial)
        return trial_text.as_data(record, rank)

    @service.get(f"{_API}/sweeps/{{sweep}}/page", tags=["sweeps"], response_model=dict[str, Any])
    def page_data(request: Request, sweep: str) -> Response:
        """What the report of a sweep shows."""
        storage = opened(sweep)
        return kept(request, storage, lambda: page_live.data(storage, now=time.time()).encode())

    @service.get(f"{_API}/sweeps/{{sweep}}/events", tags=["sweeps"], response_class=StreamingResponse)
    def events(sweep: str) -> StreamingResponse:
        """Server-sent events: `state` when anything has changed, `error` when the sweep cannot be read."""
        storage = opened(sweep)
        try:
            stream = streams.follow(sweep, lambda: storage)
        except Full as error:
            raise HTTPException(503, str(error), {"Retry-After": "10"}) from error
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    return service


def _driver_stamp(storage: Storage) -> str:
    """Return what changes when a driver comes or goes: without one, the tables mean something else."""
    holder = lock.holder(storage)
    return "" if holder is None else f"{holder.host}.{holder.pid}"


def _listing_stamp(runs: Path) -> str:
    """Return what changes when a sweep, its table or its finals do."""
    parts = []
    for name in stored_sweeps(runs):
        storage = Storage(runs / name)
        parts += [name, live.table_version(storage), _driver_stamp(storage)]
    return " ".join(parts)


def guarded(runs: Path, *, token: str, hosts: Iterable[str] = (), port: int = 0) -> Access:
    """Return the application behind its guard. Arguments and errors as in `Access` and `app`."""
    return Access(app(runs), token=token, hosts=hosts, port=port)
