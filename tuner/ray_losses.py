"""Why a worker went away, in one line, and whether its whole node did: then nothing speaks against the trial that it trained."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.exceptions import RayActorError

# What Ray says of an actor whose node is gone; pinned by a test on a cluster that loses nodes.
NODE_LOST = "its node has died"
# What its memory monitor says of a worker that it has ended.
NO_MEMORY = "low on memory"
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


def of(trial: Any) -> Loss:
    """Return why one of Ray's trials has lost its worker: Tune, in this process, has just put the error into its scratch folder."""
    if trial.pickled_error_file is None:
        return Loss(UNKNOWN)
    try:
        error = pickle.loads(Path(trial.pickled_error_file).read_bytes())
    except (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError):  # of a class that only the worker has
        return Loss(UNKNOWN)
    text = str(error)
    if isinstance(error, RayActorError):
        if error.preempted:
            return Loss("its node was taken away, as had been announced", node_lost=True)
        if NODE_LOST in text:
            return Loss("its node went away", node_lost=True)
        if error.actor_init_failed:
            return Loss(f"the worker could not start: {text.strip().splitlines()[-1].strip()}")
    if NO_MEMORY in text:
        return Loss("Ray ended the worker process, its node was low on memory")
    return Loss(UNKNOWN)
