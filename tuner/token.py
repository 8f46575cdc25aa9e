"""Tokens: who may talk to Ray. Ours for the private instance of a command, somebody's for a cluster. No ray here.

Whoever reaches a Ray instance's ports and knows its token runs code as its user, so a token file that others can read is refused, as
ssh refuses such a key; Ray itself looks at neither owner nor mode, and writes the token that it generates with mode 0644.
"""

import atexit
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

from tuner.errors import UsageError

NAME = "ray_token"
SHORTEST = 32  # characters of a token of ours; a cluster's is as its owner made it

LONGEST = 20  # characters: names of sockets have 107 at most, Ray adds some 65 and we `/shortlist-1000/ray`

MODE, VALUE, FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"  # as Ray reads them


def folder() -> Path:
    """Return where our own token lies (XDG Base Directory Specification).

    Raises:
        RuntimeError: The user has no home.
    """
    xdg = os.environ.get("XDG_CONFIG_HOME")
    return (Path(xdg) if xdg else Path.home() / ".config") / "shortlist"


def own() -> Path:
    """Return the file with the token of private instances, made where it is missing.

    Where there is no home, or it cannot be written to, the file lies in a temporary folder of this process and goes with it: a private
    instance lives no longer.

    Raises:
        UsageError: It is there and must not be used.
    """
    try:
        return ensure(folder() / NAME)
    except (OSError, RuntimeError):
        path = Path(tempfile.mkdtemp(prefix="shortlist-"))  # mode 0700
        atexit.register(shutil.rmtree, path, ignore_errors=True)
        return ensure(path / NAME)


def ensure(path: Path) -> Path:
    """Make the token file, readable by its owner alone, unless it is there.

    It appears with its content or not at all, so that of two commands that start at once neither reads half a token, nor do they use two.

    Raises:
        UsageError: It is there and must not be used, see `check`.
        OSError: It cannot be made.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())
            if not path.exists():
                try:
                    os.link(temporary, path)  # unlike a rename it never replaces a token that is in use
                except FileExistsError:
                    pass
                except OSError:  # a file system without hard links
                    Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    check(path, shortest=SHORTEST)
    return path


def check(path: Path, *, shortest: int = 1) -> None:
    """Raise unless the file holds a token, of so many characters at least, that only this user can have read.

    A file of another user (root's, in a container) is not ours to judge.

    Raises:
        UsageError: It is missing, too open, or holds no token; the message has the remedy. The token itself is never shown.
    """
    try:
        about = path.stat()
        content = path.read_text().strip()
    except FileNotFoundError as error:
        raise UsageError(f"token file {path}: no such file; copy the cluster's token there, mode 0600, or unset {FILE}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"token file {path}: cannot be read ({getattr(error, 'strerror', None) or 'not text'})") from error
    if about.st_uid == os.getuid() and (mode := stat.S_IMODE(about.st_mode)) & 0o077:
        raise UsageError(f"token file {path}: mode {mode:04o}, others may read it, must be 0600; chmod 600 {path}, or make a new token")
    if len(content) < shortest or content.split() != [content]:
        remedy = "delete it, the next command makes a new one" if path.name == NAME else "copy the cluster's token there"
        raise UsageError(f"token file {path}: {len(content)} characters, must be a token of {shortest} or more without blanks; {remedy}")


def private_folder() -> Path:
    """Return the folder for the sockets and logs of private instances, which only this user can enter.

    Ray opens the folder that it is given, and all that it keeps there, to every user of the machine, sockets that ask for no token among
    it: give it one below this.
    """
    base = Path(tempfile.gettempdir())
    if len(str(base)) > LONGEST:
        base = Path("/tmp")
    path = base / f"shortlist-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    about = path.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:  # somebody was there first
        path = Path(tempfile.mkdtemp(prefix="shortlist-", dir=base))
        atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def for_private(path: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Have a private instance that this process starts ask for the token in a file."""
    environment[MODE] = "token"
    environment[FILE] = str(path)
    environment.pop(VALUE, None)  # Ray would take it instead of the file


def for_cluster(environment: MutableMapping[str, str] = os.environ) -> None:
    """Send the user's token to a cluster, where the user has one, and check its file first: Ray crashes where it is missing.

    Ray looks for RAY_AUTH_TOKEN, for the file RAY_AUTH_TOKEN_PATH, then for ~/.ray/auth_token, but only in mode `token`, which it does not
    take by itself when it talks to a dashboard. `RAY_AUTH_MODE=disabled` sends none.

    Raises:
        UsageError: The file must not be used.
    """
    file = environment.get(FILE)
    default = Path(environment.get("HOME", "/nonexistent"), ".ray", "auth_token")
    known = bool(environment.get(VALUE) or file or default.is_file())
    if environment.setdefault(MODE, "token" if known else "disabled") != "token" or environment.get(VALUE):
        return
    if known:
        check(Path(file) if file else default)
        return
    raise UsageError(f"{MODE}=token, and there is no token: set {FILE} to a file that holds the cluster's, mode 0600, or {VALUE}")
