import json
import re
from pathlib import Path
from typing import get_args

import pytest

from trainable.config.recipe import CHOOSERS, OPTIMIZERS, SCHEDULES
from trainable.config.train import TrainConfig


def test_every_name_the_configuration_allows_is_known() -> None:
    assert get_args(TrainConfig.model_fields["optimizer"].annotation) == tuple(OPTIMIZERS)
    assert get_args(TrainConfig.model_fields["schedule"].annotation) == tuple(SCHEDULES)


@pytest.mark.parametrize(("chooser", "choice"), [(chooser, choice) for chooser, choices in CHOOSERS.items() for choice in choices])
def test_document_names_every_field_and_its_default(chooser: str, choice: str) -> None:
    lines = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text().splitlines()
    (row,) = (line for line in lines if re.match(rf"\| ([a-z]+, )?{choice}[, ]", line))
    said = {name: json.loads(value) for name, value in re.findall(r"(\w+) \(([^)]+)\)", row.split("|")[-2])}
    assert said == {name: list(value) if isinstance(value, tuple) else value for name, value in CHOOSERS[chooser][choice].fields.items()}
