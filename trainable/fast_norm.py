"""Batch norm of few channels on a CPU: torch's own kernels, given several pixels as one. Imports torch alone.

A tensor laid out channels_last lies in memory as a matrix, pixels x channels. Torch's kernels work along one of its rows, and 8 numbers
do not fill the processor's registers. With the channels of several pixels taken together as a row, the same kernels give the mean and
variance of each place in it, and those of a channel follow. In evaluation nothing changes.

Milliseconds of processor time, forward + backward, 128 x 8 x 32 x 32, bfloat16, AMD EPYC with avx512, one thread, torch 2.15: 1.19 + 1.85
by torch, 0.33 + 0.90 here. With 16 channels forward is 1.22 against 0.54 and backward no faster, with 32 neither is: torch's own way.
The whole step of [1,1,1] x 8 channels, batch 128, takes 6 % less (quartiles of 150 pairs 0.92 to 0.96; the machine was busy), with
`fast_stride` 12 % less (0.86 to 0.91); at batch 256 both take 17 % (0.80 to 0.87), at 64 7 % (0.90 to 0.95). In float32 nothing was gained
(0.97 to 1.02).

Left out: the activation after the norm (torch's kernels for it are as fast as memory), and rounding the gradient's two terms to bfloat16
one by one, which is as fast as float32 (0.66 beside 0.64) and less exact.

Shapes: B batch, C channels, H height, W width, P pixels of a row, F = P * C, R = B * H * W / P rows.
"""

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

# From so many channels on, torch's kernels are as fast as they are here.
ENOUGH_CHANNELS = 16
# Fewer numbers than this are not worth the calls, 0.1 ms in all (a batch of 16 with 8 channels of 32 x 32: as fast as torch's way).
FEWEST_NUMBERS = 2**18
# Numbers of a row: several registers full, and still few to repeat the statistics for.
WIDEST_ROW = 256
NARROWEST_ROW = 32
# Numbers that are worked on in float32 at a time: a quarter of them, or four times as many, took 10 and 20 % longer.
PIECE = 2**18


def install(module: nn.Module) -> None:
    """Let the batch norms of a network train fast on a CPU; parameters, buffers and their names stay what they are."""
    for part in module.modules():
        if type(part) is nn.BatchNorm2d:  # a subclass may compute something else
            part.__class__ = FastBatchNorm2d


class FastBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that is torch's own wherever it would not train faster."""

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the normalized maps.

        Raises:
            ValueError: In training, a channel has one value only.
        """
        pixels = pixels_of_a_row(maps_BCHW) if self.training and self.affine and self.track_running_stats else 0
        if not pixels or self.weight.dtype != torch.float32:
            return super().forward(maps_BCHW)
        normalized_BCHW, mean_C, var_C = _FoldedBatchNorm.apply(maps_BCHW, self.weight, self.bias, self.eps, pixels)
        self._remember(mean_C, var_C, num_values=maps_BCHW.numel() // self.num_features)
        return normalized_BCHW  # type: ignore[no-any-return]  # torch leaves `apply` untyped

    @torch.no_grad()
    def _remember(self, mean_C: torch.Tensor, var_C: torch.Tensor, *, num_values: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean_C, share)
        self.running_var.lerp_(var_C * (num_values / (num_values - 1)), share)  # unbiased, as torch keeps it


def pixels_of_a_row(maps_BCHW: torch.Tensor) -> int:
    """Return how many pixels to take together, a power of two; 0 where torch's own way is right or faster."""
    if maps_BCHW.device.type != "cpu" or maps_BCHW.ndim != 4 or maps_BCHW.dtype != torch.bfloat16:
        return 0
    channels, num_values = maps_BCHW.shape[1], maps_BCHW.numel()
    if channels >= ENOUGH_CHANNELS or num_values < FEWEST_NUMBERS or not maps_BCHW.permute(0, 2, 3, 1).is_contiguous():
        return 0
    num_pixels = num_values // channels
    widest = 2 ** ((WIDEST_ROW // channels).bit_length() - 1)
    pixels = min(num_pixels & -num_pixels, widest)  # the largest power of two that divides
    return pixels if pixels * channels >= NARROWEST_ROW else 0


class _FoldedBatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, maps_BCHW: torch.Tensor, weight_C: torch.Tensor, bias_C: torch.Tensor, eps: float, pixels: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the normalized maps; mean and (biased) variance of the batch."""
        rows_RF11 = _rows(maps_BCHW, pixels)
        zero_F, nothing = weight_C.new_zeros(rows_RF11.shape[1]), weight_C.new_empty(0)
        # The zeros have no effect; but it is from them that the statistics take their number format, float32.
        mean_F, var_F = torch.ops.aten.batch_norm_update_stats(rows_RF11, zero_F, zero_F, 0.0)
        # The variance of all is the mean of the variances and the variance of the means: Chan, Golub, LeVeque, 1979.
        var_C, mean_C = torch.var_mean(mean_F.view(pixels, -1), dim=0, correction=0)
        var_C += var_F.view(pixels, -1).mean(dim=0)
        weight_F, bias_F, mean_F, var_F = _repeated((weight_C, bias_C, mean_C, var_C), pixels)
        out_BCHW = torch.empty_like(maps_BCHW)  # not a view: an activation may work in place on it
        out = {"out": _rows(out_BCHW, pixels), "save_mean": nothing, "save_invstd": nothing.clone()}
        torch.ops.aten.native_batch_norm.out(rows_RF11, weight_F, bias_F, mean_F, var_F, False, 0.0, eps, **out)
        ctx.save_for_backward(maps_BCHW, weight_C, mean_C, var_C, weight_F, mean_F, var_F)
        ctx.eps, ctx.pixels = eps, pixels
        ctx.mark_non_differentiable(mean_C, var_C)
        return out_BCHW, mean_C, var_C

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BCHW: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of maps, weight and bias.

        Source: Ioffe and Szegedy, 2015, arXiv:1502.03167, section 3, brought into the form a * grad + b * maps + c.
        """
        maps_BCHW, weight_C, mean_C, var_C, weight_F, mean_F, var_F = ctx.saved_tensors
        grad_BCHW = grad_BCHW.contiguous(memory_format=torch.channels_last)
        rows_RF11, grad_RF11 = (_rows(tensor, ctx.pixels) for tensor in (maps_BCHW, grad_BCHW))
        _, grad_weight_F, grad_bias_F = torch.ops.aten.native_batch_norm_backward(
            grad_RF11, rows_RF11, weight_F, mean_F, var_F, None, None, False, ctx.eps, [False, True, True]
        )
        grad_weight_C, grad_bias_C = torch.stack((grad_weight_F, grad_bias_F)).view(2, ctx.pixels, -1).sum(dim=1)
        scale_C = torch.rsqrt(var_C + ctx.eps)
        a_C = weight_C * scale_C
        share_C = a_C * (-len(mean_C) / maps_BCHW.numel())
        b_C = share_C * scale_C * grad_weight_C
        c_C = share_C * grad_bias_C - b_C * mean_C
        a_F, b_F, c_F = _repeated((a_C, b_C, c_C), ctx.pixels)
        out_BCHW = torch.empty_like(maps_BCHW)
        num_rows = PIECE // len(a_F)
        pieces = (torch.split(tensor.flatten(1), num_rows) for tensor in (rows_RF11, grad_RF11, _rows(out_BCHW, ctx.pixels)))
        for rows_RF, grad_RF, out_RF in zip(*pieces, strict=True):
            out_RF.copy_(torch.addcmul(c_F, rows_RF.float(), b_F).addcmul_(grad_RF.float(), a_F))
        return out_BCHW, grad_weight_C, grad_bias_C, None, None


def _rows(maps_BCHW: torch.Tensor, pixels: int) -> torch.Tensor:
    """Return rows_RF11: the same memory."""
    return maps_BCHW.permute(0, 2, 3, 1).view(-1, pixels * maps_BCHW.shape[1], 1, 1)


def _repeated(values: tuple[torch.Tensor, ...], pixels: int) -> tuple[torch.Tensor, ...]:
    """Return each of the values_C as values_F."""
    return torch.stack(values)[:, None].expand(-1, pixels, -1).reshape(len(values), -1).unbind()
