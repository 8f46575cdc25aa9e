"""The command `shortlist`: one group, its exit codes, its way of telling errors.

    init validate plan schema    cli/prepare.py
    run resume                   cli/launch.py
    submit logs                  cli/remote.py
    status stop extend note tag untag hide unhide    cli/attend.py
    leaderboard show compare winners export replay   cli/review.py
    watch serve                  cli/follow.py
    report                       cli/pages.py
    confirm promote              cli/finish.py
    ensemble                     cli/ensemble.py
    predict verify               cli/deliver.py
    doctor gc                    cli/operate.py

Only typer is imported on top, here and in the files above: `--help` answers at once.
"""

import atexit
import contextlib
import errno
import os
import sys
import threading
from typing import Annotated, NoReturn

import typer

from tuner.cli import attend, deliver, ensemble, finish, follow, launch, operate, pages, prepare, remote, review

# Errors of the file system that another path or other rights mend; a full disk is none.
USER_MENDS = frozenset({errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.EPERM, errno.EROFS})
# What the user does about some of them.
REMEDIES = (
    ({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}, "; make room, then go on with: shortlist resume"),
    ({errno.EROFS, errno.EACCES, errno.EPERM}, "; make it writable for this user, or name another folder with --storage"),
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(prepare.init)
app.command()(prepare.validate)
app.command()(prepare.plan)
app.command()(prepare.schema)
app.command()(launch.run)
app.command()(launch.resume)
app.command()(remote.submit)
app.command()(remote.logs)
app.command()(attend.status)
app.command()(follow.watch)
app.command()(follow.serve)
app.command()(attend.stop)
app.command()(attend.extend)
app.command()(attend.note)
app.command()(attend.tag)
app.command()(attend.untag)
app.command()(attend.hide)
app.command()(attend.unhide)
app.command()(review.leaderboard)
app.command()(review.show)
app.command()(review.compare)
app.command()(review.winners)
app.command()(review.export)
app.command()(review.replay)
app.command()(pages.report)
app.command()(finish.confirm)
app.command()(finish.promote)
app.command()(ensemble.ensemble)
app.command()(deliver.predict)
app.command()(deliver.verify)
app.command()(operate.doctor)
app.command()(operate.gc)


@app.callback()
def shortlist(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    """Hyperparameter search on Ray Tune: a sweep file goes in, a leaderboard says who is ahead, a winner is promoted.

    Exit codes: 0 done · 1 the run failed · 2 the file or the call is wrong · 3 a gate was not met · 4 the cluster cannot be reached ·
    130 interrupted, go on with `shortlist resume`.
    """
    if version:
        from importlib.metadata import version as installed

        print(f"shortlist {installed('shortlist')}")
        raise typer.Exit
    if debug:
        os.environ["SHORTLIST_DEBUG"] = "1"


def main() -> NoReturn:
    """Run the command line, and end this process with its exit code."""
    code = answer()
    if "torch" in sys.modules:
        _leave(code)
    sys.exit(code)


def answer() -> int:
    """Run the command line and return its exit code; every error is one line that says what, where and what to do."""
    from results.redact import redact_logs

    redact_logs()
    try:
        app(standalone_mode=True)
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("SHORTLIST_DEBUG"):
            raise
        return _explain(error)
    return 0


def _leave(code: int) -> None:
    """End the process without Python's taking apart of all that torch and Ray have loaded, which takes a second or two.

    Threads are awaited and exit functions called as always. Returns where output cannot be written out: Python says so in its own way.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            thread.join()
    atexit._run_exitfuncs()  # there is no public way
    with contextlib.suppress(OSError, ValueError):  # what the command said is out
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _explain(error: Exception) -> int:
    """Print an error for people and return the exit code of its class."""
    from results.errors import ResultsError
    from results.redact import redacted
    from search_spaces.errors import SweepError
    from tuner.errors import TunerError

    if isinstance(error, SweepError):
        print(error, file=sys.stderr)
        number = len(error.mistakes)
        print(f"{number} mistake{'s' if number > 1 else ''}; nothing was started", file=sys.stderr)
        return 2
    if isinstance(error, OSError):
        remedy = next((text for numbers, text in REMEDIES if error.errno in numbers), "")
        print(redacted(f"shortlist: {error.filename or 'the system says'}: {error.strerror or error}{remedy}"), file=sys.stderr)
        return 2 if error.errno in USER_MENDS else 1
    print(redacted(f"shortlist: {error}"), file=sys.stderr)
    match error:
        case TunerError():
            return error.exit_code
        case ResultsError() | ValueError():
            return 2
        case _:
            print("shortlist: this is not an error we foresaw; `shortlist --debug ...` shows where it happened", file=sys.stderr)
            return 1
