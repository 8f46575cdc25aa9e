"""Each odd thing that can come from a worker, under each rule: what becomes of the trial, of the rung and of the journal."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sweeps import START, Recorder, by_quality, make_search, make_sweep, report, started

from results.events import Decided, DriverStarted, DriverStopped, Ended, Event, Launched, Lost, Repeated, Reported, stamp
from tuner.search import Search
from tuner.simulate import simulate

RUNGS = {"min_epochs": 1, "max_epochs": 9, "eta": 3}
RULES: dict[str, dict[str, Any]] = {
    "promotion": {"asha": RUNGS},
    "stopping": {"asha": RUNGS | {"variant": "stopping"}},
    "hyperband": {"hyperband": RUNGS},
    "median": {"median": {"max_epochs": 9}},
    "patience": {"none": {"max_epochs": 9}, "patience": {"epochs": 2}},
}


def make(rule: str, trials: int = 9, events: Sequence[Event] = ()) -> tuple[Search, Recorder]:
    recorder = Recorder()
    recorder.events = list(events)
    return make_search(make_sweep(trials=trials, scheduler=RULES[rule]), events, recorder)


def reopened(rule: str, events: Sequence[Event], trials: int = 9) -> tuple[Search, Recorder]:
    """Return the search as the next driver finds it."""
    search, recorder = make(rule, trials, events)
    search.record(DriverStarted(at=stamp(START), host="host", pid=2, slots=1))
    return search, recorder


def of_kind(recorder: Recorder, kind: type[Event]) -> list[Any]:
    return [event for event in recorder.events if isinstance(event, kind)]


@pytest.mark.parametrize("rule", RULES)
def test_diverged_trial_leaves_the_others_to_be_judged_without_it(rule: str) -> None:
    search, _ = make(rule, trials=4)
    first = started(search)
    assert search.report(report(first, 1, None), START).action == "stop"
    simulate(search, by_quality(0), num_workers=2, start_s=START)
    assert search.done
    assert search.history.counts()["diverged"] == 1
    assert not search.history.trials[first.trial].rungs
    assert search.history.num_completed >= (0 if rule == "patience" else 1)


@pytest.mark.parametrize("rule", ["promotion", "hyperband"])
def test_report_after_the_decision_to_pause_changes_nothing_and_is_told_to_stop(rule: str) -> None:
    search, recorder = make(rule)
    job = started(search)
    assert search.report(report(job, 1), START).action == "pause"
    before = list(recorder.events)
    for epoch in (1, 2):
        answer = search.report(report(job, epoch), START)
        assert answer.action == "stop"
        assert "late" in answer.reason
    assert recorder.events == before
    assert search.history.trials[job.trial].status == "paused"


@pytest.mark.parametrize("rule", RULES)
def test_report_after_the_end_changes_nothing_and_is_told_to_stop(rule: str) -> None:
    search, recorder = make(rule)
    job = started(search)
    search.end(job.trial, job.attempt, "failed", "reason", START)
    before = list(recorder.events)
    assert search.report(report(job, 1), START).action == "stop"
    search.lost(job.trial, job.attempt, "gone", START)
    search.end(job.trial, job.attempt, "failed", "again", START)
    assert recorder.events == before


@pytest.mark.parametrize("rule", ["stopping", "median", "patience"])
def test_report_delivered_twice_counts_once_and_is_answered_as_before(rule: str) -> None:
    search, recorder = make(rule)
    job = started(search)
    assert search.report(report(job, 1, 0.25), START).action == "continue"
    before = list(recorder.events)
    assert search.report(report(job, 1, 0.75), START).action == "continue"
    assert recorder.events == before
    assert search.budget.epochs == 1
    assert search.history.trials[job.trial].curve[1].score == 0.25
    assert search.report(report(job, 2, 0.5), START).action == "continue"


@pytest.mark.parametrize("rule", RULES)
def test_driver_killed_between_a_report_and_its_decision_decides_at_the_next_start(rule: str) -> None:
    search, recorder = make(rule)
    simulate(search, by_quality(5), num_workers=1, start_s=START)
    decided = [place for place, event in enumerate(recorder.events) if isinstance(event, (Decided, Ended))]
    assert decided
    for place in decided:
        again, journal = reopened(rule, recorder.events[:place])
        first = next(event for event in journal.events[place:] if not isinstance(event, DriverStarted))
        assert replace(first, at="") == replace(recorder.events[place], at="")  # type: ignore[type-var]  # any event has a time
        assert recorder.events[place].trial not in again.history.running  # type: ignore[union-attr]  # one of a trial


def test_driver_killed_between_the_third_loss_and_the_end_ends_the_trial_at_the_next_start() -> None:
    search, recorder = make("promotion", trials=1)
    for _ in range(3):
        job = started(search)
        search.lost(job.trial, job.attempt, "gone", START)
    assert isinstance(recorder.events[-1], Ended)
    again, _ = reopened("promotion", recorder.events[:-1], trials=1)
    assert again.history.counts() == {"failed": 1}
    assert again.next_job(START) is None


@pytest.mark.parametrize("rule", RULES)
def test_skipped_epoch_ends_the_run_and_journals_nothing(rule: str) -> None:
    search, recorder = make(rule)
    job = started(search)
    before = list(recorder.events)
    with pytest.raises(ValueError, match=r"t00001 reported epoch 3 after epoch 0: a worker skipped an epoch"):
        search.report(report(job, 3), START)
    assert recorder.events == before


@pytest.mark.parametrize("reported", [0, 1, 2, 3])
@pytest.mark.parametrize("rule", ["stopping", "median"])
def test_worker_lost_after_any_number_of_epochs_goes_on_from_the_last_checkpoint(rule: str, reported: int) -> None:
    search, recorder = make(rule)
    job = started(search)
    for epoch in range(1, reported + 1):
        assert search.report(report(job, epoch, epoch / 10, checkpoint="c2" if epoch == 2 else None), START).action == "continue"
    search.lost(job.trial, job.attempt, "gone", START)
    again = started(search)
    assert (again.trial, again.attempt, again.from_epoch, again.checkpoint) == (job.trial, 2, *((2, "c2") if reported >= 2 else (0, None)))
    for epoch in range(again.from_epoch + 1, reported + 2):
        assert search.report(report(again, epoch, epoch / 10), START).action == "continue"
    assert [event.epoch for event in of_kind(recorder, Repeated)] == list(range(again.from_epoch + 1, reported + 1))
    assert [event.epoch for event in of_kind(recorder, Reported)] == list(range(1, reported + 2))


def test_worker_lost_on_the_way_up_keeps_the_promotion_and_promotes_nobody_else() -> None:
    search, recorder = make("promotion", trials=3)
    for score in (0.1, 0.2, 0.3):
        job = started(search)
        search.report(report(job, 1, score, checkpoint="rung"), START)
    promoted = started(search)
    assert (promoted.trial, promoted.from_epoch) == ("t00003", 1)
    search.lost("t00003", promoted.attempt, "gone", START)
    again = started(search)
    assert (again.trial, again.from_epoch, again.until_epoch, again.checkpoint) == ("t00003", 1, 3, "rung")
    assert search.next_job(START) is None
    assert [event.why for event in of_kind(recorder, Launched)] == ["new", "new", "new", "promotion", "retry"]


def test_drained_leader_that_loses_its_worker_is_drained_on() -> None:
    search, _ = make("promotion", trials=1)
    job = started(search)
    search.report(report(job, 1, checkpoint="rung"), START)
    drained = started(search)
    search.lost(drained.trial, drained.attempt, "gone", START)
    simulate(search, by_quality(0), num_workers=1, start_s=START)
    assert search.history.counts() == {"completed": 1}


def test_drained_leader_that_diverges_hands_over_to_the_next() -> None:
    search, _ = make("promotion", trials=2)
    for score in (0.2, 0.1):
        job = started(search)
        search.report(report(job, 1, score, checkpoint="rung"), START)
    drained = started(search)
    assert drained.trial == "t00001"
    search.report(report(drained, 2, None), START)
    assert started(search).trial == "t00002"


def test_loss_of_a_paused_trial_changes_nothing() -> None:
    search, recorder = make("promotion")
    job = started(search)
    search.report(report(job, 1), START)
    search.lost(job.trial, job.attempt, "gone", START)
    assert not of_kind(recorder, Lost)
    assert search.history.trials[job.trial].status == "paused"


@pytest.mark.parametrize("status", ["failed", "out_of_memory", "diverged", "completed"])
def test_trial_that_ends_by_itself_stays_counted_in_its_rungs_and_is_never_promoted(status: Any) -> None:
    search, _ = make("promotion", trials=6)
    for score in (0.1, 0.2, 0.9):
        job = started(search)
        search.report(report(job, 1, score, checkpoint="rung"), START)
    promoted = started(search)
    assert promoted.trial == "t00003"
    search.end("t00003", promoted.attempt, status, "by itself", START)
    following = [started(search) for _ in range(2)]
    assert {job.from_epoch for job in following} == {0}  # one of three may go on from rung 1, and t00003 was that one
    for job, score in zip(following, (0.3, 0.4), strict=True):
        search.report(report(job, 1, score, checkpoint="rung"), START)
    sixth = started(search)
    search.report(report(sixth, 1, 0.5, checkpoint="rung"), START)
    assert (started(search).trial, search.history.trials["t00003"].status) == (sixth.trial, status)


def test_epoch_that_was_lost_with_its_decision_is_judged_when_it_is_trained_again() -> None:
    search, recorder = make("stopping")
    job = started(search)
    search.report(report(job, 1, 0.5), START)
    again, journal = reopened("stopping", recorder.events[:2])  # as far as Suggested and Launched
    retried = started(again)
    assert (retried.from_epoch, retried.attempt) == (0, 2)
    assert again.report(report(retried, 1, 0.5), START).action == "continue"
    assert [(event.epoch, event.action) for event in of_kind(journal, Decided)] == [(1, "continue")]


def test_workers_lost_with_their_nodes_do_not_add_up_as_long_as_the_trial_gets_further() -> None:
    search, recorder = make("median", trials=1)
    for epoch in range(1, 9):
        job = started(search)
        for again in range(job.from_epoch + 1, epoch + 1):
            search.report(report(job, again, 0.5, checkpoint=f"c{again}"), START)
        search.lost(job.trial, job.attempt, "its node went away", START, node_lost=True)
    assert search.history.counts() == {"pending": 1}
    job = started(search)
    assert (job.from_epoch, job.attempt) == (8, 9)
    search.report(report(job, 9, 0.5), START)
    assert of_kind(recorder, Ended)[-1].status == "completed"


def test_trial_that_loses_node_after_node_without_an_epoch_is_failed() -> None:
    search, recorder = make("median", trials=1)
    for _ in range(10):
        job = started(search)
        search.lost(job.trial, job.attempt, "its node went away", START, node_lost=True)
    (ended,) = of_kind(recorder, Ended)
    assert (ended.status, ended.reason) == ("failed", "its worker was lost 10 times: its node went away")


def test_trial_that_killed_its_worker_three_times_is_failed_with_its_log_between_lost_nodes() -> None:
    search, recorder = make("median", trials=1)
    for node_lost in (False, True, False, True, False):
        assert not of_kind(recorder, Ended)
        job = started(search)
        search.lost(job.trial, job.attempt, "gone", START, node_lost=node_lost, log_tail=("segmentation fault",))
    (ended,) = of_kind(recorder, Ended)
    assert (ended.status, ended.reason, ended.log_tail) == ("failed", "its worker was lost 3 times: gone", ("segmentation fault",))


def fail(search: Search, number: int, reason: str) -> None:
    for _ in range(number):
        job = started(search)
        search.end(job.trial, job.attempt, "failed", reason, START)


def test_sweep_most_of_whose_trials_fail_starts_no_more_and_says_the_commonest_reason() -> None:
    search, _ = make("median", trials=40)
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    good = [started(search) for _ in range(4)]
    fail(search, 2, "no such file")
    fail(search, 2, "disk on fire")
    assert search.failing is None, "four of eight are not more than half, and too few"
    fail(search, 1, "no such file")
    assert search.failing is None, "five are too few"
    fail(search, 1, "no such file")
    assert search.failing == "6 of the 10 trials launched failed, 4 of them with: no such file"
    assert search.next_job(START) is None
    search.report(report(good[0], 1), START)
    assert not search.done, "the others may still be heard"


def test_sweep_that_stopped_for_failures_goes_on_with_other_candidates_when_resumed() -> None:
    search, recorder = make("median", trials=8)
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    fail(search, 6, "no such file")
    assert search.failing is not None
    search.record(DriverStopped(at=stamp(START), reason="failing"))

    again, _ = reopened("median", recorder.events, trials=8)
    assert again.failing is None
    simulate(again, by_quality(0), num_workers=2, start_s=START)
    assert again.history.counts()["failed"] == 6
    assert len(again.history.trials) == 14, "eight are tried besides the six that failed"


def test_diverged_trials_and_those_out_of_memory_stop_no_sweep() -> None:
    search, _ = make("median", trials=20)
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    for number in range(14):
        job = started(search)
        if number % 2:
            search.end(job.trial, job.attempt, "out_of_memory", "the device is full", START)
        else:
            search.report(report(job, 1, None), START)
    assert search.failing is None
