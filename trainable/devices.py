"""Which GPUs torch sees, and through which driver. For whoever looks whether a machine is fit to train."""

import torch


def gpus() -> list[dict[str, object]]:
    """Return name, memory in bytes and compute capability of each GPU; none where torch sees none."""
    found: list[dict[str, object]] = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        about = torch.cuda.get_device_properties(index)
        found.append({"name": about.name, "memory_bytes": about.total_memory, "capability": f"{about.major}.{about.minor}"})
    return found


def cuda() -> str | None:
    """Return the CUDA version that torch was built for; None for a build without."""
    return torch.version.cuda


def computes(index: int) -> str | None:
    """Return None where a GPU computes, else why not: a driver that is too old is found by trying only."""
    try:
        device = torch.device("cuda", index)
        seen = float(torch.ones(8, device=device).sum())
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return None if seen == 8.0 else f"the sum of eight ones is {seen}"
