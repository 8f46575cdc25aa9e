"""A real S3 server on this machine (moto's), a proxy in front of it that fails as networks and stores do, and machines of one's own."""

import http.client
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from results import mirror, object_store

SECRET = "not-so-secret-key-of-the-tests"

# What a proxy does with a request: passes it on (None), answers with a status, breaks the connection before the store hears of it (`reset`)
# or after it has done what was asked (`deaf`), or waits so many seconds first.
Fault = int | float | str | None


@contextmanager
def server() -> Iterator[str]:
    """Run an S3 server with an empty bucket `sweeps`, and let this process use it; yield its URL."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
    running.start()
    host, port = running.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        with using(url):
            client().create_bucket(Bucket="sweeps")
            yield url
    finally:
        running.stop()


@contextmanager
def using(url: str) -> Iterator[None]:
    """Let this process, and those that it starts, find their object store at a URL."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        forget()
        yield
    forget()


def forget() -> None:
    """Forget connections and mirrors, as another process would."""
    object_store.bucket.cache_clear()
    mirror._known.cache_clear()


@contextmanager
def machine(folder: Path) -> Iterator[None]:
    """Be a process on another machine, as far as local copies go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHORTLIST_CACHE", str(folder))
        yield


def client() -> Any:
    """Return a plain client of the server, to look behind our own code's back."""
    import boto3

    return boto3.client("s3")


def keys(prefix: str = "") -> list[str]:
    """Return the keys in the bucket that begin so."""
    return [entry["Key"] for entry in client().list_objects_v2(Bucket="sweeps", Prefix=prefix).get("Contents", ())]


class FaultyProxy:
    """Passes requests on to a server, except where `fault`, which is given method and path, says what goes wrong."""

    def __init__(self, url: str) -> None:
        self.fault: Callable[[str, str], Fault] = lambda method, path: None
        self.requests: list[str] = []
        self.drops_conditions = False  # like a store that has never heard of them
        target = url.removeprefix("http://")
        proxy = self

        class Handler(_Handler):
            pass

        Handler.target, Handler.proxy = target, proxy
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target: ClassVar[str]
    proxy: ClassVar[FaultyProxy]

    def _pass_on(self) -> None:
        proxy = self.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy.requests.append(f"{self.command} {self.path}")
        fault = proxy.fault(self.command, self.path)
        if fault == "reset":
            self._reset()
            return
        if isinstance(fault, float):
            time.sleep(fault)
        elif isinstance(fault, int):
            code = {403: "AccessDenied", 503: "SlowDown", 500: "InternalError"}[fault]
            self._answer(fault, {"Content-Type": "application/xml"}, f"<Error><Code>{code}</Code><Message>later</Message></Error>".encode())
            return
        dropped = ("host", "if-match", "if-none-match") if proxy.drops_conditions else ("host",)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        connection = http.client.HTTPConnection(self.target, timeout=30)
        connection.request(self.command, self.path, body, {**headers, "Host": self.target})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if fault == "deaf":
            self._reset()
            return
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in ("connection", "transfer-encoding")}
        self._answer(answer.status, headers, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in ({**headers, "Content-Length": str(len(content))} if self.command != "HEAD" else headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing sends a reset
        self.close_connection = True
        self.connection.close()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on
