"""Other settings over recorded curves: what is known is computed exactly, what is not is said."""

from typing import Any

import pytest
from sweeps import START, Recorder, by_quality, make_search, make_sweep

from results import ranking
from results.events import DriverStarted, Extended, stamp
from results.history import History
from search_spaces.sweep import Sweep
from tuner import replay_text
from tuner.decisions import Job
from tuner.errors import UsageError
from tuner.replay import Replay, changed, replay, variants
from tuner.requests import as_extended
from tuner.simulate import simulate

ASHA = {"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3}}
FULL = {"none": {"max_epochs": 9}}


def epoch_s(job: Job) -> float:
    return 1.0 + int(job.trial[1:]) % 3


def recorded(scheduler: dict[str, Any] = ASHA, *, trials: int = 18, workers: int = 2, seed: int = 4) -> tuple[Sweep, History]:
    sweep = make_sweep(trials=trials, scheduler=scheduler)
    search, recorder = make_search(sweep, recorder=Recorder())
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=workers))
    simulate(search, by_quality(seed), num_workers=workers, epoch_s=epoch_s, start_s=START)
    return sweep, History.of(recorder.events)


def replayed(sweep: Sweep, history: History, *overrides: str, workers: int = 2) -> Replay:
    options = changed(sweep, overrides, num_recorded=len(history.trials))
    return replay(options, history, setting=", ".join(overrides), workers=workers)


@pytest.mark.parametrize("rule", [ASHA, FULL, {"asha": {"min_epochs": 1, "max_epochs": 9, "variant": "stopping"}}])
def test_unchanged_settings_give_what_happened(rule: dict[str, Any]) -> None:
    sweep, history = recorded(rule)
    found = replayed(sweep, history)
    assert found.epochs == found.epochs_low == found.epochs_high == sum(len(record.curve) for record in history.trials.values())
    assert found.device_s == pytest.approx(sum(record.device_s for record in history.trials.values()))
    assert [winner.trial for winner in found.winners] == [ranking.order(history)[0].trial]
    assert found.unknown_trials == []


def test_sweep_that_was_extended_is_replayed_as_far_as_it_went() -> None:
    sweep = make_sweep(trials=6, scheduler=FULL, budget={"epochs": 20, "trials": 4})
    search, recorder = make_search(sweep, recorder=Recorder())
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    simulate(search, by_quality(4), num_workers=1, start_s=START)
    search.obey(Extended(at=stamp(START), request="more", author="ada", trials=8, epochs=60), START)
    simulate(search, by_quality(4), num_workers=1, start_s=START)
    history = History.of(recorder.events)
    extended = as_extended(history, sweep)
    assert (extended.search.trials, extended.budget.trials, extended.budget.epochs) == (8, 8, 60)
    found = replayed(extended, history, workers=1)
    assert (found.trials, found.epochs) == (len(history.trials), history.epochs) == (7, 60)


@pytest.mark.parametrize("overrides", [["scheduler.asha.eta=2"], ["scheduler.asha.delayed=true"], ["scheduler.asha.min_epochs=3"]])
def test_full_curves_answer_every_setting_as_if_it_had_been_run(overrides: list[str]) -> None:
    _, history = recorded(FULL)
    asha = make_sweep(trials=18, scheduler=ASHA)
    found = replayed(asha, history, *overrides)
    truth, _ = make_search(changed(asha, overrides, num_recorded=18))
    trace = simulate(truth, by_quality(4), num_workers=2, epoch_s=epoch_s, start_s=START)
    assert found.epochs == trace.epochs
    assert found.device_s == pytest.approx(trace.busy_s)
    assert found.wall_s == pytest.approx(trace.wall_s)
    assert found.unknown_trials == []
    assert truth.history.num_completed == found.completed_low == found.completed_high


@pytest.mark.slow
def test_range_of_outcomes_holds_the_truth_and_the_winner_is_among_those_named() -> None:
    inside = named = 0
    for seed in range(10):
        sweep, history = recorded(seed=seed)
        found = replayed(sweep, history, "scheduler.asha.eta=2")
        assert found.unknown_trials
        truth, recorder = make_search(changed(sweep, ["scheduler.asha.eta=2"], num_recorded=18))
        trace = simulate(truth, by_quality(seed), num_workers=2, epoch_s=epoch_s, start_s=START)
        inside += found.epochs_low <= trace.epochs <= found.epochs_high
        named += ranking.order(History.of(recorder.events))[0].trial in {winner.trial for winner in found.winners}
    assert inside >= 8  # of 10 fixed seeds; the outcomes are possible ones, not all
    assert named >= 8


def test_unknown_epochs_are_those_that_the_curves_lack() -> None:
    sweep, history = recorded()
    found = replayed(sweep, history, "scheduler={none: {max_epochs: 9}}")
    lacking = {record.trial: 9 - record.epochs for record in history.trials.values() if record.epochs < 9}
    assert found.unknown_trials == sorted(lacking)
    assert found.unknown_epochs_high == sum(lacking.values())
    assert found.epochs_low == found.epochs_high == 18 * 9
    assert sum(winner.outcomes for winner in found.winners) == pytest.approx(1.0)


def test_fewer_trials_are_the_first_ones_and_more_workers_take_less_time() -> None:
    sweep, history = recorded(FULL)
    half = replayed(sweep, history, "search.trials=9")
    assert half.trials == 9
    assert half.epochs == 9 * 9
    assert replayed(sweep, history, workers=6).wall_s < replayed(sweep, history, workers=1).wall_s / 4


def test_trial_that_ended_badly_ends_so_again() -> None:
    sweep = make_sweep(trials=4, scheduler=FULL)
    search, recorder = make_search(sweep)
    job = search.next_job(START)
    assert job is not None
    search.end(job.trial, job.attempt, "diverged", "the training loss is nan", START)
    simulate(search, by_quality(0), num_workers=1, start_s=START)
    found = replayed(sweep, History.of(recorder.events))
    assert found.epochs == 3 * 9
    assert found.completed_low == found.completed_high == 3
    assert found.unknown_trials == []


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("scheduler.asha.max_epochs=27", "must stay 9"),
        ("trial.lr=0.1", "nobody knows"),
        ("seed=3", "nobody knows"),
        ("search.trials=99", "at most the 18 trials recorded"),
        ("search.sampler=grid", "nobody knows"),
    ],
)
def test_setting_that_has_no_curves_is_refused(override: str, reason: str) -> None:
    sweep, history = recorded()
    with pytest.raises(UsageError, match=reason):
        changed(sweep, [override], num_recorded=len(history.trials))


def test_sweep_without_a_trial_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to replay"):
        replay(make_sweep(), History(), setting="", workers=1)


@pytest.mark.parametrize("rule", [ASHA, FULL, {"asha": {"max_epochs": 9, "variant": "stopping"}}])
def test_every_setting_of_the_default_table_can_be_replayed_and_shown(rule: dict[str, Any]) -> None:
    sweep, history = recorded(rule)
    rows = [replayed(sweep, history, *overrides) for _, overrides in variants(sweep, workers=2)]
    assert len(rows) >= 4
    shown = replay_text.lines("test", rows)
    assert len(shown) >= len(rows) + 3


def test_constraints_and_costs_are_those_of_the_recorded_trials() -> None:
    sweep = make_sweep(trials=4, scheduler=FULL, constraints={"max_parameters": 10_000})
    search, recorder = make_search(sweep)
    simulate(search, by_quality(0), num_workers=1, start_s=START)
    assert replayed(sweep, History.of(recorder.events)).trials == 4
