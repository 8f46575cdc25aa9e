import re

import pyarrow as pa
import pytest
import recorded

from results import leaderboard
from results.events import Event
from results.history import History
from results.leaderboard_text import duration, lines, next_command, text_columns
from results.tables import markdown
from results.terminal import Terminal

PLAIN = Terminal()


def table(*events: Event, **changes: object) -> pa.Table:
    return leaderboard.derive(History.of([recorded.started(**changes), *events] if events else recorded.sweep()))


def test_the_answer_names_sweep_state_metric_and_the_next_command() -> None:
    shown = lines(table(), terminal=PLAIN)
    assert shown[0] == "digits: finished, 16 trials (12 paused, 1 completed, 1 diverged, 1 out of memory, 1 failed)"
    assert shown[1] == "val_accuracy in %, higher is better; by rung reached, then by score there"
    assert shown[-1] == "next: shortlist promote digits --trial t00007"
    assert "in all trials: flip no" in shown


def test_a_row_shows_percent_the_rung_as_dots_and_what_differs() -> None:
    header, winner = lines(table(), terminal=PLAIN)[3:5]
    names = "rank trial score % best % rung epochs parameters status model optimizer lr momentum batch_size reason"
    assert " ".join(header.split()) == names
    assert re.match(r" +1  t00007 +\d\d\.\d +\d\d\.\d  ●●● 18 +18 +[\d,]+  completed", winner)


@pytest.mark.parametrize("width", [40, 80, 120, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    shown = lines(table(), terminal=Terminal(width=width))
    assert max(map(len, shown[:-1])) <= max(width, 46)  # rank, trial, score, rung and status always stay


def test_a_narrow_table_says_what_it_leaves_out() -> None:
    shown = lines(table(), terminal=Terminal(width=80))
    assert any(line.startswith("left out at this width: ") for line in shown)
    assert not any("left out" in line for line in lines(table(), terminal=Terminal(width=200)))


def test_unranked_rows_come_last_and_faint_and_the_leader_is_bold() -> None:
    shown = lines(table(), terminal=Terminal(width=160, color=True))[4:20]
    assert shown[0].startswith("\033[1m")
    assert all("\033" not in line for line in shown[1:13])
    assert all(line.startswith("\033[2m") for line in shown[13:])
    assert "diverged" in shown[13]
    assert "training loss is not finite" in shown[13]


def test_a_terminal_without_colour_or_unicode_gets_neither() -> None:
    text = "\n".join(lines(table(), terminal=Terminal(width=80, unicode=False)))
    assert "\033" not in text
    assert "***" in text
    assert "●" not in text


def test_rows_left_out_are_counted() -> None:
    shown = lines(table(), terminal=PLAIN, n=5)
    assert "11 more rows: shortlist leaderboard digits -n 0" in shown
    assert sum(line.lstrip()[:1].isdigit() for line in shown[4:9]) == 5


def test_which_parameters_differ_is_judged_by_all_rows() -> None:
    whole = table()
    assert text_columns(whole.slice(0, 1), whole=whole)[-1].header == "batch_size"
    assert markdown(text_columns(whole.slice(0, 1), whole=whole)).count("\n") == 3


def test_parameters_go_by_the_shortest_name_that_is_their_own() -> None:
    values = {"a.lr": 0.1, "b.lr": 0.2, "model.blocks": "x"}
    other = {"a.lr": 0.3, "b.lr": 0.4, "model.blocks": "y"}
    events = [recorded.suggested("t00001", values=values), recorded.suggested("t00002", values=other)]
    header = lines(table(*events, parameters=tuple(values)), terminal=PLAIN)[3]
    assert header.split() == ["trial", "epochs", "parameters", "status", "a.lr", "b.lr", "blocks"]


def test_a_loss_is_shown_with_three_digits_and_lower_is_better() -> None:
    events = [recorded.suggested("t00001"), *recorded.segment("t00001", [1, 2], 0.81, attempt=1, rung=2)]
    shown = lines(table(*events, metric="val_loss", mode="min"), terminal=PLAIN)
    assert shown[1] == "val_loss, lower is better; by rung reached, then by score there"
    assert " 0.413 " in shown[4]


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ("finished", "shortlist promote digits --trial t00007"),
        ("budget", "shortlist promote digits --trial t00007"),
        ("interrupted", "shortlist resume digits"),
        ("failed", "shortlist resume digits"),
        (None, ""),
    ],
)
def test_the_next_command_fits_the_state(state: str | None, command: str) -> None:
    assert next_command(leaderboard.derive(History.of(recorded.sweep(reason=state))), "digits") == command


def test_a_path_with_blanks_is_quoted() -> None:
    assert next_command(table(), "my runs/digits") == "shortlist promote 'my runs/digits' --trial t00007"


def test_an_empty_and_a_wholly_failed_sweep_have_an_answer() -> None:
    assert lines(table(recorded.driver()), terminal=PLAIN) == ["digits: running, 0 of 16 trials", "no trial yet"]
    events = [
        recorded.suggested("t00001"),
        recorded.launched("t00001"),
        recorded.ended("t00001", "failed", "no such file"),
        recorded.stopped(),
    ]
    shown = lines(table(*events), terminal=PLAIN)
    assert shown[0] == "digits: finished, 1 of 16 trials (1 failed)"
    assert shown[-1].endswith("no such file")


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59.6, "1m 00s"), (80, "1m 20s"), (11_100, "3h 05m")])
def test_times_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
