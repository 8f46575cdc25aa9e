"""docs/tutorial.md: every file it shows is written, every command run, in order; what it prints has the form that the page shows."""

import functools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from documents import ROOT, Step, blocks, steps

PAGE = ROOT / "docs" / "tutorial.md"
INTERRUPT = "^C"
ANY = "..."  # any number of lines
# Seconds and scores are the machine's, and who leads follows from them: what is compared is what is said, line by line.
MASKS = (
    (r"^ *(\d+  )?t\d{5} .*", "ROW"),
    (r"\b(t\d{5}-\d+ep|\d+x\d+ep)-[0-9a-f]{6}\b", "FOLDER"),
    (r"\bt\d{5}\b", "TRIAL"),
    (r"[\u2800-\u28ff\u2581-\u2588]+", "~"),
    (r"\d[\d.,:e-]*( ?(kB|MB|MiB|ms|[smh%])(?!\w))?", "#"),
    (r"[-#]?#[# ]*", "#"),
    (r" +", " "),
)


def skeleton(lines: Sequence[str]) -> list[str]:
    """Return lines without what differs between machines."""
    return [functools.reduce(lambda text, mask: re.sub(*mask, text), MASKS, line).strip() for line in lines]


def fits(shown: Sequence[str], said: Sequence[str]) -> bool:
    """Say whether lines are those that the page shows."""
    if not shown:
        return not said
    if shown[0] == ANY:
        return any(fits(shown[1:], said[start:]) for start in range(len(said) + 1))
    return bool(said) and shown[0] == said[0] and fits(shown[1:], said[1:])


def interrupted(command: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Start a command, press Ctrl-C when a trial has reported its first epoch, and return exit code and last words."""
    with subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as running:
        while running.poll() is None and not any('"Reported"' in file.read_text() for file in folder.glob("runs/*/journal/*.jsonl")):
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        return running.wait(), running.stderr.read().splitlines()[-1]


def check(step: Step, folder: Path, environment: Mapping[str, str]) -> int:
    """Run one command, hold what it says against the page, and return its exit code."""
    if step.shown[:1] == (INTERRUPT,):
        code, said = interrupted(step.command, folder, environment)
        shown: Sequence[str] = step.shown[1:]
    else:
        done = subprocess.run(["bash", "-c", step.command], cwd=folder, env=environment, capture_output=True, text=True)
        code, shown, said = done.returncode, step.shown, done.stdout.rstrip() or done.stderr.rstrip()
    assert not shown or fits(skeleton(shown), skeleton(said.splitlines())), f"$ {step.command}\n{said}"
    return code


def test_a_line_is_compared_by_what_it_says_not_by_the_machines_figures() -> None:
    assert skeleton(["9 trials in 14s, t00001: 97.6%"]) == skeleton(["9 trials in 1m 2s, t00008: 8%"])
    assert skeleton(["   1  t00001     97.6  adam"]) == ["ROW"]
    assert fits(["a", ANY, "b"], ["a", "x", "y", "b"])
    assert not fits(["a", ANY, "b"], ["a", "x", "y"])
    assert not fits(["a"], ["a", "b"])


@pytest.mark.ray
def test_every_command_of_the_tutorial_does_what_the_page_shows(tmp_path: Path) -> None:
    binaries, folder = tmp_path / "bin", tmp_path / "first-sweep"
    binaries.mkdir()
    folder.mkdir()
    shortlist = binaries / "shortlist"
    shortlist.write_text(f'#!/bin/bash\nexec {sys.executable} -m tuner.cli "$@"\n')
    shortlist.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHORTLIST_") or name == "SHORTLIST_CACHE"} | {
        "PATH": f"{binaries}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
    }
    code, ran = 0, 0
    found = sorted((block for language in ("yaml", "python", "console") for block in blocks(PAGE, language)), key=lambda block: block.line)
    for block in found:
        if block.name:
            (folder / block.name).write_text(block.text)
        for step in steps(block) if block.language == "console" else ():
            if step.command == "echo $?":
                assert step.shown == (str(code),), f"{block}: the command before ended with {code}"
                code = 0
                continue
            assert code in (0, 130), f"{block}: the command before `{step.command}` ended with {code}"
            code = check(step, folder, environment)
            assert (code == 130) == (step.shown[:1] == (INTERRUPT,))
            ran += 1
    assert ran >= 12
    assert code == 0
    assert list(folder.glob("runs/first/finals/*/model.safetensors"))
    assert (folder / "runs/first/report.html").stat().st_size > 100_000
