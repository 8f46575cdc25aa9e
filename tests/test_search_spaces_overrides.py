"""`-s path=value`, and overrides of a final."""

from pathlib import Path
from typing import Any

import pytest

from search_spaces.errors import SweepError
from search_spaces.load import load
from search_spaces.overrides import changed, overridden, parse_override
from search_spaces.yaml_source import read
from trainable.config.train import TrainConfig

FILE = Path(__file__).parents[1] / "search_spaces" / "starter.yaml"


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("scheduler.asha.max_epochs=9", ("scheduler", "asha", "max_epochs"), 9),
        ("trial.lr={loguniform: [1e-4, 1e-2]}", ("trial", "lr"), {"loguniform": [1e-4, 1e-2]}),
        ("trial.lr.0.loguniform.1=0.5", ("trial", "lr", 0, "loguniform", 1), 0.5),
        ("trial.optimizer=adam", ("trial", "optimizer"), "adam"),
        ("budget.wall_clock=12h", ("budget", "wall_clock"), "12h"),
        ("data.path=a=b", ("data", "path"), "a=b"),
        ("final=", ("final",), None),
    ],
)
def test_override_sets_one_place_and_makes_the_mappings_on_the_way(text: str, path: tuple[str | int, ...], value: Any) -> None:
    source = read(FILE)
    result, mistakes = overridden(source, [text])
    assert not mistakes
    found: Any = result.data
    for key in path:
        found = found[key]
    assert found == value
    assert source.data == read(FILE).data


def test_later_override_wins() -> None:
    assert load(FILE, ["search.trials=3", "search.trials=4"]).search.trials == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("search.trials", "-s: 'search.trials', must be path=value, such as scheduler.asha.max_epochs=9"),
        ("=3", "-s: '=3', must be path=value"),
        ("search..trials=3", "-s: 'search..trials=3', must be path=value"),
        ("search.trials=[1", "-s: search.trials: a bracket that is not closed, or a comma missing before this, must be a YAML value"),
        ("name.of=3", "-s: name.of: name is 'my-first-sweep', must be a mapping or a list to have entries"),
        ("trial.lr.7.value=3", "-s: trial.lr.7.value: no item 7 in a list of 2, must be an index from 0 to 1"),
        ("trial.lr.x=3", "-s: trial.lr.x: no item x in a list of 2"),
        ("scheduler.asha.max_epoch=9", "-s: scheduler.asha.max_epoch: unknown key, did you mean max_epochs?"),
        ("trial.batch_size=0", "-s: trial.batch_size: 0, must be a whole number >= 1 and <= 65_536"),
        ("scheduler.none.max_epochs=9", ": scheduler: asha and none together, must be one rule"),
    ],
)
def test_wrong_override_is_answered_without_a_line_but_with_its_path(text: str, message: str) -> None:
    with pytest.raises(SweepError) as caught:
        load(FILE, [text])
    assert message in str(caught.value)


def test_mistakes_of_file_and_overrides_come_together(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(FILE.read_text().replace("trials: 8", "trials: 0"))
    with pytest.raises(SweepError) as caught:
        load(path, ["seed=-1", "nonsense"])
    assert len(caught.value.mistakes) == 3


def test_override_that_excludes_a_branch_silences_it() -> None:
    sweep = load(FILE, ["trial.optimizer=adam"])
    assert sweep.trial["optimizer"] == "adam"


def test_parse_override_returns_path_and_value() -> None:
    assert parse_override("model.channels=[16, 32]") == ("model.channels", [16, 32])
    with pytest.raises(SweepError, match="must be path=value"):
        parse_override("dropout")


def test_overrides_of_a_final_are_laid_over_the_configuration() -> None:
    content = {"model": {"blocks": [1], "channels": 8}, "data": {"name": "digits"}, "lr": 0.1, "max_epochs": 9}
    config = TrainConfig.model_validate(content)
    result = TrainConfig.model_validate(changed(config, {"dropout": 0.2, "model.channels": 16, "augment": {"flip": True}}))
    assert (result.dropout, result.model.channels, result.model.blocks, result.augment.flip) == (0.2, 16, (1,), True)
    assert result.momentum == 0.9
    assert TrainConfig.model_validate(changed(config, {"optimizer": "adam"})).momentum is None


def test_override_of_a_choice_keeps_what_both_choices_read_alike() -> None:
    content = {"model": {"blocks": [1], "channels": 8}, "data": {"name": "digits"}, "lr": 0.1, "max_epochs": 9}
    config = TrainConfig.model_validate(content | {"momentum": 0.95, "warmup_epochs": 2, "lookahead_k": 6, "lookahead_alpha": 0.4})
    nesterov = TrainConfig.model_validate(changed(config, {"optimizer": "nesterov", "schedule": "cosine"}))
    assert (nesterov.momentum, nesterov.warmup_epochs, nesterov.lr_floor) == (0.95, 2, 0)
    assert TrainConfig.model_validate(changed(config, {"optimizer": "rmsprop"})).momentum == 0
    assert TrainConfig.model_validate(changed(config, {"optimizer": "rmsprop", "momentum": 0.5})).momentum == 0.5
    assert TrainConfig.model_validate(changed(config, {"schedule": "onecycle"})).warmup_epochs is None
    assert TrainConfig.model_validate(changed(config, {"lookahead_k": 0})).lookahead_alpha is None
