"""The command line in this process, as the tests call it."""

import sys
from collections.abc import Callable

import pytest

from tuner.cli import main

# Arguments -> exit code, standard output, standard error.
Command = Callable[..., tuple[int, str, str]]


def caller(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return what calls `shortlist` with some arguments."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["shortlist", *arguments])
        code = main.answer()
        said = capsys.readouterr()
        return code, said.out, said.err

    return call
