"""What an architecture costs, as plain numbers. Imports nothing: the journal and the constraints read it without torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitectureCost:
    """Cost of one network for one image, counted without allocating it.

    Attributes:
        parameters: Trainable parameters, >= 0.
        flops_per_image: Floating-point operations of one forward pass of one image (a multiply-add counts as two).
        activation_bytes_per_image: Bytes that one image's forward pass keeps for the backward pass, in float32.
    """

    parameters: int
    flops_per_image: int
    activation_bytes_per_image: int
