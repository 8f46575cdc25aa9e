"""How long a forward pass takes here: of an untrained network, whose time is that of a trained one, or of a finished one."""

import statistics
import time

import torch
from torch import nn

from trainable import family, rng
from trainable.config.train import TrainConfig

WARM_UP = 3  # passes that load libraries and fill caches; of a slow network half of the passes at most
PASSES = 20
LONGEST_S = 5.0  # a slow network is measured by fewer passes, one at least


def forward_ms(config: TrainConfig, image: tuple[int, int, int], num_classes: int, *, batch_size: int = 1) -> float:
    """Return the median milliseconds of a forward pass in float32, on the GPU where there is one, else on the CPU's present threads.

    Args:
        config: Its network is measured.
        image: Channels, height and width.
        num_classes: Logits per image.
        batch_size: Images of one pass, >= 1.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with rng.seeded(config.seed, 0, "weights", torch.device("cpu")):
        module = family.build(config.model, image=image, num_classes=num_classes, dropout=config.dropout)
    module = module.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]  # torch's stub forgets this form
    return module_ms(module, image, batch_size=batch_size)


def module_ms(module: nn.Module, image: tuple[int, int, int], *, batch_size: int) -> float:
    """Return the median milliseconds of a network's forward pass where it lies, in evaluation mode.

    Args:
        module: Anything that takes images_BCHW; channels_last.
        image: Channels, height and width.
        batch_size: Images of one pass, >= 1.
    """
    module.eval()
    device = next(module.parameters()).device
    images_BCHW = torch.zeros((batch_size, *image), device=device).to(memory_format=torch.channels_last)
    seen: list[float] = []
    began = time.perf_counter()
    with torch.inference_mode():
        while len(seen) < 2 or (len(seen) < WARM_UP + PASSES and time.perf_counter() - began < LONGEST_S):
            started = time.perf_counter()
            module(images_BCHW)
            if device.type == "cuda":
                torch.cuda.synchronize()
            seen.append(time.perf_counter() - started)
    return statistics.median(seen[min(WARM_UP, len(seen) // 2) :]) * 1000
