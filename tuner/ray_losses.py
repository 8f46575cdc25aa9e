"""Why a worker went away, in one line, and whether its whole node did: then nothing speaks against the trial that it trained.

Ray's words are all there is to tell by; a test on a cluster that loses workers and nodes holds them against Ray.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

NODE_DIED = "its node has died"
WORKER_DIED = ("its worker process has died", "killed by `ray.kill`")
NO_MEMORY = "low on memory"  # its memory monitor has ended the process
NOT_STARTED = "raised in its creation task"

UNKNOWN = "the worker process went away"


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a worker went away.

    Attributes:
        reason: One line.
        node_lost: Whether its node went away, announced or not.
    """

    reason: str
    node_lost: bool = False


def of(trial: Any, *, node_left: bool) -> Loss:
    """Return why one of Ray's trials has lost its worker.

    Args:
        trial: The trial; Tune has just written the error into its scratch folder, as text.
        node_left: Whether a node has left lately, or was announced to.
    """
    try:
        text = Path(trial.error_file or "").read_text(encoding="utf-8")
    except OSError:
        return Loss(UNKNOWN)
    return told(text, node_left=node_left)


def told(text: str, *, node_left: bool) -> Loss:
    """Return what Ray's text about an actor that died comes to; see `of`."""
    if NODE_DIED in text:
        return Loss("its node went away", node_lost=True)
    if NO_MEMORY in text:
        return Loss("Ray ended the worker process, its node was low on memory")
    if NOT_STARTED in text:
        return Loss(f"the worker could not start: {text.strip().splitlines()[-1].strip()}")
    # Of a node that was taken away as had been announced Ray gives no cause at all.
    if node_left and not any(words in text for words in WORKER_DIED):
        return Loss("its node was taken away", node_lost=True)
    return Loss(UNKNOWN)
