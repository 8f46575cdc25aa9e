"""watch and serve, as they are typed."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import recorded
from driven import driving

ROOT = Path(__file__).parents[1]
MAIN = "import sys; from tuner.cli.main import main; sys.argv = ['shortlist', *sys.argv[1:]]; main()"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", MAIN, *arguments]


class Screen:
    """A command on a terminal of its own."""

    def __init__(self, *arguments: str, cwd: Path, columns: int = 100, lines: int = 30) -> None:
        self._leader, follower = pty.openpty()
        self.resize(columns, lines)
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")} | {
            "TERM": "xterm",
            "PYTHONPATH": str(ROOT),
        }
        self.process = subprocess.Popen(
            command(*arguments), stdin=follower, stdout=follower, stderr=follower, cwd=cwd, env=environment, start_new_session=True
        )
        os.close(follower)
        self.shown = ""

    def resize(self, columns: int, lines: int) -> None:
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, pattern: str, timeout_s: float = 60.0) -> None:
        """Read until something is shown."""
        deadline = time.monotonic() + timeout_s
        while not re.search(pattern, re.sub(r"\x1b\[[0-9;?]*m", "", self.shown)):
            assert time.monotonic() < deadline, self.shown[-3000:]
            assert self._read(), self.shown[-3000:]

    def type(self, text: str) -> None:
        os.write(self._leader, text.encode())

    def end(self) -> int:
        """Read to the end; return the exit code."""
        while self._read():
            pass
        os.close(self._leader)
        return self.process.wait(timeout=60)

    def _read(self) -> bool:
        if not select.select([self._leader], [], [], 60)[0]:
            return False
        try:
            chunk = os.read(self._leader, 65536)
        except OSError:  # Linux says so when the other end is closed
            return False
        self.shown += chunk.decode(errors="replace")
        return bool(chunk)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the sweep runs/live is being searched."""
    folder = tmp_path_factory.mktemp("watched")
    with driving(folder / "runs" / "live", "--trials", "4000", "--epoch-s", "0.1"):
        yield folder


def test_watch_of_a_sweep_that_has_ended_says_how_and_loads_neither_torch_nor_ray(tmp_path: Path) -> None:
    recorded.store(tmp_path / "runs" / "digits", recorded.sweep())
    script = MAIN.replace("main()", "\ntry:\n    main()\nexcept SystemExit:\n    pass\n")
    script += "print(sorted({'torch', 'ray', 'optuna'} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script, "watch", "digits"],
        capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60,
    )  # fmt: skip
    assert done.stderr == "[]\n"
    assert "sweep     digits, finished" in done.stdout
    assert done.stdout.splitlines()[-1] == "next: shortlist leaderboard digits"


@pytest.mark.slow
def test_q_leaves_the_terminal_as_it_was_and_the_sweep_alone(live: Path) -> None:
    screen = Screen("watch", "live", cwd=live)
    screen.until(r"workers +\d of 4 busy")
    screen.until(r"epoch \d+: val_accuracy")
    screen.type("q")
    assert screen.end() == 0
    assert screen.shown.rstrip().splitlines()[0] != ""
    assert "\x1b[?25h" in screen.shown, "the cursor is back"
    status = subprocess.run(command("status", "live", "-o", "json"), capture_output=True, text=True, cwd=live, timeout=60, check=True)
    assert json.loads(status.stdout)["driver"] is not None


@pytest.mark.slow
def test_ctrl_c_leaves_with_130_and_a_narrower_terminal_is_drawn_narrower(live: Path) -> None:
    screen = Screen("watch", "live", cwd=live, columns=140)
    screen.until(r"rank  trial")
    screen.resize(50, 12)
    screen.until(r"…")
    screen.shown = ""
    screen.until(r"workers")
    widths = [len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)) for line in re.split(r"[\r\n]+|\x1b\[2K", screen.shown)]
    assert max(widths) <= 50
    os.killpg(screen.process.pid, signal.SIGINT)
    assert screen.end() == 130


@pytest.mark.slow
def test_piped_it_prints_lines_until_the_sweep_ends(tmp_path: Path) -> None:
    with driving(tmp_path / "runs" / "short", "--trials", "40", "--epoch-s", "0.1"):
        done = subprocess.run(command("watch", "short"), capture_output=True, text=True, cwd=tmp_path, timeout=120, check=True)
    lines = done.stdout.splitlines()
    assert "\x1b" not in done.stdout
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d  (new )?leader t\d{5}: val_accuracy .*", line) for line in lines)
    assert any(line.endswith("driver: lets the sweep go, finished") for line in lines)
    assert any(line.startswith("trials    40 of 40") for line in lines)


@pytest.mark.slow
def test_serve_prints_an_address_with_its_token_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    recorded.store(tmp_path / "runs" / "digits", recorded.sweep())
    environment = {key: value for key, value in os.environ.items() if key != "SHORTLIST_TOKEN"} | {"PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        command("serve", "--port", "0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    )
    assert server.stdout is not None
    try:
        first = server.stdout.readline()
        found = re.fullmatch(r"sweeps of runs/ at (http://127\.0\.0\.1:(\d+))/\?token=([\w-]{40,})\n", first)
        assert found is not None, first
        address, port, token = found.groups()
        server.stdout.readline()
        with httpx.Client(follow_redirects=True) as browser:
            assert browser.get(f"{address}/").status_code == 401
            page = browser.get(f"{address}/?token={token}")
            assert page.status_code == 200
            assert page.url == f"{address}/"
            assert browser.get(f"{address}/api/v1/sweeps").json()[0]["sweep"] == "digits", "the cookie lets it in from now on"
        taken = subprocess.run(command("serve", "--port", port), capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60)
        assert taken.returncode == 2
        assert f"port {port}" in taken.stderr
        server.send_signal(signal.SIGINT)
        rest, errors = server.communicate(timeout=30)
    finally:
        server.kill()
        server.communicate()
    assert server.returncode == 0
    assert token not in rest + errors


@pytest.mark.slow
def test_serve_refuses_a_folder_that_is_not_there_and_a_token_that_is_too_short(tmp_path: Path) -> None:
    for arguments, said in (
        (("--storage", "nowhere"), "no such folder"),
        (("--storage", ".", "--port", "0", "--token", "abc"), "16 or more"),
    ):
        done = subprocess.run(command("serve", *arguments), capture_output=True, text=True, cwd=tmp_path, timeout=60)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
