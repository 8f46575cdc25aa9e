"""Whether a sweep is ready for what comes after the search."""

from results import lock
from results.storage import Storage
from tuner.errors import UsageError

# Folder below a sweep's -> the command that fills it.
COMMANDS = {"finals": "promote", "confirmations": "confirm"}


def refuse_while_running(storage: Storage, name: str, *, to: str) -> None:
    """Raise while a driver is at work on a sweep: its order may still change, and its workers are taken.

    Args:
        storage: The sweep's folder.
        name: How the user calls it.
        to: What was to be done, such as `promote its first trials`.

    Raises:
        UsageError: One is.
    """
    if (driver := lock.holder(storage)) is not None:
        raise UsageError(
            f"{name} is still searched, by process {driver.pid} on {driver.host}: wait for its end to {to}, stop it with "
            f"`shortlist stop {name}`, or name trials with --trial"
        )


def refuse_parts(storage: Storage) -> None:
    """Raise where a folder is a final or a confirmation: it goes on with the command that began it, which does more than train.

    Raises:
        UsageError: It is one; the message names the command.
    """
    for folder in storage.root.resolve().parents:
        command = COMMANDS.get(folder.name)
        if command is not None and (folder.parent / "sweep.json").exists():
            again = f"shortlist {command} {folder.parent}"
            raise UsageError(f"{storage} is one of the {folder.name} of a sweep; it goes on with the same `{again}` as before")
