import json
import re
from pathlib import Path
from typing import get_args

import pytest
import torch
from pictures import CPU
from torch import nn

from trainable.config.recipe import CHOOSERS, OPTIMIZERS, SCHEDULES
from trainable.config.train import TrainConfig
from trainable.precision import autocast, number_format


def test_every_name_the_configuration_allows_is_known() -> None:
    assert get_args(TrainConfig.model_fields["optimizer"].annotation) == tuple(OPTIMIZERS)
    assert get_args(TrainConfig.model_fields["schedule"].annotation) == tuple(SCHEDULES)


def test_precision_says_what_it_computes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert number_format("float32", CPU) is torch.float32
    assert number_format("bfloat16", CPU) is torch.bfloat16
    for supported in (True, False):
        for question in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            monkeypatch.setattr(torch.cpu, question, lambda supported=supported: supported, raising=False)
        assert number_format("auto", CPU) is (torch.bfloat16 if supported else torch.float32)
    layer = nn.Linear(2, 2)
    for wanted in (torch.float32, torch.bfloat16):
        with autocast(CPU, wanted):
            assert layer(torch.zeros(1, 2)).dtype is wanted


@pytest.mark.parametrize(("chooser", "choice"), [(chooser, choice) for chooser, choices in CHOOSERS.items() for choice in choices])
def test_document_names_every_field_and_its_default(chooser: str, choice: str) -> None:
    lines = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text().splitlines()
    (row,) = (line for line in lines if re.match(rf"\| ([a-z]+, )?{choice}[, ]", line))
    said = {name: json.loads(value) for name, value in re.findall(r"(\w+) \(([^)]+)\)", row.split("|")[-2])}
    assert said == {name: list(value) if isinstance(value, tuple) else value for name, value in CHOOSERS[chooser][choice].fields.items()}
