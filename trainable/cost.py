"""What an architecture costs, counted on the meta device: nothing is allocated, however large the network."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from trainable.config.cost import ArchitectureCost
from trainable.config.model import ModelConfig
from trainable.family import build

# Batch norm refuses to train on one value per channel, so two images are the fewest that pass through every network.
FEWEST_IMAGES = 2


def measure(model: ModelConfig, image: tuple[int, int, int], num_classes: int) -> ArchitectureCost:
    """Count one network's parameters, operations and activations. Takes milliseconds.

    Args:
        model: The network in words.
        image: Channels, height and width of one image.
        num_classes: Logits per image.
    """
    with torch.device("meta"):
        module = build(model, in_channels=image[0], num_classes=num_classes, dropout=0.0)
    with FlopCounterMode(display=False) as counter:
        fewest_bytes = _saved_bytes(module, FEWEST_IMAGES, image)
    # What is saved once per batch (statistics of the norms) cancels out in the difference.
    more_bytes = _saved_bytes(module, FEWEST_IMAGES + 1, image)
    return ArchitectureCost(
        parameters=sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad),
        flops_per_image=counter.get_total_flops() // FEWEST_IMAGES,
        activation_bytes_per_image=more_bytes - fewest_bytes,
    )


def _saved_bytes(module: nn.Module, num_images: int, image: tuple[int, int, int]) -> int:
    """Return the bytes that a forward pass keeps for the backward pass, parameters left out."""
    own = {tensor.untyped_storage()._cdata for tensor in (*module.parameters(), *module.buffers())}
    # Two layers often save the same tensor: storages are told apart by address, and kept so that no address is given out again.
    saved: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module(torch.empty((num_images, *image), device="meta"))
    return sum(storage.nbytes() for storage in saved.values())
