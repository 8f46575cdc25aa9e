"""Follow sweeps live: watch in the terminal, serve for browsers and programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.arguments import Runs, Stored

if TYPE_CHECKING:
    import socket


def watch(
    sweep: Stored,
    storage: Runs = Path("runs"),
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, as where the output is no terminal.")] = False,
) -> None:
    """Follow a running sweep in the terminal: progress, rungs, leaders, workers, what has just happened.

    From any machine that sees its storage: it only reads files. It ends with the sweep; q leaves before, and disturbs nothing.
    Example: `shortlist watch digits` or `shortlist watch digits --storage s3://bucket/runs`
    """
    import sys
    import time

    from rich.console import Console

    from results import overview_text, watch_terminal
    from results.storage import find_sweep
    from results.terminal import Terminal
    from tuner.cli.review import spoken

    place = find_sweep(sweep, storage)
    console = Console(highlight=False)
    live = console.is_interactive and sys.stdout.isatty() and not plain
    with watch_terminal.keys() as wait:
        view = watch_terminal.Follower(place, console=console, live=live).follow(wait)
    lines = overview_text.lines(view.seen, terminal=Terminal.of(sys.stdout), now=time.time(), argument=spoken(place, storage))
    print("\n".join(lines))


def serve(
    storage: Runs = Path("runs"),
    host: Annotated[str, typer.Option("--host", help="Address to listen at.", metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.", metavar="PORT")] = 8484,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="A name by which browsers may call this service. May be repeated.", metavar="NAME"),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", help="Better set SHORTLIST_TOKEN; random without.", metavar="TOKEN", envvar="SHORTLIST_TOKEN", show_envvar=False
        ),
    ] = None,
) -> None:
    """Show all sweeps in the browser, live, and as JSON below /api/v1.

    It only reads files, so it may run on any machine that sees the storage, also while sweeps run. Every request needs the token that is
    in the address it prints. Example: `shortlist serve` or, from another machine, `ssh -L 8484:localhost:8484 HOST shortlist serve`
    """
    import sys

    import uvicorn

    from results import access, mirror, places, service
    from tuner.errors import UsageError

    if mirror.of(storage) is None and not storage.is_dir():
        raise UsageError(f"{storage}: no such folder; name the one that holds the sweeps with --storage")
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    secret = token or access.new_token()
    guarded = service.guarded(storage, token=secret, hosts=[host, *(allow_host or ())], port=port)
    name = f"[{host}]" if ":" in host else host
    print(f"sweeps of {places.address(storage)}/ at http://{name}:{port}/" + (f"?token={secret}" if token is None else ""))
    if host not in access.LOOPBACK:
        print(
            "without encryption, whoever is on the way can read along: better listen at 127.0.0.1 behind ssh or a TLS proxy",
            file=sys.stderr,
        )
    print("Ctrl-C ends it; the sweeps go on", flush=True)
    # No access log: it would hold the token of the first request.
    config = uvicorn.Config(
        guarded, log_level="warning", access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=2, ws="none"
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)


def _listen(host: str, port: int) -> "socket.socket":
    """Return an open port.

    Raises:
        UsageError: It is taken, or the address is not this machine's.
    """
    import socket

    from tuner.errors import UsageError

    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UsageError(f"cannot listen at {host}, port {port}: {error.strerror or error}; name another with --host or --port") from error
