"""Memory: how much a trial took at most, and what it looks like when there is none left."""

import ctypes
import functools
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from trainable.errors import OutOfMemory

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

# How torch's CPU allocator and oneDNN say it; they raise a plain RuntimeError.
CPU_MESSAGES = ("can't allocate memory", "not enough memory", "could not create a memory object")


def give_back() -> None:
    """Return memory that nothing uses any more to the device and to the system: other workers may need it."""
    torch.cuda.empty_cache()  # does nothing where there is no GPU
    # Between two trials of different size glibc keeps the first one's freed pages, up to 120 MiB for 200 MiB of activations (measured).
    with suppress(AttributeError, OSError):  # other systems' C libraries do not know it
        ctypes.CDLL(None).malloc_trim(0)


def device_bytes() -> int | None:
    """Return the memory of the GPU that this process sees first; None where it sees none."""
    return int(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else None


def reset_peak(device: torch.device) -> None:
    """Let `peak_bytes` begin anew; where the system cannot do that for a process, it goes on from the highest so far."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):  # Linux only, and not in every container
            Path("/proc/self/clear_refs").write_text("5")


def peak_bytes(device: torch.device) -> int:
    """Return the most memory in use since `reset_peak`: of this process on the device (CUDA), or of the whole process (CPU)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
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
            if not is_out_of_memory(error):
                raise
            reason = (str(error).splitlines() or ["no memory left"])[0]
        # Raised outside the handler: the old error's traceback would keep alive the tensors that did not fit.
        raise OutOfMemory(reason)

    return guarded


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error of torch's means that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in CPU_MESSAGES)
