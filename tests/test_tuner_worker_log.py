import subprocess
import sys
from pathlib import Path

from tuner import worker_log

DIES = """
import os, sys
from pathlib import Path
from tuner import worker_log

log = worker_log.attach(Path(sys.argv[1]) / "t00001")
print("from python")
sys.stdout.flush()
os.write(2, b"from a library\\n" * int(sys.argv[2]))
os._exit(1)
"""


def say(folder: Path, lines: int) -> tuple[str, ...]:
    done = subprocess.run([sys.executable, "-c", DIES, str(folder), str(lines)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    return worker_log.tail(folder / "t00001")


def test_last_words_of_a_process_are_kept_and_those_of_its_successor_take_their_place(tmp_path: Path) -> None:
    assert say(tmp_path, 1) == ("from python", "from a library")
    assert say(tmp_path, 2) == ("from python", "from a library", "from a library")


def test_of_a_long_log_the_end_is_shown(tmp_path: Path) -> None:
    assert say(tmp_path, 10_000) == ("from a library",) * worker_log.TAIL_LINES


def test_no_log_is_an_empty_one_and_an_empty_one_is_dropped(tmp_path: Path) -> None:
    assert worker_log.tail(tmp_path) == ()
    for text in ("", "said\n"):
        path = tmp_path / worker_log.NAME
        path.write_text(text)
        worker_log.drop_if_empty(path)
        assert path.exists() == bool(text)
