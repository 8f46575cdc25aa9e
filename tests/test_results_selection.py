"""Rows of a leaderboard, chosen and ordered."""

import pytest

from results import curves, leaderboard
from results.errors import BadQuestion
from results.history import History
from results.selection import at_epoch, pareto, pick, sort, where
from tests import recorded

BOARD = leaderboard.derive(History.of(recorded.sweep()))
CURVES = curves.derive(History.of(recorded.sweep()))


def test_like_is_compared_with_like_at_one_epoch() -> None:
    rows = at_epoch(BOARD, CURVES, 2).to_pylist()
    at_two = {row["trial"]: row["val_accuracy"] for row in CURVES.to_pylist() if row["epoch"] == 2}
    assert {row["trial"] for row in rows} == set(at_two)
    ranked = [row for row in rows if row["rank"] is not None]
    assert [row["score"] for row in ranked] == sorted((row["score"] for row in ranked), reverse=True)
    assert all(row["score"] == at_two[row["trial"]] for row in ranked)
    assert [row["rank"] for row in ranked] == list(range(1, len(ranked) + 1))
    assert {row["rung_epochs"] for row in rows} == {2}


def test_epoch_that_nobody_reached_is_refused_with_the_longest() -> None:
    with pytest.raises(BadQuestion, match="the longest has 18 epochs"):
        at_epoch(BOARD, CURVES, 99)


def test_undominated_rows_are_kept_in_order() -> None:
    rows = pareto(BOARD, ["score", "parameters"]).to_pylist()
    assert rows
    assert [row["trial"] for row in rows] == [t for t in BOARD["trial"].to_pylist() if t in {row["trial"] for row in rows}]
    assert rows[0]["trial"] == BOARD["trial"][0].as_py() or rows[0]["parameters"] <= BOARD["parameters"][0].as_py()


def test_columns_of_text_have_no_front() -> None:
    with pytest.raises(BadQuestion, match="status: not a number"):
        pareto(BOARD, ["score", "status"])


def test_conditions_see_parameters_by_their_paths() -> None:
    rows = where(BOARD, ["optimizer", "epochs"], lambda value: value("optimizer") == "sgd" and value("epochs") > 2).to_pylist()
    assert rows
    assert all(row["config.optimizer"] == "sgd" and row["epochs"] > 2 for row in rows)
    with pytest.raises(BadQuestion, match="--where optimiser: no such column; did you mean optimizer"):
        where(BOARD, ["optimiser"], lambda value: True)


def test_sorting_puts_missing_values_last_both_ways() -> None:
    for column, reverse in (("score", False), ("-score", True)):
        values = sort(BOARD, column)["score"].to_pylist()
        present = [value for value in values if value is not None]
        assert present == sorted(present, reverse=reverse)
        assert values[len(present) :] == [None] * (len(values) - len(present))


def test_columns_are_called_by_name_or_by_the_parameters_path() -> None:
    assert pick(BOARD, ["trial", "lr", "config.optimizer"]).column_names == ["trial", "config.lr", "config.optimizer"]
    with pytest.raises(BadQuestion, match="did you mean optimizer"):
        pick(BOARD, ["optimiser"])
