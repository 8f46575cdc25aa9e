"""A real server on a free port of this machine, in a thread, for tests of the web service."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from results.access import Access
from results.live import Feeds
from results.service import app

TOKEN = "a-token-for-tests-only"


@contextmanager
def serving(runs: Path, **options: Any) -> Iterator[tuple[httpx.Client, Feeds]]:
    """Serve a storage folder; give a client that has the token, and the streams."""
    feeds = Feeds(look_s=0.1, **options)
    guarded = Access(app(runs, feeds=feeds), token=TOKEN, hosts=["sweeps.example"], port=8484)
    server = uvicorn.Server(uvicorn.Config(guarded, port=0, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {TOKEN}"}, timeout=30) as client:
            yield client, feeds
    finally:
        server.should_exit = True
        thread.join()
