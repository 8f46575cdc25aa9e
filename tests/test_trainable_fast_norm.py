import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from pictures import CPU, random_data, recipe
from torch import nn

from trainable import fast_norm, fast_stride
from trainable.fast_norm import FastBatchNorm2d, install, pixels_of_a_row
from trainable.training import Training

LAST = torch.channels_last
# Batch, channels, height, width of at least FEWEST_NUMBERS numbers; their pixels come in eights or more.
SHAPES = [(32, 8, 32, 32), (53, 12, 24, 23), (128, 3, 28, 28), (33, 10, 32, 40)]


def norms(channels: int, **options: Any) -> tuple[nn.BatchNorm2d, nn.BatchNorm2d]:
    """Return torch's norm with drawn parameters, and its copy, which was made fast."""
    torch.manual_seed(0)
    theirs = nn.BatchNorm2d(channels, **options)
    if theirs.affine:
        nn.init.normal_(theirs.weight)
        nn.init.normal_(theirs.bias)
    ours = copy.deepcopy(theirs)
    install(ours)
    assert type(ours) is FastBatchNorm2d
    return theirs, ours


def draw(shape: tuple[int, ...], *, seed: int = 0, mean: float = 0.0, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + mean
    return values.to(dtype).to(memory_format=LAST)


def trained(norm: nn.BatchNorm2d, maps: torch.Tensor, grad: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return everything that one step through the norm computes, in float64."""
    maps = maps.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    out = norm(maps)
    out.backward(grad.to(out.dtype))
    parameters = {name: parameter.grad for name, parameter in norm.named_parameters()}
    named = {"out": out.detach(), "maps": maps.grad, **parameters, **dict(norm.named_buffers())}
    return {name: tensor.double() for name, tensor in named.items() if tensor is not None}


def error(seen: torch.Tensor, exact: torch.Tensor) -> float:
    """Return the root of the mean squared difference, as a share of the exact values'."""
    return float((seen - exact).norm() / exact.norm())


@pytest.mark.parametrize("mean", [0.0, 10.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_step_is_as_close_to_float64_as_that_of_torch(shape: tuple[int, ...], mean: float) -> None:
    maps, grad = draw(shape, mean=mean), draw(shape, seed=1)
    grad = (grad + 0.1 * maps).to(memory_format=LAST)  # so that both of the gradient's means matter
    theirs, ours = norms(shape[1])
    assert pixels_of_a_row(maps)
    exact = trained(copy.deepcopy(theirs).double(), maps.double(), grad)
    of_torch, of_ours = trained(theirs, maps, grad), trained(ours, maps, grad)
    assert of_ours.keys() == exact.keys() == {"out", "maps", "weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    for name, values in exact.items():
        # Maps are rounded to bfloat16, by half of its spacing at worst; sums over pixels are made in float32.
        rounding = torch.finfo(torch.bfloat16 if name in ("out", "maps") else torch.float32).eps
        assert error(of_ours[name], values) <= max(1.05 * error(of_torch[name], values), 2 * rounding), name


def test_result_is_rounded_once() -> None:
    maps, grad = draw((32, 8, 32, 32)), draw((32, 8, 32, 32), seed=1)
    theirs, ours = norms(8)
    exact = trained(copy.deepcopy(theirs).double(), maps.double(), grad)
    seen = trained(ours, maps, grad)
    for name in ("out", "maps"):
        largest = (seen[name] - exact[name]).abs() / (exact[name].abs() + 1e-3)
        assert float(largest.max()) <= 0.51 * torch.finfo(torch.bfloat16).eps, name


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
def test_running_statistics_follow_batches_as_those_of_torch(momentum: float | None) -> None:
    theirs, ours = norms(8, momentum=momentum)
    exact = theirs.double()
    for seed in range(4):
        maps = draw((32, 8, 32, 32), seed=seed, mean=seed)
        ours(maps)
        exact(maps.double())
    assert int(ours.num_batches_tracked) == 4  # type: ignore[arg-type]  # a buffer
    for name, buffer in exact.named_buffers():
        torch.testing.assert_close(ours.get_buffer(name).double(), buffer.double(), rtol=2e-6, atol=1e-7)


def test_activation_may_work_in_place_on_the_result() -> None:
    maps = draw((32, 8, 32, 32))
    gradients = []
    for norm in norms(8):
        inputs = maps.clone(memory_format=torch.preserve_format).requires_grad_()
        norm(inputs).add_(1.0).relu_().square().mean().backward()
        assert inputs.grad is not None
        gradients.append(inputs.grad)
    assert error(gradients[1].double(), gradients[0].double()) < torch.finfo(torch.bfloat16).eps


def test_gradient_may_have_any_layout() -> None:
    maps, grad = draw((32, 8, 32, 32)), draw((32, 8, 32, 32), seed=1)
    _, ours = norms(8)
    expected = trained(copy.deepcopy(ours), maps, grad)
    seen = trained(ours, maps, grad.contiguous())
    assert all(torch.equal(seen[name], values) for name, values in expected.items())


@pytest.mark.parametrize(
    ("maps", "options"),
    [
        (draw((32, 8, 32, 32)).contiguous(), {}),
        (draw((32, 8, 32, 32), dtype=torch.float32), {}),
        (draw((33, 8, 33, 35)), {}),
        (draw((16, 16, 32, 32)), {}),
        (draw((16, 8, 32, 32)), {}),
        (draw((32, 8, 32, 32)), {"affine": False}),
        (draw((32, 8, 32, 32)), {"track_running_stats": False}),
    ],
    ids=["contiguous", "float32", "odd number of pixels", "many channels", "small", "not affine", "no running statistics"],
)
def test_what_is_no_faster_is_left_to_torch(maps: torch.Tensor, options: dict[str, Any]) -> None:
    theirs, ours = norms(maps.shape[1], **options)
    expected, seen = (trained(norm, maps, torch.ones_like(maps)) for norm in (theirs, ours))
    assert seen.keys() == expected.keys()
    assert all(torch.equal(seen[name], values) for name, values in expected.items())


def test_maps_with_gaps_in_memory_are_left_to_torch() -> None:
    maps = draw((32, 8, 32, 64))[..., ::2]
    theirs, ours = norms(8)
    assert torch.equal(ours(maps), theirs(maps))


def test_evaluation_is_that_of_torch_to_the_bit() -> None:
    theirs, ours = norms(8)
    maps = draw((32, 8, 32, 32))
    ours(maps)
    theirs.load_state_dict(ours.state_dict())
    assert torch.equal(ours.eval()(maps), theirs.eval()(maps))


def test_single_value_per_channel_is_refused_in_the_words_of_torch() -> None:
    _, ours = norms(8)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        ours(torch.zeros(1, 8, 1, 1))


def test_subclasses_of_batch_norm_stay_what_they_are() -> None:
    class Own(nn.BatchNorm2d):
        pass

    module = nn.Sequential(nn.BatchNorm2d(4), Own(4), nn.GroupNorm(2, 4))
    names = list(module.state_dict())
    install(module)
    assert [type(part) for part in module] == [FastBatchNorm2d, Own, nn.GroupNorm]
    assert list(module.state_dict()) == names


def test_training_resumes_to_the_bit_with_fast_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks of tests are too small for them, unless told otherwise."""
    monkeypatch.setattr(fast_norm, "FEWEST_NUMBERS", 0)
    monkeypatch.setattr(fast_stride, "FEWEST_NUMBERS", 0)
    used: set[str] = set()
    for part, name in ((fast_norm, "_rows"), (fast_stride, "_gradient_of_1x1"), (fast_stride, "_gradient_of_3x3")):
        real = getattr(part, name)
        monkeypatch.setattr(part, name, lambda *values, name=name, real=real: (used.add(name), real(*values))[1])
    model = {"family": "resnet", "blocks": [1, 1], "channels": 8}
    config = recipe(model=model, precision="bfloat16", ema_decay=0.9, lookahead_k=3, keep_best=True, max_epochs=3)
    data = random_data()
    whole = Training(config, data, CPU)
    first = whole.train_epoch()
    whole.save(tmp_path / "checkpoint")
    expected = [whole.train_epoch() for _ in range(2)]
    resumed = Training(config, data, CPU)
    resumed.load(tmp_path / "checkpoint")
    seen = [resumed.train_epoch() for _ in range(2)]
    assert used == {"_rows", "_gradient_of_1x1", "_gradient_of_3x3"}
    assert first.train_loss != expected[0].train_loss
    assert [(m.train_loss, m.val_loss) for m in seen] == [(m.train_loss, m.val_loss) for m in expected]
    for one, other in ((whole.module, resumed.module), (whole.kept, resumed.kept)):
        assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
