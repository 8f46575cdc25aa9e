import copy
from typing import Any

import pytest
import torch
from torch import nn

from trainable import fast_stride
from trainable.fast_stride import FastStridedConv2d, install

LAST = torch.channels_last


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return values.bfloat16().to(memory_format=LAST)


def convolutions(channels: int, num_out: int, kernel: int, **options: Any) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Return torch's convolution, with weights that bfloat16 holds exactly, and its copy, which was handed to `install`."""
    torch.manual_seed(0)
    theirs = nn.Conv2d(channels, num_out, kernel, **{"stride": 2, "padding": kernel // 2, "bias": False, **options}).to(memory_format=LAST)
    with torch.no_grad():
        theirs.weight.copy_(theirs.weight.bfloat16())
    ours = copy.deepcopy(theirs)
    install(ours)
    return theirs, ours


def trained(part: nn.Conv2d, maps: torch.Tensor, *, autocast: bool = True) -> tuple[torch.Tensor, ...]:
    """Return output, gradient of the input, gradient of the weights."""
    maps = maps.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = part(maps)
    out.backward(draw(*out.shape, seed=1).to(out.dtype))
    assert maps.grad is not None
    assert part.weight.grad is not None
    return out.detach(), maps.grad, part.weight.grad


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("shape", [(128, 8, 32, 32), (64, 16, 16, 16), (13, 3, 2, 14), (1, 5, 6, 2)])
def test_step_is_that_of_float64_rounded_to_bfloat16(shape: tuple[int, ...], kernel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_stride, "FEWEST_NUMBERS", 0)
    called = []
    for name in ("_gradient_of_1x1", "_gradient_of_3x3"):
        real = getattr(fast_stride, name)
        monkeypatch.setattr(fast_stride, name, lambda *values, name=name, real=real: (called.append(name), real(*values))[1])
    maps = draw(*shape)
    theirs, ours = convolutions(shape[1], 2 * shape[1], kernel)
    exact = trained(copy.deepcopy(theirs).double(), maps.double(), autocast=False)
    seen = trained(ours, maps)
    assert called == [f"_gradient_of_{kernel}x{kernel}"]
    assert seen[1].is_contiguous(memory_format=LAST)
    assert seen[0].dtype == seen[1].dtype == torch.bfloat16
    assert seen[2].dtype == torch.float32
    for values, precise in zip(seen, exact, strict=True):
        # Half of the format's spacing, and float32 sums of values up to a hundred times as large.
        torch.testing.assert_close(values.double(), precise, rtol=0.51 * torch.finfo(torch.bfloat16).eps, atol=1e-4)


def test_input_without_gradient_is_left_to_torch() -> None:
    theirs, ours = convolutions(8, 16, 3)
    maps = draw(128, 8, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        out = ours(maps)
        assert torch.equal(out, theirs(maps))
        assert "Convolution" in out.grad_fn.name()
        with torch.inference_mode():
            assert torch.equal(ours(maps), theirs(maps))


@pytest.mark.parametrize(
    "maps", [draw(128, 8, 32, 32).contiguous(), draw(128, 8, 31, 32), draw(16, 8, 32, 32)], ids=["contiguous", "odd height", "small"]
)
def test_what_is_no_faster_is_left_to_torch(maps: torch.Tensor) -> None:
    theirs, ours = convolutions(8, 16, 3)
    assert type(ours) is FastStridedConv2d
    assert all(torch.equal(seen, expected) for seen, expected in zip(trained(ours, maps), trained(theirs, maps), strict=True))


def test_float32_is_left_to_torch() -> None:
    theirs, ours = convolutions(8, 16, 3)
    results = (trained(part, draw(128, 8, 32, 32).float(), autocast=False) for part in (ours, theirs))
    assert all(torch.equal(seen, expected) for seen, expected in zip(*results, strict=True))


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 1},
        {"padding": 0},
        {"bias": True},
        {"groups": 2},
        {"dilation": 2},
        {"padding_mode": "reflect"},
        {"channels": 32},
        {"kernel": 5},
    ],
)
def test_other_convolutions_stay_what_they_are(options: dict[str, Any]) -> None:
    _, ours = convolutions(**{"channels": 8, "num_out": 16, "kernel": 3, **options})
    assert type(ours) is nn.Conv2d


def test_parameters_keep_their_names() -> None:
    theirs, ours = convolutions(8, 16, 3)
    assert type(ours) is FastStridedConv2d
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert type(copy.deepcopy(ours)) is FastStridedConv2d
