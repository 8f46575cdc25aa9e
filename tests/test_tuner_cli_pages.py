"""report, as it is typed."""

import webbrowser
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from results.errors import NotASweep
from tests import recorded
from tuner.cli import pages

app = typer.Typer()
app.command()(pages.report)


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    recorded.store(tmp_path / "runs" / "digits", recorded.sweep(6))
    return tmp_path / "runs"


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_report_is_written_beside_the_sweep_or_where_one_likes(runs: Path) -> None:
    assert said("digits").startswith("runs/digits/report.html: ")
    assert said("digits", "-o", "mine.html").startswith("mine.html: ")
    assert "kB" in said("runs/digits", "--storage", "elsewhere")
    for page in (runs / "digits" / "report.html", Path("mine.html")):
        assert page.read_text().startswith("<!doctype html>")
        assert "t00006" in page.read_text()


def test_report_is_opened_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    said("digits", "-o", "mine.html", "--open")
    assert opened == [Path("mine.html").resolve().as_uri()]


def test_report_of_an_unknown_sweep_names_those_that_there_are() -> None:
    with pytest.raises(NotASweep, match="did you mean digits"):
        said("digit")
