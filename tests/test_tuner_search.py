"""The search: what starts, what never starts, and how each odd report ends."""

import math
from typing import Any

import pytest
from sweeps import START, Recorder, by_quality, flat_cost, make_search, make_sweep, report, started

from results.events import Decided, Ended, Launched, Lost, Repeated, Reported, Suggested, stamp
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from trainable.errors import ModelError
from tuner.restore import restore
from tuner.simulate import simulate

FULL = {"none": {"max_epochs": 3}}


def test_candidate_whose_network_does_not_exist_is_rejected_with_the_reason() -> None:
    def cost(config: TrainConfig) -> ArchitectureCost:
        if config.model.channels < 50:
            raise ModelError("channels is too small, must be larger")
        return flat_cost(config)

    space = {"model": {"family": "resnet", "blocks": [1], "channels": {"randint": [1, 100]}}, "lr": 0.1}
    recorder = Recorder()
    search = restore(make_sweep(trial=space), [], cost=cost, append=recorder, now=START)
    simulate(search, by_quality(0), num_workers=1, start_s=START)
    suggested = [event for event in recorder.events if isinstance(event, Suggested)]
    assert all(event.config["model"]["channels"] >= 50 for event in suggested)
    assert sum(event.rejected.get("channels is too small, must be larger", 0) for event in suggested) > 0


def test_choice_is_journaled_before_it_is_answered() -> None:
    search, recorder = make_search(make_sweep())
    job = started(search)
    assert [type(event) for event in recorder.events] == [Suggested, Launched]
    assert recorder.synced == [True, True]
    assert recorder.events[1].trial == job.trial


def test_plain_report_is_not_synced_but_a_decision_is() -> None:
    search, recorder = make_search(make_sweep(scheduler={"asha": {"min_epochs": 2, "max_epochs": 9}}))
    job = started(search)
    recorder.synced.clear()
    assert search.report(report(job, 1), START).action == "continue"
    assert search.report(report(job, 2), START).action == "pause"
    assert recorder.synced == [False, True, True]


def test_exactly_the_trials_asked_for_are_launched() -> None:
    search, _ = make_search(make_sweep(trials=7, scheduler=FULL))
    simulate(search, by_quality(0), num_workers=3, start_s=START)
    assert search.history.counts() == {"completed": 7}


def test_duplicates_never_become_trials_and_a_small_space_ends_early() -> None:
    space = {"model": {"family": "resnet", "blocks": [1], "channels": {"choice": [8, 16]}}, "lr": {"choice": [0.1, 0.01]}}
    search, recorder = make_search(make_sweep(trials=20, scheduler=FULL, trial=space))
    simulate(search, by_quality(0), num_workers=2, start_s=START)
    assert len(search.history.trials) == 4
    assert search.exhausted
    hashes = [event.config_hash for event in recorder.events if isinstance(event, Suggested)]
    assert len(set(hashes)) == 4


def test_options_that_differ_in_their_label_alone_are_duplicates() -> None:
    model = {"family": "resnet", "blocks": [1], "channels": 8}
    space = {"model": {"choice": [model | {"label": "a"}, model | {"label": "b"}]}, "lr": 0.1}
    search, _ = make_search(make_sweep(trials=2, scheduler=FULL, trial=space))
    simulate(search, by_quality(0), num_workers=1, start_s=START)
    assert len(search.history.trials) == 1


def test_candidate_over_the_parameter_limit_never_becomes_a_trial() -> None:
    space = {"model": {"family": "resnet", "blocks": [1], "channels": {"randint": [1, 100]}}, "lr": {"loguniform": [1e-4, 1e-1]}}
    sweep = make_sweep(trials=30, scheduler=FULL, trial=space, constraints={"max_parameters": 20_000})
    search, recorder = make_search(sweep)
    simulate(search, by_quality(0), num_workers=1, start_s=START)
    suggested = [event for event in recorder.events if isinstance(event, Suggested)]
    assert len(suggested) == 30
    assert max(event.cost["parameters"] for event in suggested) <= 20_000
    # Four in five first draws break it: binomial(30, 0.8), sigma 2.2; the seed is fixed.
    assert abs(sum(event.rejected.get("max_parameters", 0) for event in suggested) - 24) < 3 * 2.2


def test_exactly_the_trials_asked_for_are_launched_from_a_space_that_is_all_but_used_up() -> None:
    space = {
        "model": {"blocks": [1], "channels": 8},
        "lr": {"choice": [n / 100 for n in range(1, 26)]},
        "batch_size": {"choice": [16, 32, 64, 128]},
    }
    limit = {"where": "batch_size == 16 or lr > 0.2"}  # 25 + 3 * 5 combinations
    for trials, launched in ((40, 40), (41, 40)):
        search, recorder = make_search(make_sweep(trials=trials, scheduler=FULL, trial=space, constraints=limit))
        simulate(search, by_quality(0), num_workers=1, start_s=START)
        suggested = [event for event in recorder.events if isinstance(event, Suggested)]
        assert len({event.config_hash for event in suggested}) == len(suggested) == launched
        assert search.exhausted == (trials > launched)
        # Each candidate costs as many draws as repetitions are put up with, not thousands.
        assert max(event.rejected.get("duplicate", 0) for event in suggested) <= 20


def test_candidates_do_not_depend_on_where_the_search_was_cut() -> None:
    space = {"model": {"blocks": [1], "channels": 8}, "lr": {"uniform": [0.001, 1]}, "weight_decay": {"uniform": [0, 1]}}
    sweep = make_sweep(trials=6, scheduler=FULL, trial=space, constraints={"where": "lr + weight_decay < 0.02"})
    search, recorder = make_search(sweep)
    simulate(search, by_quality(0), num_workers=1, start_s=START)
    whole = [event.values for event in recorder.events if isinstance(event, Suggested)]
    cut = next(index for index, event in enumerate(recorder.events) if isinstance(event, Suggested) and event.trial == "t00004")
    again, rest = make_search(sweep, recorder.events[:cut])
    simulate(again, by_quality(0), num_workers=1, start_s=START)
    assert [event.values for event in rest.events if isinstance(event, Suggested)] == whole[3:]
    assert all(values["lr"] + values["weight_decay"] < 0.02 for values in whole)


def test_grid_launches_every_combination_once_in_the_order_of_the_file() -> None:
    space = {"model": {"family": "resnet", "blocks": [1], "channels": {"choice": [8, 16]}}, "lr": {"choice": [0.1, 0.01, 0.001]}}
    search, _ = make_search(make_sweep(trials=None, scheduler=FULL, trial=space, search={"sampler": "grid"}))
    simulate(search, by_quality(0), num_workers=2, start_s=START)
    values = [(record.values["model.channels"], record.values["lr"]) for record in search.history.trials.values()]
    assert values == [(8, 0.1), (8, 0.01), (8, 0.001), (16, 0.1), (16, 0.01), (16, 0.001)]


@pytest.mark.parametrize("score", [None, math.nan, math.inf, -math.inf])
def test_score_that_is_missing_or_not_finite_marks_the_trial_diverged_and_fills_no_rung(score: float | None) -> None:
    search, recorder = make_search(make_sweep(trials=1, scheduler={"asha": {"min_epochs": 1, "max_epochs": 9}}))
    job = started(search)
    assert search.report(report(job, 1, score), START).action == "stop"
    assert search.history.counts() == {"diverged": 1}
    assert [event.score for event in recorder.events if isinstance(event, Reported)] == [None]
    assert search.next_job(START) is None
    assert search.done


def test_report_of_an_older_attempt_changes_nothing() -> None:
    search, recorder = make_search(make_sweep(trials=1, scheduler=FULL))
    job = started(search)
    search.report(report(job, 1, checkpoint="c"), START)
    search.lost(job.trial, job.attempt, "gone", START)
    again = started(search)
    assert (again.trial, again.attempt, again.from_epoch, again.checkpoint) == (job.trial, 2, 1, "c")
    before = len(recorder.events)
    assert search.report(report(job, 2), START).action == "stop"
    assert len(recorder.events) == before
    assert search.report(report(again, 2), START).action == "continue"


def test_epoch_trained_again_is_charged_and_stays_out_of_the_curve() -> None:
    search, recorder = make_search(make_sweep(trials=1, scheduler=FULL))
    job = started(search)
    search.report(report(job, 1, 0.25), START)
    search.lost(job.trial, job.attempt, "gone", START)
    again = started(search)
    assert again.from_epoch == 0
    assert search.report(report(again, 1, 0.75), START).action == "continue"
    assert isinstance(recorder.events[-1], Repeated)
    record = search.history.trials[job.trial]
    assert record.curve[1].score == 0.25
    assert record.device_s == 2.0
    assert search.budget.epochs == 2


def test_skipped_epoch_is_an_error_not_a_hole_in_the_curve() -> None:
    search, _ = make_search(make_sweep(trials=1, scheduler=FULL))
    job = started(search)
    with pytest.raises(ValueError, match="skipped an epoch"):
        search.report(report(job, 2), START)


def test_lost_worker_is_retried_before_anything_new_starts() -> None:
    search, recorder = make_search(make_sweep(trials=3, scheduler=FULL))
    job = started(search)
    search.lost(job.trial, job.attempt, "gone", START)
    assert started(search).trial == job.trial
    assert [event.why for event in recorder.events if isinstance(event, Launched)] == ["new", "retry"]


def test_trial_that_loses_its_worker_three_times_fails_and_the_sweep_goes_on() -> None:
    search, recorder = make_search(make_sweep(trials=2, scheduler=FULL))
    for _ in range(3):
        job = started(search)
        assert job.trial == "t00001"
        search.lost(job.trial, job.attempt, "gone", START)
    assert sum(isinstance(event, Lost) for event in recorder.events) == 3
    assert search.history.trials["t00001"].status == "failed"
    assert started(search).trial == "t00002"


@pytest.mark.parametrize(("trials", "launched"), [(2, 12), (30, 60)])
def test_space_of_which_nothing_fits_the_device_ends_the_sweep(trials: int, launched: int) -> None:
    search, _ = make_search(make_sweep(trials=trials))
    for _ in range(100):
        if (job := search.next_job(START)) is None:
            break
        search.end(job.trial, job.attempt, "out_of_memory", "the device is full", START)
    assert search.done
    assert len(search.history.trials) == launched


def test_out_of_memory_is_drawn_again_and_a_failure_is_not() -> None:
    for status, trials in (("out_of_memory", 3), ("failed", 2)):
        search, _ = make_search(make_sweep(trials=2, scheduler=FULL))
        job = started(search)
        search.end(job.trial, job.attempt, status, "reason", START)
        simulate(search, by_quality(0), num_workers=1, start_s=START)
        assert len(search.history.trials) == trials
        assert search.history.num_completed == trials - 1


def test_failed_trial_keeps_its_reason_and_log() -> None:
    search, _ = make_search(make_sweep(trials=1, scheduler=FULL))
    job = started(search)
    search.end(job.trial, job.attempt, "failed", "no such folder", START, ["line 1", "line 2"])
    ended = search.history.trials[job.trial].ended
    assert ended == Ended(at=stamp(START), trial=job.trial, status="failed", reason="no such folder", log_tail=("line 1", "line 2"))


@pytest.mark.parametrize("workers", [1, 3])
def test_no_epoch_is_started_that_would_cross_the_budget(workers: int) -> None:
    for limit in range(1, 30):
        search, _ = make_search(make_sweep(trials=9, scheduler=FULL, budget={"epochs": limit}))
        trace = simulate(search, by_quality(0), num_workers=workers, start_s=START)
        assert trace.epochs == min(limit, 27)
        assert search.done
        assert (search.stopped_by is None) == (limit >= 27)


def test_gpu_hours_hold_with_several_workers() -> None:
    search, _ = make_search(make_sweep(trials=9, scheduler=FULL, budget={"gpu_hours": 10.5 / 3600}))
    trace = simulate(search, by_quality(0), num_workers=4, start_s=START)
    assert search.budget.device_s <= 10.5
    assert trace.epochs >= 8  # at most the workers' last epochs are left unused


def test_same_seed_draws_the_same_trials_and_another_seed_others() -> None:
    def drawn(seed: int) -> list[object]:
        search, _ = make_search(make_sweep(trials=5, scheduler=FULL, seed=seed))
        simulate(search, by_quality(0), num_workers=1, start_s=START)
        return [record.values["lr"] for record in search.history.trials.values()]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)
    assert all(math.isfinite(float(str(lr))) for lr in drawn(0))


def test_what_is_left_of_the_budget_takes_the_best_of_a_used_up_space_further() -> None:
    finite = {"model": {"family": "resnet", "blocks": [1], "channels": 8}, "lr": {"choice": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]}}
    asha = {"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3}}

    def completed(**changes: Any) -> tuple[int, int]:
        search, _ = make_search(make_sweep(trials=None, scheduler=asha, trial=finite, search={"sampler": "grid"}, **changes))
        trace = simulate(search, by_quality(0), num_workers=2, start_s=START)
        assert search.done
        return search.history.num_completed, trace.epochs

    assert completed()[0] == 1
    assert completed(budget={"epochs": 1_000}) == (7, 63)
    assert completed(budget={"epochs": 40})[1] == 40
    none = {"asha": {**asha["asha"], "drain": "none"}}
    search, _ = make_search(make_sweep(trials=None, scheduler=none, trial=finite, search={"sampler": "grid"}, budget={"epochs": 1_000}))
    simulate(search, by_quality(0), num_workers=2, start_s=START)
    assert search.history.num_completed <= 1


def test_the_rest_of_a_budget_is_spent_when_all_that_was_promoted_has_ended_and_then_by_all_workers() -> None:
    finite = {"model": {"family": "resnet", "blocks": [1], "channels": {"choice": [8, 16, 32]}}, "lr": {"choice": [0.1, 0.03, 0.01, 0.003]}}
    asha = {"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3, "delayed": True}}  # so that no leader goes on early
    search, recorder = make_search(
        make_sweep(trials=None, scheduler=asha, trial=finite, search={"sampler": "grid"}, budget={"epochs": 1_000})
    )
    simulate(search, by_quality(0), num_workers=5, start_s=START)
    running: dict[str, str] = {}
    most = 0
    for event in recorder.events:
        match event:
            case Launched(trial=trial, why=why):
                assert why != "drain" or set(running.values()) <= {"drain"}
                running[trial] = why
                most = max(most, len(running) if why == "drain" else 0)
            case Decided(trial=trial) | Ended(trial=trial):
                running.pop(trial, None)
    assert most == 5
    assert search.history.num_completed == 12


def test_trials_asked_for_end_a_sweep_though_its_budget_would_last() -> None:
    search, _ = make_search(make_sweep(trials=9, budget={"epochs": 1_000}))
    simulate(search, by_quality(0), num_workers=2, start_s=START)
    assert search.history.num_completed == 1
    assert search.history.num_suggested == 9
