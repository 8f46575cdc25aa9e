"""A few candidates over many seeds."""

import pytest
from sweeps import START, make_search, make_sweep, report, started

from results.history import History
from search_spaces.sweep import Sweep
from tuner.decisions import Job
from tuner.samplers import more_seeds
from tuner.simulate import simulate

NETWORK = {"family": "resnet", "blocks": [1], "channels": 8}
SEEDS = [11, 12, 13, 14, 15, 16, 17, 18]


def confirming(*rates: float, trials: int | None = None) -> Sweep:
    configurations = [{"lr": rate} for rate in rates]
    return make_sweep(
        trial={"model": NETWORK, "lr": {"loguniform": [1e-4, 1e-1]}, "seed": {"choice": SEEDS}},
        search={"sampler": "more_seeds", "configurations": configurations, **({"trials": trials} if trials else {})},
        scheduler={"none": {"max_epochs": 1}},
    )


def taken(history: History) -> list[tuple[float, int]]:
    return [(run.config["lr"], run.config["seed"]) for run in history.trials.values()]


def run(sweep: Sweep, means: dict[float, float], *, spread: float, workers: int = 1) -> History:
    """Run it with scores that depend on rate and seed alone."""
    search, _ = make_search(sweep)

    def curves(job: Job, epoch: int) -> dict[str, float | None]:
        wobble = ((job.config.seed * 7919) % 13 / 6 - 1) * spread
        return {"score": means[job.config.lr] + wobble}

    simulate(search, curves, num_workers=workers, start_s=START)
    return search.history


def test_everyone_gets_the_same_two_seeds_first() -> None:
    history = run(confirming(0.01, 0.02, 0.03, trials=6), {0.01: 0.5, 0.02: 0.51, 0.03: 0.52}, spread=0.1)
    assert sorted(taken(history)) == [(rate, seed) for rate in (0.01, 0.02, 0.03) for seed in (11, 12)]


def test_no_more_seeds_are_spent_when_the_best_is_clear() -> None:
    history = run(confirming(0.01, 0.02, trials=16), {0.01: 0.2, 0.02: 0.9}, spread=0.01)
    assert len(history.trials) == 4


def test_the_budget_is_spent_where_it_is_not_clear_and_the_hopeless_gets_none_of_it() -> None:
    history = run(confirming(0.01, 0.02, 0.03, trials=15), {0.01: 0.90, 0.02: 0.901, 0.03: 0.5}, spread=0.05, workers=2)
    counts = [sum(rate == each for rate, _ in taken(history)) for each in (0.01, 0.02, 0.03)]
    assert sum(counts) == 15
    assert counts[2] == 2
    assert abs(counts[0] - counts[1]) <= 1


def test_seeds_run_out_before_the_budget_does() -> None:
    history = run(confirming(0.01, 0.02), {0.01: 0.9, 0.02: 0.9}, spread=0.05)
    assert sorted(taken(history)) == sorted((rate, seed) for rate in (0.01, 0.02) for seed in SEEDS)


def test_idle_workers_wait_for_what_runs_and_go_on_with_what_it_showed() -> None:
    search, _ = make_search(confirming(0.01, 0.02, trials=10))
    jobs = [started(search) for _ in range(4)]
    assert search.next_job(START) is None
    assert not search.done, "what runs may still show that more seeds are needed"
    for job, score in zip(jobs, (0.50, 0.53, 0.52, 0.49), strict=True):
        search.report(report(job, 1, score), START)
    again = started(search)
    assert (again.config.seed, len(search.history.trials)) == (13, 5)


def test_seed_that_diverges_counts_as_spent_and_one_that_never_trains_is_no_rival() -> None:
    search, _ = make_search(confirming(0.01, 0.02, trials=16))
    for _ in range(4):
        job = started(search)
        if job.config.lr == 0.01:
            search.end(job.trial, job.attempt, "diverged", "lr too high", START)
        else:
            search.report(report(job, 1, 0.5 + job.config.seed / 1000), START)
    assert search.next_job(START) is None
    assert search.done


def test_a_restart_proposes_what_it_would_have_proposed() -> None:
    sweep = confirming(0.01, 0.02, 0.03, trials=15)
    search, recorder = make_search(sweep)
    scores = iter([0.5, 0.52, 0.3, 0.51, 0.5, 0.31, 0.53, 0.5])
    for _ in range(8):
        search.report(report(started(search), 1, next(scores)), START)
    again, _ = make_search(sweep, recorder.events)
    assert started(again).config == started(search).config


@pytest.mark.parametrize(("scores", "expected"), [([[0.5, 0.51]], False), ([[0.5, 0.51], []], True), ([[0.9, 0.91], [0.1, 0.11]], True)])
def test_best_is_clear_where_it_has_no_rival_left(scores: list[list[float]], expected: bool) -> None:
    assert more_seeds.clear(scores, sign=1) is expected
