"""Memory: how much a trial took at most, and what it looks like when there is none left."""

import functools
import resource
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

from trainable.errors import OutOfMemory

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

# How torch's CPU allocator and oneDNN say it; they raise a plain RuntimeError.
CPU_MESSAGES = ("can't allocate memory", "not enough memory", "could not create a memory object")


def peak_bytes(device: torch.device) -> int:
    """Return the most memory in use so far: of this process on the device (CUDA), or of the whole process (CPU)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Kibibytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def says_out_of_memory(work: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Let a function raise OutOfMemory where torch raises one of its own several errors."""

    @functools.wraps(work)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        try:
            return work(*args, **kwargs)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            reason = (str(error).splitlines() or ["no memory left"])[0]
        # Raised outside the handler: the old error's traceback would keep alive the tensors that did not fit.
        raise OutOfMemory(reason)

    return guarded


def _is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in CPU_MESSAGES)
