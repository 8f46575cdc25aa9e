from pathlib import Path
from typing import get_args

import pytest
import torch
from pictures import CPU, random_data, recipe
from torch import nn

from trainable.errors import ModelError
from trainable.precision import LOW, NumberFormat, autocast, float32_products, gradient_scaler, number_format
from trainable.training import Training

FORMATS: tuple[NumberFormat, ...] = get_args(NumberFormat)


def test_auto_is_bfloat16_where_the_hardware_computes_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for supported in (True, False):
        for question in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            monkeypatch.setattr(torch.cpu, question, lambda supported=supported: supported, raising=False)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, supported=supported: supported)
        for device in (CPU, torch.device("cuda")):
            assert number_format("auto", device) == ("bfloat16" if supported else "float32")


def test_float16_is_refused_on_a_cpu() -> None:
    assert number_format("float16", torch.device("cuda")) == "float16"
    with pytest.raises(ModelError, match="precision: float16, must be float32, bfloat16 or auto on a CPU"):
        Training(recipe(precision="float16"), random_data(), CPU)


@pytest.mark.parametrize("wanted", FORMATS)
def test_layers_compute_in_the_format(wanted: NumberFormat) -> None:
    layer = nn.Linear(2, 2)
    with autocast(CPU, wanted):
        assert layer(torch.zeros(1, 2)).dtype is LOW.get(wanted, torch.float32)


def test_tf32_on_a_cpu_is_float32() -> None:
    losses = [Training(recipe(precision=precision), random_data(), CPU).train_epoch().train_loss for precision in ("float32", "tf32")]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("wanted", FORMATS)
def test_products_of_float32_numbers_are_as_asked_inside_and_as_before_outside(wanted: NumberFormat) -> None:
    kernels = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    before = [kernel.fp32_precision for kernel in kernels]
    with float32_products(wanted):
        assert [kernel.fp32_precision for kernel in kernels] == 2 * ["tf32" if wanted == "tf32" else "ieee"]
    assert [kernel.fp32_precision for kernel in kernels] == before


def float16_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> Training:
    """Return a training as it would be on a GPU; torch computes float16 on a CPU, too, only slowly.

    Not with SGD, which is fused on a CPU: torch then begins with an uninitialised momentum where it skips the very first step.
    """
    monkeypatch.setattr("trainable.training.number_format", lambda precision, device: precision)
    return Training(recipe(precision="float16", optimizer="adam", lr=0.01), random_data(), CPU)


def test_float16_steps_equal_float32_steps_but_for_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    half, full = float16_on_a_cpu(monkeypatch), Training(recipe(optimizer="adam", lr=0.01), random_data(), CPU)
    assert half.train_epoch().train_loss == pytest.approx(full.train_epoch().train_loss, rel=0.01)


def test_step_whose_gradients_overflow_is_skipped_and_the_scale_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    training = float16_on_a_cpu(monkeypatch)
    scaler = training._step.scaler
    scaler.load_state_dict(scaler.state_dict() | {"scale": 2.0**60})
    before = [parameter.clone() for parameter in training.module.parameters()]
    training.train_epoch()  # five steps
    assert scaler.get_scale() == 2.0**55
    assert all(torch.equal(*pair) for pair in zip(before, training.module.parameters(), strict=True))


def test_scale_is_part_of_a_checkpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = float16_on_a_cpu(monkeypatch)
    scaler = whole._step.scaler
    scaler.load_state_dict(scaler.state_dict() | {"scale": 2.0**20, "growth_interval": 7})
    whole.train_epoch()
    whole.save(tmp_path / "one")
    resumed = float16_on_a_cpu(monkeypatch)
    resumed.load(tmp_path / "one")
    assert resumed._step.scaler.state_dict() == scaler.state_dict()
    assert scaler.state_dict()["_growth_tracker"] > 0
    assert whole.train_epoch().train_loss == resumed.train_epoch().train_loss
    assert scaler.get_scale() == resumed._step.scaler.get_scale()


def test_other_formats_need_no_scaling() -> None:
    for wanted in ("float32", "tf32", "bfloat16"):
        scaler = gradient_scaler(CPU, wanted)
        assert scaler.state_dict() == {}
        loss = torch.ones(())
        assert scaler.scale(loss) is loss
