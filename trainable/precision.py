"""Which number format the forward pass computes in.

`auto` is bfloat16 wherever the hardware computes in it, whatever the network: it costs the smallest 3 % and saves the others up to
half. Milliseconds of a step (forward, backward, SGD; channels_last), float32 -> bfloat16, on an AMD EPYC with avx512_bf16, one thread,
torch 2.15: blocks [1,1], 16 channels, 8x8 pixels, batch 32: 2.03 -> 2.09; on 32x32 pixels, batch 128, blocks [1,1,1], 8 channels:
40.7 -> 33.7; 16: 94.6 -> 54.4; 32: 252 -> 136; blocks [3,3,3], 64 channels, batch 64: 1132 -> 629.

Tried there and left out, because it gains nothing: oneDNN's own rounding of float32 to bfloat16 (`mkldnn.conv.fp32_precision`; 8
channels: 44.9 beside 44.2 without) and flushing denormal numbers to zero (32.8 beside 33.2). On CUDA nothing has been measured yet.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import torch

from trainable.errors import ModelError

# tf32: float32 in memory; CUDA rounds what it multiplies to 10 bits. Where there is no such hardware it is float32.
NumberFormat: TypeAlias = Literal["float32", "tf32", "bfloat16", "float16"]

LOW: dict[NumberFormat, torch.dtype] = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def number_format(precision: Literal["auto", "float32", "tf32", "bfloat16", "float16"], device: torch.device) -> NumberFormat:
    """Return the format that a configuration's `precision` means on this device.

    Raises:
        ModelError: The device does not train in that format.
    """
    if precision == "auto":
        return "bfloat16" if _computes_bfloat16(device) else "float32"
    if precision == "float16" and device.type == "cpu":  # emulated: 12 times slower than float32 (measured)
        raise ModelError("precision: float16, must be float32, bfloat16 or auto on a CPU, which does not compute in float16; take auto")
    return precision


def autocast(device: torch.device, number_format: NumberFormat) -> torch.autocast:
    """Return a context in which convolutions and linear layers compute in a 16-bit format; for the others it changes nothing."""
    return torch.autocast(device.type, dtype=LOW.get(number_format), enabled=number_format in LOW)


@contextmanager
def float32_products(number_format: NumberFormat) -> Iterator[None]:
    """Let CUDA multiply float32 numbers in full, or in tf32; backward passes belong in here, too.

    Torch's own default is tf32 in convolutions and float32 elsewhere, which is neither.
    """
    kernels = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]  # torch's stub forgets conv
    before = [kernel.fp32_precision for kernel in kernels]
    for kernel in kernels:
        kernel.fp32_precision = "tf32" if number_format == "tf32" else "ieee"
    try:
        yield
    finally:
        for kernel, precision in zip(kernels, before, strict=True):
            kernel.fp32_precision = precision


def gradient_scaler(device: torch.device, number_format: NumberFormat) -> torch.amp.GradScaler:
    """Return what keeps small gradients from vanishing in float16: it multiplies the loss, and skips a step whose gradients overflow.

    In the other formats it does nothing and has no state. It must not meet torch's fused SGD, which begins with an uninitialised
    momentum where its very first step is skipped (torch 2.15); unfused SGD, which float16 gets, and fused Adam are right.
    """
    return torch.amp.GradScaler(device.type, enabled=number_format == "float16")


def _computes_bfloat16(device: torch.device) -> bool:
    """Say whether the hardware multiplies bfloat16 numbers itself; elsewhere the format is emulated, and slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Private names, and not all of them in every release: a processor that cannot be asked counts as one without bfloat16.
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, question, lambda: False)()) for question in questions)
