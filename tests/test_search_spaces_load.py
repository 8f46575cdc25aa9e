"""Loading: every mistake at once, defaults that follow, resolved sweeps, and what must not be imported."""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import load as loading
from search_spaces.checks import warnings
from search_spaces.errors import SweepError
from search_spaces.load import load, problems
from search_spaces.sweep import BudgetOptions, Sweep
from search_spaces.yaml_source import read

SHIPPED = Path(loading.__file__).parent
PLAIN = """\
version: 1
name: plain
data: {name: digits}
trial:
  model: {family: resnet, blocks: [1, 1], channels: 16}
  lr: {loguniform: [1e-3, 1e-1]}
search: {trials: 9}
scheduler: {asha: {max_epochs: 27}}
"""


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.yaml"
    path.write_text(PLAIN)
    return path


def test_resolved_sweep_is_stored_and_loaded_again_as_it_was(plain: Path) -> None:
    sweep = load(plain, ["budget.wall_clock=1h30m", "final.seeds=[0, 1]"])
    again = loading.resolved(sweep.model_dump(mode="json"))
    assert again == sweep
    assert again.hash() == sweep.hash()


def test_resolved_sweep_is_loaded_though_its_data_is_gone(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "train-0.parquet").touch()
    sweep = load(plain, ["data.name=parquet", f"data.path={tmp_path}"])
    (tmp_path / "train-0.parquet").unlink()
    assert loading.resolved(sweep.model_dump(mode="json")) == sweep
    with pytest.raises(SweepError, match=r"-s: data\.path: '.+' holds no train\*\.parquet"):
        load(plain, ["data.name=parquet", f"data.path={tmp_path}"])


def test_resolved_sweep_of_another_release_is_refused(plain: Path) -> None:
    stored = load(plain).model_dump(mode="json") | {"colour": "red"}
    with pytest.raises(SweepError, match=r"sweep\.json: colour: unknown key"):
        loading.resolved(stored)


@pytest.mark.parametrize(("metric", "mode"), [("val_accuracy", "max"), ("val_loss", "min")])
def test_mode_follows_from_the_metric(plain: Path, metric: str, mode: str) -> None:
    assert load(plain, [f"objective.metric={metric}"]).objective.mode == mode


def test_path_with_a_tilde_is_found_at_home(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "train-00000-of-00001.parquet").touch()
    assert load(plain, ["data.name=parquet", "data.path=~/images"]).data.path == str(tmp_path / "images")


@pytest.mark.parametrize(
    ("text", "seconds"), [(90, 90.0), ("90s", 90.0), ("15m", 900.0), ("12h", 43_200.0), ("1h30m", 5_400.0), ("0.5h", 1_800.0)]
)
def test_wall_clock_is_seconds_or_text(text: Any, seconds: float) -> None:
    assert BudgetOptions.model_validate({"wall_clock": text}).wall_clock_s == seconds
    assert BudgetOptions().wall_clock_s is None


@pytest.mark.parametrize("text", ["", "h", "12", "1m1h", "-1h", "0s", "soon", True, -1])
def test_wall_clock_that_is_no_duration_is_refused(plain: Path, text: Any) -> None:
    data = read(plain).data | {"budget": {"wall_clock": text}}
    found = problems(data)
    assert [problem.path for problem in found] == [("budget", "wall_clock")]
    assert found[0].required == "must be a number of seconds > 0, or text such as 90s, 15m, 12h, 1h30m"


def test_misspelt_key_is_not_told_again_as_a_missing_one(plain: Path) -> None:
    data = read(plain).data
    data["serach"] = data.pop("search")
    assert [problem.required for problem in problems(data)] == ["did you mean search?"]


def test_one_bad_option_among_very_many_combinations_is_found(plain: Path) -> None:
    data = read(plain).data
    options: list[Any] = [{"label": f"net-{index}", "blocks": [1] * 3, "channels": [8, 8, index + 8]} for index in range(60)]
    options[37]["channels"] = {"choice": [[8, 8, 8], [8, 8]]}
    data["trial"] |= {
        "model": {"choice": options},
        "batch_size": {"choice": [16, 32, 64]},
        "optimizer": {"choice": ["sgd", "adam", "adagrad"]},
    }
    found = problems(data)
    assert [problem.path for problem in found] == [("trial", "model", "choice", 37, "channels", "choice", 1)]
    assert (found[0].seen, found[0].required) == ("[8, 8]", "must be one number, or 3 as there are stages in blocks")


def test_warnings_name_what_is_seldom_meant(plain: Path) -> None:
    assert warnings(load(plain)) == []
    overrides = ["scheduler.asha.min_epochs=1", "trial.lr={choice: [0.1, 0.2]}", "final.epochs=9"]
    assert warnings(load(plain, overrides)) == [
        "scheduler.asha.min_epochs: a first rung of one epoch is a bet on noise; the default here is 2",
        "search.trials: 9 are asked for, but the space holds only 2; the sweep ends after those",
        "final.epochs: 9 is less than the 27 of a trial trained in full",
    ]


def test_gate_that_nothing_confirms_for_is_warned_of_with_what_to_do(plain: Path) -> None:
    (said,) = warnings(load(plain, ["final.gates.confirmed=true"]))
    assert said.startswith("final.gates.confirmed: `run` refuses to promote, as nothing confirms its leaders; add final.confirm: {top: 3")
    assert warnings(load(plain, ["final.gates.confirmed=true", "final.confirm={seeds: 2}"])) == []


def test_fewer_candidates_that_keep_the_constraints_than_trials_are_foreseen(plain: Path) -> None:
    overrides = [
        "trial.batch_size={choice: [16, 32, 64]}",
        "trial.lr={choice: [0.1, 0.2, 0.3, 0.4]}",
        "constraints.where=lr < batch_size / 100",
    ]
    assert warnings(load(plain, overrides)) == [
        "search.trials: 9 are asked for, but only 8 candidates keep the constraints; the sweep ends after those"
    ]
    assert warnings(load(plain, [*overrides, "search.trials=8"])) == []


@pytest.mark.parametrize(
    ("scheduler", "warning"),
    [
        (
            "{hyperband: {max_epochs: 81, min_epochs: 1}}",
            "scheduler.hyperband.min_epochs: a first rung of one epoch is a bet on noise; the default here is 3",
        ),
        (
            "{median: {max_epochs: 9, min_trials: 9}}",
            "scheduler.median.min_trials: 9 others are never reached with 9 trials; none is stopped",
        ),
        (
            "{none: {max_epochs: 9}, patience: {epochs: 9}}",
            "scheduler.patience.epochs: 9 of 9 epochs are never waited; no trial is stopped by it",
        ),
    ],
)
def test_warnings_name_a_rule_that_never_acts_or_acts_too_soon(plain: Path, scheduler: str, warning: str) -> None:
    assert warnings(load(plain, [f"scheduler={scheduler}"])) == [warning]


@pytest.mark.parametrize("rule", ["asha", "hyperband", "median", "none"])
def test_every_rule_sets_the_horizon_that_candidates_are_checked_against(plain: Path, rule: str) -> None:
    overrides = [f"scheduler={{{rule}: {{max_epochs: 9}}}}", "trial.schedule=cosine", "trial.warmup_epochs=10"]
    with pytest.raises(SweepError, match="warmup_epochs"):
        load(plain, overrides)


JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, float("inf"), 10**400, "sgd", "", [], {}, [1, 0]),
    *({"choice": []}, {"choice": [[1], {"label": "a"}, None]}, {"uniform": [0, 1]}, [{"randint": [1, 2]}, 2]),
    *({"value": 3, "when": {"optimizer": "sgd"}}, {"when": {"lr": 1}}, {"a.b": 1}),
)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_stands_in_a_file_is_either_accepted_for_good_or_explained(data: st.DataObject) -> None:
    tree = read(SHIPPED / "starter.yaml").data
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = tree
        while True:
            keys = sorted(node) if isinstance(node, dict) else range(len(node))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
                break
            node = node[key]
        node[key] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
    found = problems(tree)
    assert all(problem.seen and problem.required and "Input" not in problem.required for problem in found)
    if not found:
        assert isinstance(loading.resolved(tree), Sweep)


def test_loading_imports_nothing_heavy() -> None:
    program = f"""
import sys
from search_spaces.checks import warnings
from search_spaces.load import load
from search_spaces.schema import json_schema

warnings(load({str(SHIPPED / "digits.yaml")!r}))
json_schema()
print(sorted({{"torch", "ray", "optuna", "pandas", "pyarrow", "numpy", "tuner", "results"}} & set(sys.modules)))
"""
    answer = subprocess.run([sys.executable, "-c", program], cwd=SHIPPED.parent, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_relative_path_becomes_absolute_because_workers_stand_elsewhere(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "images" / "train.parquet").touch()
    monkeypatch.chdir(tmp_path)
    assert load(plain, ["data.name=parquet", "data.path=images"]).data.path == str(tmp_path / "images")
