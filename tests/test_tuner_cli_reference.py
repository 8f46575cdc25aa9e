"""docs/cli.md: up to date and complete."""

import inspect
from pathlib import Path

import pytest
from typer.main import get_command

from tuner.cli import reference
from tuner.cli.main import app
from tuner.errors import ClusterUnreachable, GateRefused, SweepFailed, UsageError
from tuner.interrupts import INTERRUPTED

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
COMMANDS = reference.commands()


def test_the_page_in_docs_is_the_one_that_the_commands_give() -> None:
    assert PAGE.read_text() == reference.render(), "write it anew: python -m tuner.cli.reference > docs/cli.md"


def test_every_command_of_the_group_is_on_the_page() -> None:
    group = get_command(app)
    assert set(group.commands) == set(COMMANDS)  # type: ignore[attr-defined]  # a group, which has them


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_that_the_command_line_takes_is_in_its_table(name: str) -> None:
    command = get_command(app).commands[name]  # type: ignore[attr-defined]  # a group, which has them
    shown = " ".join(written for written, *_ in reference.rows(COMMANDS[name]))
    for parameter in command.params:
        if parameter.hidden or parameter.name == "help":
            continue
        flags = parameter.opts if parameter.opts[0].startswith("-") else [parameter.metavar or f"[{parameter.name.upper()}]"]
        assert all(f"`{flag}`" in shown for flag in flags), parameter.opts


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_and_option_has_a_meaning(name: str) -> None:
    assert [written for written, *_, meaning in reference.rows(COMMANDS[name]) if not meaning] == []


def test_exit_codes_are_those_of_the_errors() -> None:
    codes = reference.exit_codes()
    raised = {error.exit_code for error in (ClusterUnreachable, GateRefused, SweepFailed, UsageError)}
    assert set(codes) == {0, INTERRUPTED, *raised}
    assert all(codes.values())


def test_a_default_is_the_one_of_the_function() -> None:
    serve = {written: default for written, _, default, _ in reference.rows(COMMANDS["serve"])}
    assert serve["`--port` PORT"] == str(inspect.signature(COMMANDS["serve"]).parameters["port"].default)
    assert serve["`--token` TOKEN"] == "or `SHORTLIST_TOKEN`"
    assert {written: default for written, _, default, _ in reference.rows(COMMANDS["run"])}["`SWEEP.yaml`"] == "required"
