"""What a user sees when the storage fails: one line, the right exit code, and a sweep that is as it was and can be gone on with."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disks import mounted
from sweeps import START, by_quality, flat_cost, make_sweep

from results import journal
from results.history import History
from results.storage import Storage
from tuner.session import hold
from tuner.simulate import simulate

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

# The command line with simulated workers in place of Ray's: `run FOLDER BYTES` searches there, no file being longer than BYTES.
COMMAND = """
import resource, sys
sys.path.insert(0, "tests")
from pathlib import Path
from sweeps import START, by_quality, flat_cost, make_sweep
from results.storage import Storage
from tuner.cli import main
from tuner.session import hold
from tuner.simulate import simulate

def run():
    if sys.argv[3] != "0":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    with hold(make_sweep(trials=60), Storage(Path(sys.argv[2])), source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(0), num_workers=1, start_s=START)

if sys.argv[1] == "run":
    main.app = lambda **options: run()
main.main()
"""


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120)


def begun(storage: Storage) -> Storage:
    """Store a sweep of a few trials that was interrupted."""
    with hold(make_sweep(trials=60), storage, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(0), num_workers=1, start_s=START, max_epochs=8)
        session.search.stopped_by = "the test"
    return storage


def said(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the line for the user; it must be the last one, and no traceback before it."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with 200 KiB."""
    with mounted(tmp_path / "disk", "200k") as folder:
        yield folder


def test_disk_that_fills_up_ends_the_run_with_code_one_and_it_goes_on_when_there_is_room(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(120_000))
    line = said(call("run", str(small_disk / "s"), "0"), 1)
    assert line == f"shortlist: {small_disk / 's' / 'journal'}: No space left on device; make room, then go on with: shortlist resume"
    kept = History.of(journal.read(Storage(small_disk / "s")))
    assert len(kept.trials) > 5
    (small_disk / "ballast").unlink()
    done = call("run", str(small_disk / "s"), "0")
    assert done.returncode == 0, done.stderr
    history = History.of(journal.read(Storage(small_disk / "s")))
    assert (len(history.trials), history.finished) == (60, True)
    assert {trial: record.config_hash for trial, record in kept.trials.items()}.items() <= {
        trial: record.config_hash for trial, record in history.trials.items()
    }.items()


def test_file_that_may_not_grow_ends_the_run_in_the_middle_of_a_line_and_loses_none_before(tmp_path: Path) -> None:
    """As on a full disk, for users who may not mount one: the last write is cut off by the system at a byte of its choosing."""
    line = said(call("run", str(tmp_path / "s"), "20000"), 1)
    assert line.startswith(f"shortlist: {tmp_path / 's' / 'journal'}: File too large; make room")
    segment = tmp_path / "s" / "journal" / "00000001.jsonl"
    assert segment.stat().st_size == 20_000
    assert not segment.read_bytes().endswith(b"\n")
    done = call("run", str(tmp_path / "s"), "0")
    assert done.returncode == 0, done.stderr
    assert History.of(journal.read(Storage(tmp_path / "s"))).finished


def test_read_only_storage_can_be_looked_at_and_everything_else_is_refused_with_code_two(small_disk: Path) -> None:
    storage = begun(Storage(small_disk / "s"))
    folder = str(storage.root)
    before = contents(storage.root)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "interrupted" in call("status", folder).stdout or "ended by its budget" in call("status", folder).stdout
    assert call("leaderboard", folder).returncode == 0
    for arguments in (("run", folder, "0"), ("note", folder, "x"), ("stop", folder, "1"), ("extend", folder, "--trials", "+1")):
        line = said(call(*arguments), 2)
        assert "Read-only file system; make it writable for this user" in line
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert contents(storage.root) == before


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("sweep.json", b'{"sweep": {"ver', "sweep.json is damaged"),
        ("sweep.json", b'{"sweep": {"version": 7}}', "sweep.json was written by another release, or changed by hand"),
        ("journal/00000001.jsonl", None, "segment 00000001.jsonl is missing; put it back"),
        ("journal/00000001.jsonl", b'{"n":1,"event":"SweepMerged","at":"x"}\n', "00000001.jsonl:1: the journal holds a 'SweepMerged'"),
        ("journal/00000001.jsonl", b'{"n":1,"eve\n', "00000001.jsonl:1: not an event"),
        (
            "journal/00000001.jsonl",
            b'{"n":3,"event":"DriverStopped","at":"x","reason":"x"}\n',
            "00000001.jsonl:1: events 1 to 2 ",
        ),
    ],
)
def test_damaged_files_end_with_code_two_and_are_left_as_they_are(tmp_path: Path, name: str, damage: bytes | None, message: str) -> None:
    storage = begun(Storage(tmp_path / "s"))
    begun(storage)
    assert len(list(storage.path("journal").iterdir())) == 2
    if damage is None:
        storage.path(name).unlink()
    else:
        storage.path(name).write_bytes(damage)
    before = contents(storage.root)
    for arguments in (("run", str(storage.root), "0"), ("note", str(storage.root), "x")):
        assert message in said(call(*arguments), 2)
    assert contents(storage.root) == before


def test_driver_that_another_host_has_taken_over_writes_nothing_more(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "s")
    line = ""
    with hold(make_sweep(), storage, source=None, cost=flat_cost) as session:
        session.start(1)
        storage.write_atomic("driver.json", b'{"host": "node7", "pid": 12, "since": "2026-11-21T12:00:00.000+00:00"}')
        session.lock.beat()
        before = contents(storage.path("journal"))
        with pytest.raises(Exception, match="process 12 on node7 has taken the sweep over") as caught:
            session.look_up(0.0)
        line = str(caught.value)
    assert "shortlist status" in line
    assert contents(storage.path("journal")) == before
    assert b"node7" in storage.read("driver.json")
