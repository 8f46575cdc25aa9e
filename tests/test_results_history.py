import gc
from collections.abc import Iterator

import pytest
import recorded

from results.errors import Unreadable
from results.events import Decided, Event, Repeated
from results.history import History, TrialRecord

T = "t00001"


def trial(*events: Event) -> TrialRecord:
    return History.of([recorded.started(), recorded.driver(), recorded.suggested(T), *events]).trials[T]


def test_a_suggested_trial_is_pending_until_it_is_launched() -> None:
    assert trial().status == "pending"
    assert not trial().waiting_retry
    assert trial(recorded.launched(T)).status == "running"


def test_a_trial_that_was_told_to_pause_is_paused_and_says_where() -> None:
    record = trial(recorded.launched(T), recorded.reported(T, 1), recorded.reported(T, 2), recorded.decided(T, 2, 0.5))
    assert (record.status, record.reason) == ("paused", "waits at rung 2")
    assert record.rungs == {2: 0.5}
    assert (record.checkpoint, record.checkpoint_epoch) == ("trials/t00001/checkpoints/000002", 2)


@pytest.mark.parametrize("status", ["completed", "stopped", "diverged", "out_of_memory", "failed"])
def test_an_end_is_final(status: str) -> None:
    record = trial(
        recorded.launched(T), recorded.ended(T, status, "why"), recorded.ended(T, "failed", "later"), recorded.decided(T, 2, 0.5)
    )
    assert (record.status, record.reason, record.ended_at) == (status, "why", recorded.AT)
    assert record.ended is not None
    assert record.ended.log_tail == ("last line",)


@pytest.mark.parametrize("interruption", [recorded.driver(), recorded.stopped("interrupted")])
def test_what_a_driver_had_running_waits_to_be_launched_again(interruption: Event) -> None:
    history = History.of([recorded.started(), recorded.driver(), recorded.suggested(T), recorded.launched(T), interruption])
    record = history.trials[T]
    assert (record.status, record.waiting_retry, record.lost_last) == ("pending", True, False)
    assert history.next_pending() == T
    history.apply(recorded.launched(T, attempt=2))
    assert (record.status, record.waiting_retry, record.attempt) == ("running", False, 2)
    assert history.next_pending() is None


def test_a_lost_worker_is_told_from_a_driver_that_ended() -> None:
    record = trial(recorded.launched(T), recorded.lost(T))
    assert (record.status, record.waiting_retry, record.lost_last, record.num_lost) == ("pending", True, True, 1)
    assert record.reason == "the worker's process was killed (signal 9)"


def test_a_late_notice_of_loss_does_not_touch_the_new_attempt() -> None:
    record = trial(recorded.launched(T), recorded.lost(T), recorded.launched(T, attempt=2), recorded.lost(T, attempt=1))
    assert record.status == "running"


def test_only_the_first_report_of_an_epoch_counts() -> None:
    record = trial(recorded.launched(T), recorded.reported(T, 1, 0.5), recorded.reported(T, 1, 0.9))
    assert record.curve[1].score == 0.5
    assert record.wall_s == 1.5


def test_a_report_of_an_older_attempt_or_of_a_trial_that_does_not_run_is_ignored() -> None:
    record = trial(recorded.launched(T), recorded.lost(T), recorded.reported(T, 1))
    assert record.epochs == 0
    record = trial(recorded.launched(T), recorded.lost(T), recorded.launched(T, attempt=2), recorded.reported(T, 1, attempt=1))
    assert (record.epochs, record.device_s) == (0, 0.0)


def test_an_epoch_trained_again_costs_and_changes_nothing_else() -> None:
    again = Repeated(at=recorded.AT, trial=T, attempt=2, epoch=1, device_s=2.0)
    before = [recorded.launched(T), recorded.reported(T, 1), recorded.lost(T), recorded.launched(T, attempt=2)]
    record = trial(*before, again)
    assert record.device_s == 1.25 + 2.0
    assert (list(record.curve), record.wall_s, record.status) == ([1], 1.5, "running")


def test_a_rung_passed_without_a_pause_is_kept_with_its_score() -> None:
    record = trial(recorded.launched(T), recorded.reported(T, 2, 0.6), recorded.decided(T, 2, 0.6, "continue"))
    assert (record.status, record.rungs) == ("running", {2: 0.6})


def test_a_decision_between_rungs_is_no_rung() -> None:
    pause = Decided(at=recorded.AT, trial=T, epoch=1, rung_epochs=None, score=0.5, action="pause", cutoff=None, reason="budget")
    record = trial(recorded.launched(T), recorded.reported(T, 1), pause)
    assert (record.status, record.rungs, record.reason) == ("paused", {}, "budget")


def test_the_search_finds_the_next_draw_the_seen_configurations_and_the_rejected() -> None:
    history = History.of([
        recorded.started(),
        recorded.suggested("t00001", draw=2, rejected={"duplicate": 1, "parameters": 1}),
        recorded.suggested("t00002", draw=7, rejected={"duplicate": 4}),
    ])  # fmt: skip
    assert (history.next_draw, history.num_suggested) == (8, 2)
    assert history.config_hashes == {"hash-of-t00001": "t00001", "hash-of-t00002": "t00002"}
    assert history.rejected == {"duplicate": 5, "parameters": 1}
    assert history.next_pending() == "t00001"


def test_a_trial_that_found_no_memory_does_not_count_against_those_asked_for() -> None:
    history = History.of(recorded.sweep(16))
    assert (history.num_suggested, history.num_counted, history.num_completed) == (16, 15, 1)
    assert history.counts() == {"paused": 12, "completed": 1, "diverged": 1, "out_of_memory": 1, "failed": 1}


def test_running_trials_are_known_at_once() -> None:
    history = History.of([recorded.started(), recorded.driver(), recorded.suggested(T), recorded.launched(T)])
    assert set(history.running) == {T}
    history.apply(recorded.ended(T, "stopped"))
    assert not history.running


def test_a_driver_that_was_killed_still_stands_in_the_history() -> None:
    assert History.of(recorded.sweep(reason=None)).driver == recorded.driver()
    history = History.of(recorded.sweep(reason="budget"))
    assert (history.driver, history.stopped) == (None, recorded.stopped("budget"))


def test_facts_about_an_unknown_trial_are_damage() -> None:
    with pytest.raises(Unreadable, match="Launched of t00009, which was never suggested"):
        History.of([recorded.started(), recorded.launched("t00009")])
    with pytest.raises(Unreadable, match="suggests t00001 twice"):
        trial(recorded.suggested(T))


def test_host_and_times_come_from_the_facts() -> None:
    record = trial(recorded.launched(T), recorded.reported(T, 1, worker="node-3.local:99", device="NVIDIA H200"))
    assert (record.host, record.device, record.started_at, record.ended_at) == ("node-3.local", "NVIDIA H200", recorded.AT, None)


def test_a_journal_that_breaks_off_leaves_the_garbage_collector_as_it_was() -> None:
    def broken() -> Iterator[Event]:
        yield recorded.started()
        assert not gc.isenabled()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        History.of(broken())
    assert gc.isenabled()
