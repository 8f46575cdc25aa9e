"""Before anything is paid for: can the storage be written to, and is it the same one wherever it is asked for? No ray, no torch.

A token is written, read, written again where that must be refused, answered from each node, and deleted: what a sweep rests on is
tried, not assumed.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from results.errors import Changed, ResultsError
from results.mirror import Mirror
from results.redact import redacted
from results.storage import Storage
from tuner.errors import UsageError

FOLDER = ".probe"


def writable(storage: Storage) -> None:
    """Try the storage from here; leave no trace.

    Raises:
        UsageError: What was written reads differently, or an object store does not honour conditional writes.
        OSError: There is no such bucket, it does not answer, or it cannot be written to; a folder cannot be made or written to.
    """
    with token(storage) as (name, content):
        if storage.read_now(name) != content:
            raise UsageError(
                f"{storage}: what was written there reads differently; the storage cannot be used, name another with --storage"
            )
        if storage.mirror is not None:
            _require_conditions(storage.mirror, name)


@contextmanager
def token(storage: Storage) -> Iterator[tuple[str, bytes]]:
    """Write a token; delete it, its answers and the folders that were made for it in the end. Errors as in `writable`."""
    name, content = f"{FOLDER}/{uuid.uuid4().hex}", uuid.uuid4().bytes
    made = [folder for folder in (storage.root / FOLDER, storage.root, *storage.root.parents) if not folder.exists()]
    try:
        _put(storage, name, content)
        yield name, content
    finally:
        _clean(storage, name)
        for folder in made:  # the innermost first; one that is in use by now is not empty
            if storage.mirror is None and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def answer(address: str, name: str, content: bytes, node: str) -> str | None:
    """Look for the token from a node, and answer it; return what is wrong, in words, or None.

    Args:
        address: The storage, see `Storage.address`.
        name: The token's file.
        content: What must be in it.
        node: Names the answer.
    """
    try:
        storage = Storage.at(address, follow=False)
        if storage.read_now(name) != content:
            return "read something else than was written: another storage of the same name"
        _put(storage, f"{name}.{node}", content)
    except FileNotFoundError:
        return "did not find what the driver had written"
    except (OSError, ResultsError, ValueError) as error:
        return redacted(str(error))
    return None


def answered(storage: Storage, name: str, content: bytes, node: str) -> bool:
    """Return whether the driver sees the answer of a node."""
    try:
        return storage.read_now(f"{name}.{node}") == content
    except FileNotFoundError:
        return False


def _put(storage: Storage, name: str, content: bytes) -> None:
    """Write a file; on an object store there alone, not in a local copy."""
    if storage.mirror is None:
        storage.write_atomic(name, content)
    else:
        storage.mirror.store.put(storage.mirror.key(name), content)


def _clean(storage: Storage, name: str) -> None:
    if storage.mirror is not None:
        store = storage.mirror.store
        store.delete([found.key for found in store.list_below(storage.mirror.key(name))])
        return
    for path in (storage.root / FOLDER).glob(f"{Path(name).name}*"):
        path.unlink(missing_ok=True)


def _require_conditions(mirror: Mirror, name: str) -> None:
    """Raise unless a write whose condition does not hold is refused: that keeps two drivers from writing to one sweep."""
    for new, instead_of in ((True, None), (False, '"another"')):
        try:
            mirror.store.put(mirror.key(name), b"must be refused", new=new, instead_of=instead_of)
        except Changed:
            continue
        raise UsageError(
            f"{mirror.address}: this object store does not look at the condition of a conditional write (If-None-Match, If-Match), so "
            "two drivers could write to one sweep; use a folder, or a store that honours them (S3, MinIO, Cloudflare R2)"
        )
