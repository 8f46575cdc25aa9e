"""Convolutions of stride 2 on a CPU: the gradient of their input, computed without stride. Imports torch alone.

Torch's library computes that gradient at a fraction of its usual speed. What a stride of 2 makes of it: each of the four pixels of a
square 2 x 2 receives its own taps of the kernel, so that all four are a convolution of stride 1, with four times the channels, of the
gradient of the output; a kernel 1 x 1 reaches the first of the four only. Forward and the gradient of the weights stay torch's.

Milliseconds of processor time for the gradient of the input, 128 images, bfloat16, AMD EPYC with avx512_bf16, one thread, torch 2.15,
torch's -> here. 3 x 3: 8 x 32 x 32 2.40 -> 1.13; 16 x 16 x 16 1.03 -> 0.55; 16 x 32 x 32 2.62 -> 2.10; 32 x 16 x 16 1.81 -> 2.00. 1 x 1:
8 x 32 x 32 0.92 -> 0.18; 16 x 32 x 32 0.99 -> 0.26; 64 x 32 x 32 5.12 -> 2.71, of which a whole step shows nothing.
The whole step of [1,1,1] x 8 channels, batch 128, takes 4 % less (quartiles of 150 pairs 0.94 to 0.97; the machine was busy); with 16
channels it takes as long (0.98 to 1.03).

Left out: pixels side by side as channels (fewer empty places in registers, but half of the weights zeros). The stem and the convolutions
of 8 channels took 0.7 ms of 36 less in all, before their weights are rearranged; others took longer.

Shapes: B batch, C channels, O channels of the output, H height, W width.
"""

from typing import Any, cast

import torch
from torch import nn
from torch.autograd.function import once_differentiable

# With more channels a step is no faster (64: 0 to 4 % slower, whatever the single operation takes).
MOST_CHANNELS = 16
# With fewer numbers in the input the calls take more than is gained (a batch of 16 with 8 channels of 32 x 32: 8 % of a step).
FEWEST_NUMBERS = 2**18
# Kernel, stride, padding.
FORMS = (((3, 3), (2, 2), (1, 1)), ((1, 1), (2, 2), (0, 0)))


def install(module: nn.Module) -> None:
    """Let the convolutions of stride 2 of a network train fast on a CPU; parameters and their names stay what they are."""
    for part in module.modules():
        if type(part) is nn.Conv2d and _is_served(part):  # a subclass may compute something else
            part.__class__ = FastStridedConv2d


class FastStridedConv2d(nn.Conv2d):
    """Convolution of stride 2 that is torch's own wherever it would not train faster."""

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the maps of the output channels, half as high and wide."""
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else maps_BCHW.dtype
        if not (dtype == torch.bfloat16 and _is_faster(maps_BCHW) and self.weight.requires_grad):
            return super().forward(maps_BCHW)
        return cast(torch.Tensor, _Strided.apply(maps_BCHW.to(dtype), self.weight.to(dtype)))


def _is_served(part: nn.Conv2d) -> bool:
    plain = part.dilation == (1, 1) and part.groups == 1 and part.bias is None and part.padding_mode == "zeros"
    form = (part.kernel_size, part.stride, part.padding)
    return plain and part.in_channels <= MOST_CHANNELS and form in FORMS


def _is_faster(maps_BCHW: torch.Tensor) -> bool:
    trains = maps_BCHW.requires_grad and torch.is_grad_enabled()
    if maps_BCHW.device.type != "cpu" or maps_BCHW.ndim != 4 or maps_BCHW.numel() < FEWEST_NUMBERS or not trains:
        return False
    height, width = maps_BCHW.shape[2:]
    return height % 2 == width % 2 == 0 and maps_BCHW.permute(0, 2, 3, 1).is_contiguous()


class _Strided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps_BCHW: torch.Tensor, weight_OCHW: torch.Tensor) -> torch.Tensor:
        """Return the maps of the output channels."""
        ctx.save_for_backward(maps_BCHW, weight_OCHW)
        return torch.convolution(maps_BCHW, weight_OCHW, None, *_settings(weight_OCHW))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BOHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradients of maps and weights."""
        maps_BCHW, weight_OCHW = ctx.saved_tensors
        _, grad_weight_OCHW, _ = torch.ops.aten.convolution_backward(
            grad_BOHW, maps_BCHW, weight_OCHW, None, *_settings(weight_OCHW), [False, True, False]
        )
        of_maps = _gradient_of_3x3 if weight_OCHW.shape[2] == 3 else _gradient_of_1x1
        return of_maps(grad_BOHW.permute(0, 2, 3, 1), weight_OCHW), grad_weight_OCHW


def _settings(weight_OCHW: torch.Tensor) -> tuple[Any, ...]:
    """Return stride, padding, dilation, whether transposed, its padding, groups."""
    return [2, 2], [weight_OCHW.shape[2] // 2] * 2, [1, 1], False, [0, 0], 1


def _gradient_of_1x1(grad_BHWO: torch.Tensor, weight_OC11: torch.Tensor) -> torch.Tensor:
    """Return the gradient of maps_BCHW, of twice the height and width: every second pixel of every second row has one."""
    batch, height, width, num_out = grad_BHWO.shape
    channels = weight_OC11.shape[1]
    squares_BHaWbC = grad_BHWO.new_zeros(batch, height, 2, width, 2, channels)
    reached = grad_BHWO.reshape(-1, num_out) @ weight_OC11.reshape(num_out, channels)
    squares_BHaWbC[:, :, 0, :, 0] = reached.view(batch, height, width, channels)
    return squares_BHaWbC.view(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def _gradient_of_3x3(grad_BHWO: torch.Tensor, weight_OC33: torch.Tensor) -> torch.Tensor:
    """Return the gradient of maps_BCHW, of twice the height and width.

    Along each axis, pixel 2i is tap 1 of the kernel at output i; pixel 2i + 1 is tap 2 of it at i and tap 0 at i + 1.
    """
    batch, height, width, num_out = grad_BHWO.shape
    channels = weight_OC33.shape[1]
    # Taps in the order (output i: pixels 2i, 2i + 1), (output i + 1: the same two), the last but one of which is none.
    taps_OC44 = weight_OC33.new_zeros(num_out, channels, 4, 4)
    for into_h, from_h in ((slice(2), slice(1, 3)), (3, 0)):
        for into_w, from_w in ((slice(2), slice(1, 3)), (3, 0)):
            taps_OC44[:, :, into_h, into_w] = weight_OC33[:, :, from_h, from_w]
    # h, w: which output; a, b: which pixel of its square.
    taps_OChawb = taps_OC44.view(num_out, channels, 2, 2, 2, 2)
    kernel = taps_OChawb.permute(3, 5, 1, 0, 2, 4).reshape(4 * channels, num_out, 2, 2).contiguous(memory_format=torch.channels_last)
    padded_BHWO = grad_BHWO.new_zeros(batch, height + 1, width + 1, num_out)
    padded_BHWO[:, :height, :width] = grad_BHWO
    squares = torch.conv2d(padded_BHWO.permute(0, 3, 1, 2), kernel).permute(0, 2, 3, 1)
    squares_BHWabC = squares.reshape(batch, height, width, 2, 2, channels)
    return squares_BHWabC.permute(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)
