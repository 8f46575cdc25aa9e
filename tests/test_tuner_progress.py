"""What a person sees while a sweep runs, on a terminal and elsewhere, fed by a simulated sweep."""

import io
import logging
import math
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from sweeps import START, by_quality, make_search, make_sweep

from results import bars
from results.events import DriverStarted, Reported, SweepStarted, stamp
from tuner import progress_lines as lines
from tuner.decisions import Decision, Job
from tuner.progress import Progress
from tuner.search import Search
from tuner.simulate import simulate

SLOTS = 2
RUNGS: dict[str, Any] = {"asha": {"min_epochs": 2, "max_epochs": 18, "eta": 3}}


@pytest.fixture(autouse=True)
def _drawn_whatever_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a look takes long, and the next would come late: the simulated sweep may be over by then."""
    monkeypatch.setattr("tuner.progress.MAX_SHARE", math.inf)


class Terminal(io.TextIOWrapper):
    """Collects what is written, in an encoding."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.raw_bytes = io.BytesIO()
        super().__init__(self.raw_bytes, encoding=encoding, write_through=True)

    @property
    def text(self) -> str:
        return self.raw_bytes.getvalue().decode(self.encoding)


class Shown:
    """A search whose reports are followed by a look at the progress, as the driver does it."""

    def __init__(self, search: Search, progress: Progress) -> None:
        self.search = search
        self.progress = progress

    def next_job(self, now: float) -> Job | None:
        return self.search.next_job(now)

    def report(self, event: Reported, now: float) -> Decision:
        decision = self.search.report(event, now)
        self.progress.update(now)
        return decision


def begin(search: Search) -> Search:
    sweep = search.sweep
    started = SweepStarted(
        at=stamp(START), sweep=sweep.name, sweep_hash="", metric=sweep.objective.metric, mode=sweep.objective.mode, parameters=("lr",),
        ladder=search.ladder, max_epochs=sweep.max_epochs, num_trials=search.num_trials, commit=None, versions={},
    )  # fmt: skip
    search.record(started, DriverStarted(at=stamp(START), host="host", pid=1, slots=SLOTS))
    return search


def show(
    *, live: bool, width: int = 80, encoding: str = "utf-8", stop_after: int | None = None, diverging: tuple[str, ...] = (), **changes: Any
) -> tuple[Terminal, Search]:
    """Run a simulated sweep of 16 trials with 0.4 s an epoch under a display; return what was written."""
    search = begin(make_search(make_sweep(**({"trials": 16, "scheduler": RUNGS} | changes)))[0])
    terminal = Terminal(encoding)
    console = Console(file=terminal, force_terminal=live, width=width, height=24, no_color=True, highlight=False, _environ={})
    progress = Progress([search], slots=SLOTS, console=console, live=live)
    curves = by_quality(1)
    progress.start()
    simulate(
        Shown(search, progress),
        lambda job, epoch: {"score": None} if job.trial in diverging and epoch == 2 else curves(job, epoch),
        num_workers=SLOTS, epoch_s=lambda job: 0.4, start_s=START, max_epochs=stop_after,
    )  # fmt: skip
    progress.stop()
    return terminal, search


def last_frame(terminal: Terminal) -> list[str]:
    """Return the lines of the last block drawn in place, without control sequences."""
    frames = re.split(r"(?:\x1b\[1A|\x1b\[2K|\r)+", terminal.text)
    block = [frame for frame in frames if frame.startswith("trials")][-1]
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", block).splitlines()


def test_terminal_shows_trials_leader_workers_failures_and_time_left() -> None:
    terminal, _ = show(live=True, stop_after=28, diverging=("t00004",))
    frame = dict(zip(("trials", "states"), last_frame(terminal), strict=False))
    text = "\n".join(last_frame(terminal))
    assert re.search(r"^trials +[━╍─·]{40}  \d+ of 16$", frame["trials"])
    assert re.search(r"[12] running · \d+ paused · 1 diverged · \d+ to come", frame["states"])
    assert re.search(r"(?m)^leader +t\d{5}  val_accuracy \d+\.\d% at rung [26]\b", text)
    assert re.search(r"(?m)^workers +[12] of 2 busy · \d\.\d epochs/s$", text)
    assert re.search(r"(?m)^failures +1, last: t00004 diverged: val_accuracy is not finite$", text)
    assert re.search(r"(?m)^time +\d+s · .* left$", text)


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    budget = {"epochs": 500, "gpu_hours": 2.0, "wall_clock": "2h"}
    terminal, _ = show(live=True, width=width, stop_after=50, diverging=("t00002", "t00003"), budget=budget)
    frame = last_frame(terminal)
    assert max(map(len, frame)) <= width
    assert len([line for line in frame if line.startswith("budget")]) == 3


def test_display_redraws_four_times_a_second_at_most_and_leaves_one_line() -> None:
    terminal, search = show(live=True)
    num_frames = len(re.findall("trials  ", terminal.text))
    seconds = search.budget.epochs * 0.4 / SLOTS
    assert 2 <= num_frames <= 4 * seconds + 1
    left = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.text.rsplit("\x1b[2K", 1)[-1]).strip()
    assert re.fullmatch(r"test: 16 of 16 trials · \d+ paused · \d completed · \d+ epochs in \d+s", left)


def test_plain_output_is_lines_with_news_and_a_status_every_ten_seconds() -> None:
    terminal, _ = show(live=False, trials=32, diverging=("t00004",))
    assert "\x1b" not in terminal.text
    assert "\r" not in terminal.text
    printed = terminal.text.splitlines()
    statuses = [line for line in printed if re.match(r" +\d+s  \d+ of 32 trials · ", line)]
    assert [int(line.split("s")[0]) for line in statuses] == [10 * number for number in range(1, len(statuses) + 1)]
    assert len(statuses) >= 2
    assert sum("t00004 diverged: val_accuracy is not finite" in line for line in printed) == 1
    assert any(re.search(r"new leader t\d{5}: val_accuracy \d+\.\d% at rung 2$", line) for line in printed)
    assert "epochs/s" in statuses[0]
    assert statuses[0].endswith(" left")


def test_many_failures_are_counted_rather_than_listed() -> None:
    everyone = tuple(f"t{number:05d}" for number in range(1, 33))
    terminal, _ = show(live=False, trials=32, diverging=everyone, scheduler={"none": {"max_epochs": 4}})
    assert len(re.findall(r"t\d{5} diverged", terminal.text)) == 10
    assert terminal.text.count("further failures are counted, not listed") == 1


def test_lost_worker_is_news() -> None:
    search = begin(make_search(make_sweep())[0])
    terminal = Terminal()
    progress = Progress([search], slots=1, console=Console(file=terminal, width=80), live=False)
    progress.start()
    job = search.next_job(START)
    assert job is not None
    search.lost(job.trial, job.attempt, "the worker process went away", START + 1)
    progress.update(START + 1)
    assert "t00001 lost its worker: the worker process went away, it goes on from epoch 0" in terminal.text


def test_what_an_earlier_driver_saw_is_no_news() -> None:
    _, search = show(live=False, stop_after=40, diverging=("t00004",))
    terminal = Terminal()
    progress = Progress([search], slots=SLOTS, console=Console(file=terminal, width=80), live=False)
    progress.start()
    progress.update(START + 100)
    assert terminal.text == ""


def test_a_terminal_that_knows_ascii_alone_gets_ascii() -> None:
    for live in (False, True):
        terminal, _ = show(live=live, encoding="ascii", diverging=("t00001",))
        assert ("#" in terminal.text) == live
        assert "16 trials . " in terminal.text


def test_before_the_first_rung_the_furthest_trial_is_shown_and_not_called_leader() -> None:
    terminal, _ = show(live=True, stop_after=8, scheduler={"none": {"max_epochs": 100}})
    text = "\n".join(last_frame(terminal))
    assert re.search(r"(?m)^furthest +t0000\d  val_accuracy \d+\.\d% at epoch [34] of 100$", text)
    assert re.search(r"(?m)^epochs +·+  [78] of 1,600$", text)
    assert "leader" not in text


def test_several_finals_share_one_display() -> None:
    searches = [
        begin(make_search(make_sweep(trials=2, scheduler={"none": {"max_epochs": 4}}, name=name))[0]) for name in ("first", "second")
    ]
    terminal = Terminal()
    progress = Progress(searches, slots=SLOTS, console=Console(file=terminal, width=80), live=False)
    progress.start()
    for search in searches:
        simulate(Shown(search, progress), by_quality(2), num_workers=SLOTS, epoch_s=lambda job: 1.0, start_s=START)
    progress.stop()
    assert terminal.text.splitlines()[-1].startswith("first, second: 4 of 4 trials · 4 completed · 16 epochs")


def test_a_display_that_breaks_is_logged_once_and_the_sweep_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "the terminal is gone")

    search = begin(make_search(make_sweep())[0])
    for live in (False, True):
        caplog.clear()
        progress = Progress([search], slots=1, console=Console(file=Broken(), force_terminal=live, width=80), live=live)
        with caplog.at_level(logging.ERROR):
            progress.start()
            for second in range(0, 30, 5):
                progress.update(START + second)
            progress.stop()
        assert [record.message for record in caplog.records] == ["progress cannot be shown; the sweep goes on without it"]


def test_updates_between_two_looks_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    search = begin(make_search(make_sweep())[0])
    progress = Progress([search], slots=1, console=Console(file=Terminal(), width=80), live=False)
    progress.start()
    progress.update(START)
    monkeypatch.setattr(progress, "_searches", None)  # whatever looked at it now would raise
    monkeypatch.setattr(progress, "_guarded", lambda draw: draw())
    progress.update(START + 0.1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "5s"), (7, "5s"), (8, "10s"), (57, "55s"), (58, "1m"), (200, "3m"), (3600, "1h"), (9000, "2.5h")]
)
def test_estimates_are_rounded_to_what_they_are_worth(seconds: float, text: str) -> None:
    assert bars.coarse(seconds) == text


def test_losses_are_minimised_and_shown_as_numbers() -> None:
    search = begin(make_search(make_sweep(objective={"metric": "val_loss", "mode": "min"}, scheduler={"none": {"max_epochs": 1}}))[0])
    simulate(search, by_quality(1), num_workers=1, start_s=START)
    leader = lines.leader(search)
    assert leader is not None
    best = min(replace(record.last).score or 0.0 for record in search.history.trials.values() if record.last is not None)
    assert lines.standing(search, leader) == (f"val_loss {best:.3g}", "at epoch 1, trained in full")
