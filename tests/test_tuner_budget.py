"""The budget: what is spent never crosses it, and is spent where there is work."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import START, Recorder, by_quality, make_search, make_sweep, report, started

from results.events import DriverStarted, Extended, Launched, Reported, Suggested, stamp
from search_spaces.sweep import BudgetOptions
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from tuner.budget import Budget, Work
from tuner.decisions import Job
from tuner.restore import restore
from tuner.search import Search
from tuner.simulate import Trace, simulate

SPACE = {
    "model": {"family": "resnet", "blocks": [1], "channels": {"randint": [4, 64]}},
    "lr": {"loguniform": [1e-4, 1e-1]},
}
RULES: list[dict[str, Any]] = [
    {"asha": {"min_epochs": 2, "max_epochs": 27}},
    {"asha": {"min_epochs": 2, "max_epochs": 27, "delayed": True}},
    {"asha": {"min_epochs": 2, "max_epochs": 27, "variant": "stopping"}},
    {"none": {"max_epochs": 9}},
]


def cost(config: TrainConfig) -> ArchitectureCost:
    channels = config.model.channels
    assert isinstance(channels, int)
    return ArchitectureCost(parameters=channels, flops_per_image=1000 * channels**2, activation_bytes_per_image=1)


def seconds_of(job: Job) -> float:
    """A fixed part and one in proportion to the operations: 1 to 9 s."""
    channels = job.config.model.channels
    assert isinstance(channels, int)
    return 1.0 + 8.0 * channels**2 / 64**2


def limited(budget: dict[str, Any], *, rule: dict[str, Any], seed: int, workers: int, noise: float = 0.0) -> tuple[Search, Trace, Recorder]:
    recorder = Recorder()
    sweep = make_sweep(trials=200, scheduler=rule, trial=SPACE, budget=budget, seed=seed)
    search = restore(sweep, [], cost=cost, append=recorder, now=START)
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=workers))
    rng = random.Random(seed)
    noisy: dict[tuple[str, int], float] = {}

    def epoch_s(job: Job) -> float:
        key = job.trial, job.attempt  # a segment is as slow as its worker was busy
        return seconds_of(job) * noisy.setdefault(key, 1.0 + noise * rng.random())

    trace = simulate(search, by_quality(seed), num_workers=workers, epoch_s=epoch_s, start_s=START)
    return search, trace, recorder


cases = given(
    rule=st.sampled_from(RULES), seed=st.integers(0, 10**6), workers=st.sampled_from([1, 2, 5, 16]), size=st.floats(300.0, 2000.0)
)


@settings(max_examples=30, deadline=None, derandomize=True)
@cases
def test_device_time_never_crosses_the_limit_and_most_of_it_is_spent(rule: dict[str, Any], seed: int, workers: int, size: float) -> None:
    search, _, _ = limited({"gpu_hours": size / 3600}, rule=rule, seed=seed, workers=workers)
    assert search.budget.device_s <= size + 1e-6
    # What is left is less than the last epochs of a few workers, each of at most 9 s and predicted at most a quarter too long.
    assert search.stopped_by is not None
    assert search.budget.device_s >= size - min(workers, 3) * 9.0 * 1.25
    assert search.done


@settings(max_examples=20, deadline=None, derandomize=True)
@cases
def test_wall_clock_never_crosses_the_limit_once_an_epoch_is_known(rule: dict[str, Any], seed: int, workers: int, size: float) -> None:
    search, trace, _ = limited({"wall_clock": size / workers + 30.0}, rule=rule, seed=seed, workers=workers)
    assert trace.wall_s <= size / workers + 30.0 + 1e-6
    assert search.done


@settings(max_examples=20, deadline=None, derandomize=True)
@cases
def test_noise_crosses_the_limit_by_no_more_than_what_running_epochs_took_longer_than_predicted(
    rule: dict[str, Any], seed: int, workers: int, size: float
) -> None:
    noise = 0.5
    search, _, _ = limited({"gpu_hours": size / 3600}, rule=rule, seed=seed, workers=workers, noise=noise)
    assert search.budget.device_s <= size + workers * 9.0 * noise


@settings(max_examples=20, deadline=None, derandomize=True)
@cases
def test_epochs_are_spent_to_the_last_and_never_beyond(rule: dict[str, Any], seed: int, workers: int, size: float) -> None:
    search, trace, _ = limited({"epochs": int(size / 10)}, rule=rule, seed=seed, workers=workers)
    assert trace.epochs == search.budget.epochs == int(size / 10)


@pytest.mark.parametrize("workers", [1, 4])
def test_at_least_95_percent_of_a_sizeable_budget_is_spent(workers: int) -> None:
    for seed in range(5):
        search, _, _ = limited({"gpu_hours": 1200 / 3600}, rule=RULES[0], seed=seed, workers=workers)
        assert 0.95 * 1200 <= search.budget.device_s <= 1200


@pytest.mark.parametrize("rule", RULES)
def test_limit_of_trials_counts_launches_and_lets_those_launched_go_on(rule: dict[str, Any]) -> None:
    search, _, recorder = limited({"trials": 7}, rule=rule, seed=1, workers=3)
    assert sum(isinstance(event, Suggested) for event in recorder.events) == 7
    assert search.history.num_completed >= 1
    assert search.stopped_by == "budget of trials: 7 of 7 launched"
    assert search.done


def test_replacement_of_a_trial_out_of_memory_counts_against_the_limit_of_trials() -> None:
    search, _ = make_search(make_sweep(trials=3, scheduler={"none": {"max_epochs": 2}}, budget={"trials": 3}))
    job = search.next_job(START)
    assert job is not None
    search.end(job.trial, job.attempt, "out_of_memory", "too large", START)
    simulate(search, by_quality(0), num_workers=1, start_s=START)
    assert len(search.history.trials) == 3
    assert search.history.num_completed == 2


def test_expensive_promotion_holds_up_no_cheap_candidate_and_goes_on_when_there_is_room_again() -> None:
    trial = {"lr": {"choice": [0.1, 0.01]}, "model": {"family": "resnet", "blocks": [1], "channels": {"choice": [5, 64, 4]}}}
    rule = {"asha": {"min_epochs": 1, "max_epochs": 4, "eta": 2}}
    sweep = make_sweep(trials=None, search={"sampler": "grid"}, scheduler=rule, trial=trial, budget={"gpu_hours": 1.5})
    search = restore(sweep, [], cost=cost, append=Recorder(), now=START)

    def train(took_s: float) -> tuple[str, int]:
        job = search.next_job(START)
        assert job is not None
        for number in range(job.from_epoch + 1, job.until_epoch + 1):
            search.report(epoch(job, number, took_s, score=float(took_s > 1.0)), START)
        return job.trial, job.from_epoch

    assert train(1.0) == ("t00001", 0)
    assert train(3600.0) == ("t00002", 0)  # large, and the best: an hour an epoch
    assert train(1.0) == ("t00003", 0), "the promotion of t00002 does not fit into half an hour, a small network does"
    assert train(1.0) == ("t00004", 0)
    assert search.next_job(START) is None, "neither the promotion nor t00005, as large as t00002, fits"
    assert search.stopped_by is not None
    assert search.done
    search.budget.limits = BudgetOptions(gpu_hours=10.0)
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    assert train(3600.0) == ("t00002", 1)
    assert [train(1.0)[0], train(3600.0)[0]] == ["t00001", "t00002"]
    assert train(3600.0)[0] == "t00005", "the candidate that was refused is the next one, not passed over"


def epoch(job: Job, number: int, took_s: float, score: float = 0.5) -> Reported:
    return Reported(
        at=stamp(START), trial=job.trial, attempt=job.attempt, score=score, checkpoint=None, worker="host:1",
        device="cpu", epoch=number, val_accuracy=0.5, val_loss=1.0, train_accuracy=0.5, train_loss=1.0, lr=0.1, wall_s=took_s,
        device_s=took_s, images_per_s=1.0, peak_memory_bytes=0,
    )  # fmt: skip


def test_prediction_is_the_trials_own_else_that_of_the_most_similar_with_a_margin() -> None:
    search, recorder = make_search(make_sweep(trials=3, scheduler={"none": {"max_epochs": 9}}))
    job = search.next_job(START)
    assert job is not None
    budget = Budget(BudgetOptions(gpu_hours=1.0))
    assert budget.predicted(None, Work(1.0, 128)) is None
    for event in recorder.events:
        budget.apply(event)
    for number, took_s in enumerate((50.0, 2.0, 4.0, 3.0), start=1):
        budget.apply(epoch(job, number, took_s))
    own = budget.predicted(job.trial)
    assert own is not None
    assert own.device_s == 4.0, "the first epoch, slow by chance, is forgotten"
    suggested = next(event for event in recorder.events if isinstance(event, Suggested))
    work = Work.of(suggested.config, suggested.cost["flops_per_image"])
    twice = budget.predicted(None, replace(work, operations=2 * work.operations))
    half = budget.predicted(None, replace(work, operations=work.operations / 2))
    assert twice is not None
    assert half is not None
    assert twice.device_s == 2 * 1.25 * 50.0
    assert half.device_s == 1.25 * 50.0


def test_epoch_that_overruns_its_prediction_counts_with_the_time_it_has_taken() -> None:
    search, _ = make_search(make_sweep(trials=2, scheduler={"none": {"max_epochs": 9}}, budget={"gpu_hours": 20 / 3600}))
    first, second = search.next_job(START), search.next_job(START)
    assert first is not None
    assert second is not None
    search.report(epoch(first, 1, 1.0), START)
    assert search.budget.refusal(second.trial, now=START + 2.0) is None
    assert search.budget.refusal(second.trial, now=START + 30.0) == "gpu_hours: 0.000278 of 0.00555556 spent"


def test_what_a_lost_worker_had_begun_is_no_longer_reserved() -> None:
    search, recorder = make_search(make_sweep(trials=2, scheduler={"none": {"max_epochs": 9}}, budget={"epochs": 3}))
    job = search.next_job(START)
    assert job is not None
    assert search.next_job(START) is not None
    search.lost(job.trial, job.attempt, "gone", START)
    again = search.next_job(START)
    assert again is not None
    assert again.trial == job.trial
    assert sum(isinstance(event, Launched) for event in recorder.events) == 3


def test_epochs_trained_again_are_not_trained_beyond_the_limit_and_the_trial_goes_on_when_it_is_raised() -> None:
    sweep = make_sweep(trials=1, scheduler={"none": {"max_epochs": 20}}, budget={"epochs": 10}, resources={"checkpoint_epochs": 100})
    search, recorder = make_search(sweep)
    job = started(search)
    for epoch in range(1, 8):
        search.report(report(job, epoch), START)
    search.lost(job.trial, job.attempt, "gone", START)
    again = started(search)
    assert [search.report(report(again, epoch), START).action for epoch in range(1, 4)] == ["continue", "continue", "pause"]
    assert search.next_job(START) is None
    assert search.done
    assert search.stopped_by == "budget of epochs: 10 of 10 spent"
    restored, _ = make_search(sweep, recorder.events)
    for known in (search, restored):
        assert known.budget.epochs == 10
        assert known.history.trials["t00001"].status == "paused"
        known.obey(Extended(at=stamp(START), request="more", author="ada", epochs=40), START)
        simulate(known, by_quality(3), num_workers=1, start_s=START)
        assert known.history.trials["t00001"].status == "completed"


def test_sweep_whose_budget_cut_a_trial_short_has_not_finished_even_if_cheaper_ones_were_trained_since() -> None:
    batches = [{"batch_size": 256, "lr": 0.1}, {"batch_size": 16, "lr": 0.1}, {"batch_size": 256, "lr": 0.01}]
    sweep = make_sweep(
        trials=None,
        trial={
            "model": {"family": "resnet", "blocks": [1], "channels": 8},
            "batch_size": {"choice": [16, 256]},
            "lr": {"choice": [0.1, 0.01]},
        },
        search={"sampler": "listed", "configurations": batches},
        scheduler={"none": {"max_epochs": 2}},
        budget={"gpu_hours": 16 / 3600},
    )
    search, _ = make_search(sweep)
    for device_s in (1.0, 8.0, 1.0):
        job = started(search)
        for epoch in (1, 2):
            if search.report(report(job, epoch, device_s=device_s), START).action == "pause":
                break
    assert search.next_job(START) is None
    assert search.history.counts() == {"paused": 1, "completed": 2}
    assert search.stopped_by == "budget of gpu_hours: 0.00278 of 0.00444444 spent"


def test_candidate_without_room_in_the_budget_is_proposed_once_and_launched_when_there_is() -> None:
    asked: list[int] = []

    def counting(config: TrainConfig) -> ArchitectureCost:
        asked.append(config.batch_size)
        return cost(config)

    sweep = make_sweep(trials=3, trial=SPACE, scheduler={"none": {"max_epochs": 9}}, budget={"gpu_hours": 20 / 3600})
    search = restore(sweep, [], cost=counting, append=Recorder(), now=START)
    jobs = [started(search), started(search)]
    proposed = len(asked)
    for epoch in (1, 2, 3):
        assert search.report(report(jobs[0], epoch, device_s=4.0, at=stamp(START)), START).action == "continue"
        assert search.next_job(START) is None
    assert len(asked) == proposed + 1
    search.obey(Extended(at=stamp(START), request="more", author="ada", gpu_hours=1), START)
    assert started(search).trial == "t00003"
    assert len(asked) == proposed + 1
