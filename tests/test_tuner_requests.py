"""What people ask of a sweep: obeyed once, refused with a reason, and a sweep that was extended goes on."""

from pathlib import Path
from typing import Any

import pytest
import recorded
from sweeps import START, Recorder, by_quality, flat_cost, make_search, make_sweep, report, started

from results.event_lines import encode
from results.events import (
    Asked,
    Decided,
    DriverStarted,
    DriverStopped,
    Ended,
    Event,
    Extended,
    Hidden,
    Launched,
    Noted,
    Reported,
    StopRequested,
    Suggested,
    Tagged,
    stamp,
)
from results.history import History
from results.storage import Storage
from tuner import requests
from tuner.errors import UsageError
from tuner.restore import restore
from tuner.search import Search
from tuner.simulate import simulate

NONE = {"none": {"max_epochs": 3}}
GRID = {"model": {"family": "resnet", "blocks": [1], "channels": {"choice": [4, 8]}}, "lr": {"choice": [0.1, 0.01]}}


def signed(number: int = 1) -> dict[str, str]:
    return {"at": stamp(START), "request": f"request-{number}", "author": "ada"}


def running(**changes: Any) -> tuple[Search, Recorder]:
    """Return a sweep with a driver and one trial at work."""
    search, recorder = make_search(make_sweep(**changes))
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    assert search.next_job(START) is not None
    return search, recorder


def to_the_end(search: Search, *, workers: int = 1, max_epochs: int | None = None) -> None:
    simulate(search, by_quality(3), num_workers=workers, start_s=START, max_epochs=max_epochs)


def test_a_note_a_tag_and_hiding_are_kept_on_the_trial_and_survive_a_restart() -> None:
    search, recorder = running()
    search.obey(Noted(**signed(1), trial="t00001", text="spikes"), START)
    search.obey(Noted(**signed(2), trial=None, text="slow node"), START)
    search.obey(Tagged(**signed(3), trial="t00001", added=("b", "a"), removed=()), START)
    search.obey(Tagged(**signed(4), trial="t00001", added=(), removed=("b",)), START)
    search.obey(Hidden(**signed(5), trials=("t00001",), hidden=True), START)
    restored, _ = make_search(search.sweep, recorder.events)
    for history in (search.history, restored.history):
        record = history.trials["t00001"]
        assert ([note.text for note in record.notes], record.tags, record.hidden) == (["spikes"], ("a",), True)
        assert [note.text for note in history.notes] == ["slow node"]
        assert history.requests == {f"request-{number}" for number in range(1, 6)}
    assert search.history.trials["t00001"].status == "running"


def test_a_stopped_trial_ends_at_once_and_its_worker_is_told_with_the_next_report() -> None:
    search, recorder = running()
    search.obey(StopRequested(**signed(), trials=("t00001",)), START)
    record = search.history.trials["t00001"]
    assert (record.status, record.reason) == ("stopped", "stopped by ada")
    assert not search.history.running
    job = search.next_job(START)
    assert job is not None
    assert job.trial == "t00002"
    epochs = search.budget.epochs
    late = dict.fromkeys(("score", "val_accuracy", "val_loss", "train_accuracy", "train_loss", "lr"), 0.5)
    figures = {"wall_s": 1.0, "device_s": 1.0, "images_per_s": 1.0, "peak_memory_bytes": 0}
    report = Reported(at=stamp(START), trial="t00001", attempt=1, epoch=1, checkpoint=None, worker="w", device="cpu", **late, **figures)  # type: ignore[arg-type]  # numbers
    assert search.report(report, START).action == "stop"
    assert (search.budget.epochs, record.epochs) == (epochs, 0)
    to_the_end(search)
    assert search.history.trials["t00001"].status == "stopped"
    assert [type(event) for event in recorder.events].count(StopRequested) == 1


def test_a_paused_trial_that_was_stopped_is_never_promoted() -> None:
    sweep = make_sweep(trials=3, scheduler={"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3}})
    search, recorder = make_search(sweep)
    to_the_end(search, max_epochs=2)
    best = max(search.history.trials.values(), key=lambda record: record.rungs.get(1) or 0).trial
    search.obey(StopRequested(**signed(), trials=(best,)), START)
    restored, _ = make_search(sweep, recorder.events)
    restored.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    to_the_end(restored)
    record = restored.history.trials[best]
    assert (record.status, record.epochs) == ("stopped", 1)
    assert restored.history.num_completed == 1


def test_a_stop_whose_end_was_not_written_yet_is_finished_by_the_next_driver() -> None:
    search, recorder = running()
    search.obey(StopRequested(**signed(), trials=("t00001",)), START)
    assert isinstance(recorder.events[-1], Ended)
    restored, second = make_search(search.sweep, recorder.events[:-1])
    assert restored.history.trials["t00001"].reason == "stopped by ada"
    assert [type(event) for event in second.events] == [Ended]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (StopRequested(**signed(), trials=("t00009",)), "has no trial t00009, its trials go up to t00001"),
        (Noted(**signed(), trial="t00009", text="x"), "has no trial t00009"),
        (Noted(**signed(), trial=None, text=" "), "the note is empty"),
        (Hidden(**signed(), trials=("t00001", "t00009"), hidden=True), "has no trial t00009"),
        (Tagged(**signed(), trial="t00001", added=(), removed=("a",)), "t00001 has no tag a; it has none"),
        (Extended(**signed()), "nothing to extend"),
        (Extended(**signed(), trials=9), "--trials: 9, must be more than the 9 trials"),
        (Extended(**signed(), epochs=9), "--epochs: test has no limit of epochs in the budget"),
        (Extended(**signed(), gpu_hours=1.5), "--gpu-hours: test has no limit"),
        (Extended(**signed(), trials=2_000_000), "at most 1,000,000"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_and_leaves_no_trace(asked: Asked, message: str) -> None:
    search, recorder = running()
    before = list(recorder.events)
    with pytest.raises(UsageError, match=message):
        search.obey(asked, START)
    assert recorder.events == before


def test_a_trial_that_has_ended_cannot_be_stopped() -> None:
    search, _ = make_search(make_sweep(trials=1, scheduler=NONE))
    to_the_end(search)
    with pytest.raises(UsageError, match="t00001 is completed already, there is nothing to stop"):
        search.obey(StopRequested(**signed(), trials=("t00001",)), START)


def test_finished_sweep_that_is_extended_draws_on_where_it_would_have_drawn() -> None:
    few, few_recorder = make_search(make_sweep(trials=4, scheduler=NONE))
    to_the_end(few)
    few.record(DriverStopped(at=stamp(START), reason="finished"))
    assert few.history.finished
    few.obey(Extended(**signed(), trials=9), START)
    assert not few.history.finished
    assert few.num_trials == 9
    restored, recorder = make_search(few.sweep, few_recorder.events)
    to_the_end(restored)
    many, _ = make_search(make_sweep(trials=9, scheduler=NONE))
    to_the_end(many)
    drawn = {trial: record.config_hash for trial, record in many.history.trials.items()}
    assert {trial: record.config_hash for trial, record in restored.history.trials.items()} == drawn
    assert sum(isinstance(event, Suggested) for event in recorder.events) == 5
    assert restored.done


def test_running_sweep_that_is_extended_goes_on_without_a_restart() -> None:
    search, _ = make_search(make_sweep(trials=2, scheduler=NONE))
    to_the_end(search)
    assert search.done
    search.obey(Extended(**signed(), trials=3), START)
    assert not search.done
    to_the_end(search)
    assert (search.history.num_completed, search.done) == (3, True)


@pytest.mark.parametrize("scheduler", [NONE, {"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3, "variant": "stopping"}}])
def test_trials_that_the_budget_cut_off_go_on_when_it_is_extended(scheduler: dict[str, Any]) -> None:
    sweep = make_sweep(trials=5, scheduler=scheduler, budget={"epochs": 4})
    search, recorder = make_search(sweep)
    to_the_end(search, workers=2)
    assert search.stopped_by is not None
    assert search.budget.epochs == 4
    search.record(DriverStopped(at=stamp(START), reason="budget"))
    search.obey(Extended(**signed(), epochs=1000), START)
    restored, _ = make_search(sweep, recorder.events)
    to_the_end(restored, workers=2)
    free, _ = make_search(make_sweep(trials=5, scheduler=scheduler))
    to_the_end(free, workers=2)
    assert restored.stopped_by is None
    assert len(restored.history.trials) == 5
    assert restored.history.counts().keys() == free.history.counts().keys()
    assert "paused" not in restored.history.counts()


def test_more_trials_are_launched_although_the_budget_had_a_limit_of_trials_too() -> None:
    search, _ = make_search(make_sweep(trials=9, scheduler=NONE, budget={"trials": 3}))
    to_the_end(search)
    assert len(search.history.trials) == 3
    search.record(recorded.started(num_trials=9))
    search.obey(Extended(**signed(), trials=12), START)
    to_the_end(search)
    assert (len(search.history.trials), search.stopped_by) == (12, None)


def test_a_grid_cannot_grow_beyond_its_combinations() -> None:
    search, _ = make_search(make_sweep(trials=None, trial=GRID, search={"sampler": "grid"}, scheduler=NONE))
    search.record(recorded.started(num_trials=search.num_trials))
    with pytest.raises(UsageError, match="the grid sampler of test has 4 candidates in all"):
        search.obey(Extended(**signed(), trials=5), START)


def test_a_grid_with_drawn_parts_goes_round_as_often_as_it_is_extended() -> None:
    tree = GRID | {"lr": {"loguniform": [1e-3, 1e-1]}}
    search, _ = make_search(make_sweep(trial=tree, search={"sampler": "grid", "random": ["lr"], "trials": 3}, scheduler=NONE))
    to_the_end(search)
    search.obey(Extended(**signed(), trials=7), START)
    to_the_end(search)
    assert len(search.history.trials) == 7


@pytest.mark.parametrize(("asked", "launched", "in_all"), [("5", 5, 9), ("+1", 3, 9), ("12", 12, 12)])
def test_a_budget_of_fewer_trials_than_are_asked_for_can_be_raised(asked: str, launched: int, in_all: int) -> None:
    search, recorder = make_search(make_sweep(trials=9, scheduler=NONE, budget={"trials": 2}))
    to_the_end(search)
    assert len(search.history.trials) == 2
    search.obey(requests.extension(search.history, search.sweep, {"trials": asked}, author="ada", now=START), START)
    for extended in (search, make_search(search.sweep, recorder.events)[0]):
        to_the_end(extended)
        assert len(extended.history.trials) == launched
        assert extended.num_trials == in_all


def test_amounts_are_new_totals_or_so_many_more() -> None:
    sweep = make_sweep(trials=4, budget={"epochs": 10, "gpu_hours": 0.5, "wall_clock": "1h"})
    search, _ = make_search(sweep)
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))

    def asked(**limits: str) -> Extended:
        return requests.extension(search.history, sweep, dict(limits), author="ada", now=START)

    search.obey(asked(epochs="+5", gpu_hours="2", wall_clock_s="+1800.0"), START)
    assert (search.budget.limits.epochs, search.budget.limits.gpu_hours, search.budget.limits.wall_clock_s) == (15, 2.0, 5400.0)
    for wrong in ("x", "+", "-3", "0", "nan", "+0"):
        with pytest.raises(UsageError, match="must be a number > 0"):
            asked(epochs=wrong)
    with pytest.raises(UsageError, match="must be a whole number"):
        asked(trials="7.5")
    with pytest.raises(UsageError, match="nothing to extend: name at least one"):
        asked()


def test_two_who_ask_for_more_at_once_are_both_given_it() -> None:
    sweep = make_sweep(trials=4)
    search, recorder = make_search(sweep)
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    both = [requests.extension(search.history, sweep, {"trials": more}, author="ada", now=START) for more in ("+3", "+2")]
    for request in both:
        search.obey(request, START)
    assert search.num_trials == 9
    assert [(event.trials, event.more) for event in recorder.events if isinstance(event, Extended)] == [(7, ()), (9, ())]


def test_what_people_say_between_two_drivers_costs_no_wall_clock() -> None:
    search, _ = make_search(make_sweep(trials=2, scheduler=NONE, budget={"wall_clock": "1h"}))
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    search.record(DriverStopped(at=stamp(START + 60), reason="interrupted"))
    search.obey(Noted(**signed(), trial=None, text="a night later"), START + 36_000)
    assert search.budget.wall_s(START + 40_000) == 60
    search.record(DriverStarted(at=stamp(START + 50_000), host="host", pid=1, slots=1))
    assert search.budget.wall_s(START + 50_030) == search.history.driven_s(START + 50_030) == 90


def killed_while(search: Search, recorder: Recorder) -> list[Event]:
    """Return the journal of a driver that was killed between a report at a rung and its decision."""
    search.report(report(started(search), 1, at=stamp(START + 5)), START + 5)
    assert isinstance(recorder.events[-1], Decided)
    return recorder.events[:-1]


@pytest.mark.parametrize("asked", [None, StopRequested(**signed(), trials=("t00001",))])
def test_what_follows_for_the_trials_of_a_killed_driver_costs_no_wall_clock(asked: StopRequested | None) -> None:
    search, recorder = make_search(make_sweep(budget={"wall_clock": 600}))
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    events = killed_while(search, recorder)
    morning = START + 36_000
    if asked is not None:
        events += requests.facts(History.of(events), search.sweep, asked, morning)
    recorder = Recorder()
    restored = restore(search.sweep, events, cost=flat_cost, append=recorder, now=morning)
    restored.record(DriverStarted(at=stamp(morning), host="host", pid=2, slots=1))
    assert len(recorder.events) == (2 if asked is None else 1)
    again, _ = make_search(search.sweep, [*events, *recorder.events])
    for known in (restored, again):
        assert known.budget.wall_s(morning + 1) == pytest.approx(6.0)
        assert known.history.driven_s(morning + 1) == pytest.approx(6.0)


def test_request_is_obeyed_once_even_if_its_file_outlives_the_driver(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    search, recorder = running()
    note = Noted(**signed(), trial="t00001", text="once")

    def obey(asked: Asked) -> None:
        search.obey(asked, START)

    requests.send(storage, note)
    assert requests.is_waiting(storage, note)
    assert requests.obey_waiting(storage, search.history, obey) == 1
    assert not requests.is_waiting(storage, note)
    requests.send(storage, note)  # as if the driver had been killed before it deleted the file
    restored, second = make_search(search.sweep, recorder.events)
    assert requests.obey_waiting(storage, restored.history, lambda asked: restored.obey(asked, START)) == 0
    assert not requests.is_waiting(storage, note)
    assert not any(isinstance(event, Noted) for event in second.events)


def test_request_that_is_refused_is_answered_and_taken_out_of_the_inbox(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    search, recorder = running()
    before = len(recorder.events)
    wrong = Noted(**signed(), trial="t00077", text="x")
    requests.send(storage, wrong)
    for name, content in {"b": "{", "c": '{"event": "Launched"}', "d": "7", "e": str(encode(wrong)).replace("'", '"')}.items():
        storage.write_atomic(f"requests/{name}.json", content.encode())
    mistyped = encode(Hidden(**signed(2), trials=("t00001",), hidden=True)) | {"trials": 5}
    storage.write_atomic("requests/f.json", str(mistyped).replace("'", '"').replace("True", "true").encode())
    assert requests.obey_waiting(storage, search.history, lambda asked: search.obey(asked, START)) == 0
    assert requests.waiting(storage) == []
    assert len(recorder.events) == before
    refused = requests.answer(storage, wrong)
    assert refused is not None
    assert "has no trial t00077" in refused
    assert requests.answer(storage, wrong) is None
    assert sorted(path.name for path in storage.path("requests").iterdir()) == [f"{name}.refused" for name in "bcdef"]


def test_ids_sort_by_the_time_of_asking_and_none_is_given_twice() -> None:
    ids = [requests.new_id(START + seconds) for seconds in (0, 0.001, 1, 3600, 86_400)]
    assert ids == sorted(ids)
    assert len({requests.new_id(START) for _ in range(100)}) == 100


def test_launched_trials_are_not_touched_by_an_extension_of_trials_alone() -> None:
    search, recorder = make_search(make_sweep(trials=2, scheduler=NONE))
    to_the_end(search)
    launched = sum(isinstance(event, Launched) for event in recorder.events)
    search.obey(Extended(**signed(), trials=4), START)
    assert search.history.counts() == {"completed": 2}
    assert sum(isinstance(event, Launched) for event in recorder.events) == launched
