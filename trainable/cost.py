"""What an architecture costs, counted on the meta device: nothing is allocated, however large the network."""

import logging

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from trainable.builder import reason
from trainable.config.builder import BuilderConfig
from trainable.config.cost import ArchitectureCost
from trainable.config.model import ModelConfig
from trainable.errors import ModelError
from trainable.family import build

logger = logging.getLogger(__name__)

# Batch norm refuses to train on one value per channel, so two images are the fewest that pass through every network.
FEWEST_IMAGES = 2


def measure(model: ModelConfig, image: tuple[int, int, int], num_classes: int) -> ArchitectureCost:
    """Count one network's parameters, operations and activations. Takes milliseconds.

    A network of the user's that cannot be run on the meta device is built and counted on the CPU.

    Args:
        model: The network in words.
        image: Channels, height and width of one image.
        num_classes: Logits per image.

    Raises:
        ModelError: There is no such network for these images, or the user's network is not what it must be.
    """
    if not isinstance(model, BuilderConfig):
        return _measured(model, image, num_classes, "meta")
    try:
        return _measured(model, image, num_classes, "meta")
    except Exception as error:
        if isinstance(error, ModelError) and error.__cause__ is None:
            raise  # we have found it wrong ourselves
        # It looks at its values, or makes tensors on a device of its choice. If it is simply wrong, the CPU says so, too.
        logger.info("%s is counted on the CPU: %s", model.builder, error)
    with torch.random.fork_rng(devices=[]):
        try:
            return _measured(model, image, num_classes, "cpu")
        except ModelError:
            raise
        except Exception as error:
            size = " by ".join(map(str, (FEWEST_IMAGES, *image)))
            raise ModelError(f"builder is {model.builder}, must map images of {size} to logits: {reason(error)}") from error


def _measured(model: ModelConfig, image: tuple[int, int, int], num_classes: int, device: str) -> ArchitectureCost:
    with torch.device(device):
        module = build(model, image=image, num_classes=num_classes, dropout=0.0)
        with FlopCounterMode(display=False) as counter:
            logits_BK, fewest_bytes = _forward(module, FEWEST_IMAGES, image)
        if isinstance(model, BuilderConfig):
            _check_logits(model, logits_BK, num_classes)
        # What is saved once per batch (statistics of the norms) cancels out in the difference.
        _, more_bytes = _forward(module, FEWEST_IMAGES + 1, image)
    return ArchitectureCost(
        parameters=sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad),
        flops_per_image=counter.get_total_flops() // FEWEST_IMAGES,
        activation_bytes_per_image=more_bytes - fewest_bytes,
    )


def _forward(module: nn.Module, num_images: int, image: tuple[int, int, int]) -> tuple[object, int]:
    """Return what comes out for a batch, and the bytes that are kept for the backward pass, parameters left out."""
    own = {tensor.untyped_storage()._cdata for tensor in (*module.parameters(), *module.buffers())}
    # Two layers often save the same tensor: storages are told apart by address, and kept so that no address is given out again.
    saved: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = module(torch.zeros((num_images, *image)))
    return logits, sum(storage.nbytes() for storage in saved.values())


def _check_logits(model: BuilderConfig, logits: object, num_classes: int) -> None:
    wanted = f"logits of shape ({FEWEST_IMAGES}, {num_classes}) for {FEWEST_IMAGES} images and {num_classes} classes"
    seen = f"a tensor of shape {tuple(logits.shape)}" if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
    if not isinstance(logits, torch.Tensor) or logits.shape != (FEWEST_IMAGES, num_classes):
        raise ModelError(f"builder is {model.builder}, must return a network that gives {wanted}: it gives {seen}")
    if not logits.is_floating_point() or not logits.requires_grad:
        what = "which do not depend on its parameters" if logits.is_floating_point() else f"of {logits.dtype}"
        raise ModelError(f"builder is {model.builder}, must return a network that gives {wanted}: it gives {seen}, {what}")
