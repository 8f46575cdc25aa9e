"""The suite of benchmarks: no program forgotten, no record lost, a page that is what the records say, goals judged as they are meant."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from wrong_calls import assert_refused

from benchmarks import claims, records, render, suite
from benchmarks.claims import Claim
from benchmarks.entries import DATA, ENTRIES, NO_RECORD, Entry

FOLDER = Path(records.__file__).parent
ROOT = FOLDER.parent


def entry(record: str, *arguments: str, program: str = "made_up", minutes: float = 1.0) -> Entry:
    """Return an entry whose claim is the record's only figure."""
    return Entry(
        record, program, arguments, minutes, f"Title of {record}", "It compares.", ("scale.md",),
        lambda found: iter([claims.measured("a figure", found["figure"], " s", most=1)]),
    )  # fmt: skip


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program on the path that does what its first argument says."""
    (tmp_path / "made_up.py").write_text(
        "import json, sys, time\n"
        "word = sys.argv[1]\n"
        "if word == 'fail': sys.exit('the disk is full')\n"
        "if word == 'hang': time.sleep(600)\n"
        "if word == 'chat': print('no JSON'); sys.exit()\n"
        "figure = {'mean': float(word), 'sd': 0.1, 'n': 2}\n"
        "print(json.dumps({'about': {'n': 2, 'quiet': True}, 'figure': figure}))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "records").mkdir()
    return tmp_path


def test_every_program_is_in_the_suite_or_it_is_said_why_not() -> None:
    programs = {path.stem for path in FOLDER.glob("*.py") if "__main__" in path.read_text()}
    measured = {one.program.removeprefix("benchmarks.") for one in ENTRIES}
    assert programs == measured | set(NO_RECORD)
    assert not measured & set(NO_RECORD)


def test_the_suite_takes_under_twenty_minutes_and_names_each_record_once() -> None:
    assert sum(one.minutes for one in ENTRIES if not one.because) < 20
    names = [one.record for one in ENTRIES]
    assert len(set(names)) == len(names)
    assert {path.stem for path in records.FOLDER.glob("*.json")} <= set(names), "a record that no page shows"


def test_the_page_is_what_the_records_say() -> None:
    assert render.DOCUMENT.read_text() == render.document(), "python -m benchmarks.render > docs/benchmarks.md"


def test_the_page_links_to_headings_and_documents_that_are_there() -> None:
    page = render.document()
    headings = {render._anchor(title) for title in re.findall(r"(?m)^## (.*)$", page)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings
    for one in ENTRIES:
        assert all((ROOT / "docs" / name).exists() for name in one.backs)


def test_a_program_that_fails_costs_its_own_record_only(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = program / "records"
    (folder / "bad.json").write_text("older")
    entries = [entry("bad", "fail"), entry("worse", "chat"), entry("late", "hang", minutes=-0.4995), entry("good", "0.5")]
    outcome = suite.measure(entries, {}, folder=folder, logs=program / "logs")
    assert outcome.measured == ["good"]
    assert json.loads((folder / "good.json").read_text())["figure"]["mean"] == 0.5
    assert (folder / "bad.json").read_text() == "older"
    assert sorted(path.name for path in folder.iterdir()) == ["bad.json", "good.json"]
    assert list(outcome.failed) == ["bad", "worse", "late"]
    assert "ended with 1: the disk is full" in outcome.failed["bad"]
    assert "not as expected" in outcome.failed["worse"]
    assert "did not end within" in outcome.failed["late"]
    assert "0.50 ± 0.10 s  a figure   goal ≤ 1 s: met" in capsys.readouterr().out
    assert suite.conclusion(outcome, 90).startswith("1 measured, 0 skipped, 3 failed, in 1.5 min\n  FAILED bad: ended with 1")


def test_what_needs_data_is_skipped_without_it_and_runs_with_it(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = entry("figure", DATA)
    outcome = suite.measure([one], {}, folder=program / "records", logs=program / "logs")
    assert outcome.skipped == {"figure": "needs --data FOLDER, CIFAR-10 as Parquet"}
    assert "figure: skipped, needs --data FOLDER" in capsys.readouterr().out
    assert suite.measure([one], {DATA: ["0.25"]}, folder=program / "records", logs=program / "logs").measured == ["figure"]


def test_a_failure_ends_the_suite_with_1_after_the_page_was_written(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program)
    monkeypatch.setattr(suite, "ENTRIES", (entry("bad", "fail"), entry("good", "0.5")))
    monkeypatch.setattr(render, "DOCUMENT", program / "benchmarks.md")
    monkeypatch.setattr(suite.records, "FOLDER", program / "records")
    assert suite.main(["good"]) == 0
    (program / "benchmarks.md").unlink()
    assert suite.main([]) == 1
    assert (program / "benchmarks.md").read_text() == render.document(program / "records", suite.ENTRIES)
    assert [path.name for path in (program / "records").iterdir()] == ["good.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], "speed: no such record; there are tutorial_way,"),
        (["--data", "absent"], "--data: absent has no train*.parquet, must be a folder that has"),
        (["--tables", "absent"], "--tables: absent has no *.parquet"),
    ],
)
def test_a_wrong_call_of_the_suite_ends_with_2_and_says_why(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(suite.main, arguments, message, capsys)


def test_a_page_tells_what_is_not_met_not_measured_and_not_known(tmp_path: Path) -> None:
    (tmp_path / "slow.json").write_text(json.dumps({"figure": {"mean": 1.25, "sd": 0.5, "n": 3}}))
    page = render.document(tmp_path, [entry("slow"), entry("absent")])
    assert page.count("| a figure | 1.25 ± 0.50 s | 3 | ≤ 1 s | **not met** |") == 2, "at a glance, and in its section"
    assert "an unknown processor; not known whether the machine was quiet; commit unknown; versions unknown" in page
    assert "Not measured yet: run the command." in page


@pytest.mark.parametrize(("mean", "met"), [(0.85, True), (1.0, True), (0.84, False), (1.2, False)])
def test_a_plan_may_err_to_both_sides(mean: float, met: bool) -> None:
    (claim,) = claims.plan_accuracy({"predicted_over_real": {"digits": {"mean": mean, "sd": 0.0, "n": 2}}})
    assert claim.met is met


@pytest.mark.parametrize(("mean", "sd", "met"), [(1.02, 0.01, False), (1.02, 0.04, True), (0.9, 0.01, True)])
def test_watching_costs_something_only_where_it_is_seen_beyond_the_noise(mean: float, sd: float, met: bool) -> None:
    figure = {"mean": 1.0, "sd": 0.0, "n": 4}
    record: dict[str, Any] = {
        "about": {"settings": {"clients": 50}},
        "watched_over_alone": {"mean": mean, "sd": sd, "n": 4},
        "watched": {"server_processor_share": figure, "leaderboard_ms_median": figure},
    }
    assert next(claims.serve_load(record)).met is met


def test_a_single_run_shows_no_spread_and_a_goal_is_in_the_unit_that_is_shown() -> None:
    claim = claims.measured("a share", {"mean": 0.948, "sd": 0.0, "n": 1}, " %", digits=1, scale=100, least=95)
    assert claim == Claim("a share", "94.8 %", 1, "≥ 95 %", False)


def test_a_record_says_how_it_was_made_and_names_no_folder(tmp_path: Path) -> None:
    about = records.start().about(n=3, settings={"data": tmp_path, "repeats": 3, "tables": [tmp_path / "a.parquet"]})
    assert about["settings"] == {"data": tmp_path.name, "repeats": 3, "tables": ["a.parquet"]}
    assert about["n"] == 3
    assert about["cores"] >= 1
    assert set(about["busy"]) == set(about["load"]) == {"before", "after"}
    looks = [share for share in about["busy"].values() if share is not None]
    assert about["quiet"] == (max(looks) <= records.QUIET if looks else None)
    assert str(tmp_path) not in records.text({"about": about})
    assert {"commit", "versions", "processor", "measured_at", "wall_s"} <= set(about)


def test_a_busy_machine_is_called_busy() -> None:
    start = records.Start(clock=0.0, load=1.5, busy=0.9)
    assert start.about(n=1)["quiet"] is False
    assert render.quietness({"quiet": False, "load": {"before": 1.5}}) == "**busy machine** (load 1.5 before)"
    assert render.quietness({"quiet": True}) == "quiet machine"


def test_spread_of_one_value_is_nothing() -> None:
    assert records.spread([2.0]) == {"mean": 2.0, "sd": 0.0, "n": 1}
    assert records.spread([1.0, 3.0]) == {"mean": 2.0, "sd": 1.4142, "n": 2}
