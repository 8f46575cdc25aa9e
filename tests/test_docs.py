"""The documents say what is so: links lead somewhere, commands exist, sweep files load, what is cheap to run runs."""

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import demo_sweep
import pytest
from documents import LINK, ROOT, Block, anchors, blocks, calls, documents, steps
from PIL import Image
from ruamel.yaml import YAML
from typer.main import get_command
from typer.testing import CliRunner

from search_spaces.load import load
from search_spaces.scheduler_options import RULES
from search_spaces.sweep import Sweep
from tuner.cli.main import app

HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
QUICK = {"compare", "extend", "leaderboard", "replay", "report", "show", "status", "winners"}
PAGES = {str(page.relative_to(ROOT)): page for page in documents()}

BASE: Mapping[str, Any] = {
    "name": "base",
    "data": {"name": "digits"},
    "trial": {"model": {"family": "resnet", "blocks": [1], "channels": 8}, "lr": {"loguniform": [1e-4, 1e-1]}},
    "search": {"trials": 8},
    "scheduler": {"asha": {"max_epochs": 27}},
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    lost = []
    for target in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            lost.append(target)
    assert lost == []


def test_every_page_is_named_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / target).resolve() for target in LINK.findall(index.read_text())}
    pages = {page for page in documents() if page.is_relative_to(index.parent) and page != index}
    assert pages - named == set()
    assert "](docs/README.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_command_in_a_document_is_one_that_the_command_line_takes(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHORTLIST_STORAGE", "SHORTLIST_ADDRESS", "SHORTLIST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    group: Any = get_command(app)
    for line, words in calls(page):
        if words[0] in ("COMMAND", "--debug") or any(word.startswith("[") for word in words):
            continue  # a synopsis
        assert words[0] in group.commands, f"{page}:{line}: shortlist {' '.join(words)}"
        if len(words) == 1:
            continue  # named in a sentence: without its arguments it is no call
        try:
            group.commands[words[0]].make_context(words[0], words[1:])
        except Exception as error:
            raise AssertionError(f"{page}:{line}: shortlist {shlex.join(words)}: {error}") from error


def sweep_files() -> list[Block]:
    """Return the pieces of sweep files in the pages that people wrote; those of docs/sweep-file.md have a test of their own."""
    return [block for page in documents() if page.name != "sweep-file.md" for block in blocks(page, "yaml")]


@pytest.mark.parametrize("block", sweep_files(), ids=str)
def test_every_piece_of_a_sweep_file_is_accepted(block: Block, tmp_path: Path) -> None:
    written: dict[str, Any] = YAML(typ="safe", pure=True).load(block.text)
    assert set(written) <= set(Sweep.model_fields)
    content = {**BASE, **written, "trial": {**BASE["trial"], **written.get("trial", {})}}
    if not set(content["scheduler"]) & set(RULES):
        content["scheduler"] = {**BASE["scheduler"], **content["scheduler"]}
    if "path" in content["data"]:
        content["data"] = {**content["data"], "path": str(tmp_path)}
        (tmp_path / "train.parquet").touch()
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(content, text)
    (tmp_path / "sweep.yaml").write_text(text.getvalue())
    load(tmp_path / "sweep.yaml")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a sweep called digits has ended, as the how-to pages have one."""
    folder = tmp_path_factory.mktemp("how-to")
    sweep = demo_sweep.demo(12, name="digits", budget={"gpu_hours": 50, "wall_clock": "40h"})
    demo_sweep.store(folder / "runs" / "digits", sweep, demo_sweep.events(sweep))
    return folder


def readable(block: Block) -> list[str]:
    """Return the commands of a block that need neither Ray nor a cluster nor a file."""
    return [step.command for step in steps(block) if step.command.startswith("shortlist ") and step.command.split()[1] in QUICK]


ENDED = [block for page in HOW_TO if page.name != "cluster.md" for block in blocks(page, "console") if readable(block)]


@pytest.mark.slow
@pytest.mark.parametrize("block", ENDED, ids=str)
def test_commands_about_a_sweep_that_has_ended_do_their_work(block: Block, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished)
    monkeypatch.setenv("NO_COLOR", "1")
    for command in readable(block):
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.exit_code == 0, f"{block}: {command}\n{result.output}\n{result.exception}"
        assert result.output


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own-data.md", "own-network.md"])
def test_own_images_and_networks_get_as_far_as_the_plan(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "how-to" / name
    monkeypatch.chdir(tmp_path)
    for block in [*blocks(page, "python"), *blocks(page, "yaml")]:
        if block.name:
            Path(block.name).write_text(block.text)
    for number in range(100):
        folder = Path("photos", "train" if number < 80 else "test", ("cat", "dog")[number % 2])
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (number, 0, 90)).save(folder / f"{number}.jpg")
    ran = 0
    for step in (step for block in blocks(page, "console") for step in steps(block) if "--smoke" not in step.command):
        program = [sys.executable] if step.command.startswith("python ") else [sys.executable, "-m", "tuner.cli"]
        words = [*program, *shlex.split(step.command)[1:]]
        done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
        assert done.returncode == 0, f"{step.command}\n{done.stderr}"
        assert step.shown in ((), ("...",)) or tuple(done.stdout.splitlines()) == step.shown
        ran += 1
    assert ran >= 2


@pytest.mark.slow
def test_the_program_that_compares_sweeps_runs(finished: Path) -> None:
    [program] = blocks(ROOT / "docs" / "how-to" / "earlier-sweeps.md", "python")
    done = subprocess.run([sys.executable, "-c", program.text], cwd=finished, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "score" in done.stdout
