"""The comparison of samplers: functions that are what they are called, limits that are kept, runs that can be repeated."""

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from made_up_curves import small_table
from scipy.optimize import minimize
from wrong_calls import assert_refused

from benchmarks import sampler_functions as functions
from benchmarks import sampler_surrogates, samplers
from benchmarks.sampler_measures import Outcome, looks, ranks, ratios
from benchmarks.sampler_problems import KWARGS, MAX_EPOCHS, built_in, named
from search_spaces.feasible_space import Feasible
from search_spaces.space import Space
from tuner.simulate import simulate

CUBE3, CUBE6 = ((0.0, 1.0),) * 3, ((0.0, 1.0),) * 6
FUNCTIONS = {
    "branin": (functions.branin, functions.BRANIN_BOUNDS, functions.BRANIN_OPTIMA, functions.BRANIN_BEST),
    "currin": (functions.currin, functions.CURRIN_BOUNDS, functions.CURRIN_OPTIMA, functions.CURRIN_BEST),
    "hartmann3": (functions.hartmann3, CUBE3, functions.HARTMANN3_OPTIMA, functions.HARTMANN3_BEST),
    "hartmann6": (functions.hartmann6, CUBE6, functions.HARTMANN6_OPTIMA, functions.HARTMANN6_BEST),
    "borehole": (functions.borehole, tuple(functions.BOREHOLE_BOUNDS.values()), (functions.BOREHOLE_OPTIMUM,), functions.BOREHOLE_BEST),
}
# The optimum of under-a-product, on its limit.
PRODUCT = dict(zip(functions.BOREHOLE_BOUNDS, functions.BOREHOLE_OPTIMUM, strict=True)) | {"kw": 9_855.0, "rw": (100 / 9_855) ** 0.5}


def feasible_of(name: str) -> Feasible:
    problem = built_in()[name]()
    return Feasible(Space.parse(dict(problem.trial)), problem.sweep("random", seed=0, epochs=1), problem.cost)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_optimum_that_is_known_of_it(name: str) -> None:
    function, bounds, optima, best = FUNCTIONS[name]
    assert function(np.array(optima)) == pytest.approx(best, rel=1e-5)
    low_D, high_D = np.array(bounds).T
    drawn_MD = low_D + np.random.default_rng(0).random((5_000, len(bounds))) * (high_D - low_D)
    assert (function(drawn_MD) < best).all()
    climbed = minimize(
        lambda unit_D: -function((low_D + unit_D * (high_D - low_D))[None])[0], np.full(len(bounds), 0.5), bounds=[(0, 1)] * len(bounds)
    )
    assert -climbed.fun <= best + 1e-5 * abs(best)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_fidelity_one_is_the_function_and_a_low_one_is_not(name: str) -> None:
    function, bounds, _, _ = FUNCTIONS[name]
    middle_1D = np.array(bounds).mean(axis=1)[None]
    both = function(np.repeat(middle_1D, 2, axis=0), np.array([0.1, 1.0]))
    assert both[1] == function(middle_1D)[0]
    assert both[0] != pytest.approx(both[1], rel=1e-6)


@pytest.mark.parametrize("name", built_in())
def test_a_curve_begins_below_its_end_and_no_candidate_is_better_than_the_best(name: str) -> None:
    problem, feasible, rng = built_in()[name](), feasible_of(name), Random(1)
    drawn = [feasible.space.sample(rng) for _ in range(200)]
    for values in (values for values in drawn if feasible.broken(values) is None):
        curve = problem.curve(named(values))
        assert len(curve) == MAX_EPOCHS
        assert curve[0] < curve[-1] <= problem.best + 1e-9  # type: ignore[operator]  # functions do not diverge


@pytest.mark.parametrize(
    ("name", "optimum"),
    [
        ("branin", {"x1": np.pi, "x2": 2.275}),
        ("choice-of-function", {"function": "hartmann6"} | {f"hartmann6_x{i}": x for i, x in enumerate(functions.HARTMANN6_OPTIMA[0], 1)}),
        ("layers", {"layers": 6} | {f"width{i}": x for i, x in enumerate(functions.HARTMANN6_OPTIMA[0], 1)}),
        ("in-a-ball", {f"x{i}": x for i, x in enumerate(functions.HARTMANN6_OPTIMA[0], 1)}),
        ("under-a-product", PRODUCT),
    ],
)
def test_the_optimum_keeps_the_limits_and_is_the_best(name: str, optimum: dict[str, Any]) -> None:
    values = {f"{KWARGS}{key}": value for key, value in optimum.items()}
    problem = built_in()[name]()
    assert problem.final(values) == pytest.approx(problem.best, rel=1e-5)
    nudged = {path: value * (1 - 1e-12) if path.endswith("rw") else value for path, value in values.items()}  # off the limit itself
    assert feasible_of(name).broken(nudged) is None


def test_limits_keep_better_candidates_out() -> None:
    whole = {f"{KWARGS}{key}": value for key, value in zip(functions.BOREHOLE_BOUNDS, functions.BOREHOLE_OPTIMUM, strict=True)}
    assert feasible_of("under-a-product").broken(whole) is not None
    assert built_in()["under-a-product"]().final(whole) > built_in()["under-a-product"]().best
    recipe = dict(zip(("lr", "momentum", "weight_decay"), functions.HARTMANN3_OPTIMA[0], strict=True))
    recipe = {
        "lr": 10 ** (3 * recipe["lr"] - 3),
        "momentum": 0.99 * recipe["momentum"],
        "weight_decay": 10 ** (4 * recipe["weight_decay"] - 6),
    }
    problem, feasible = built_in()["small-network"](), feasible_of("small-network")
    finals: dict[bool, list[float]] = {True: [], False: []}
    for width in range(8, 80):
        for depth in range(1, 9):
            values = {f"{KWARGS}width": width, f"{KWARGS}depth": depth} | recipe
            finals[feasible.broken(values) is None].append(problem.final(values))
    assert max(finals[True]) == pytest.approx(problem.best, abs=1e-9)
    assert max(finals[False]) > problem.best


@pytest.mark.parametrize("sampler", ["tpe", "model"])
@pytest.mark.parametrize("name", ["layers", "under-a-product", "small-network"])
def test_a_sampler_proposes_in_spaces_with_conditions_and_limits(name: str, sampler: str) -> None:
    problem, feasible = built_in()[name](), feasible_of(name)
    outcome = Outcome()
    search = samplers.search_of(problem, sampler, seed=1, trainings=5, outcome=outcome)
    simulate(search, lambda job, epoch: {"score": problem.curve(named(search.history.trials[job.trial].values))[epoch - 1]}, num_workers=4)
    found = [record for record in search.history.trials.values() if record.source == sampler]
    assert len(found) >= 3
    for record in search.history.trials.values():
        assert feasible.broken(record.values) is None
        assert feasible.space.active(record.values)
    assert outcome.proposals >= len(search.history.trials)
    assert outcome.proposing_s > 0


@pytest.mark.parametrize("sampler", ["random", "tpe", "model"])
def test_equal_seeds_give_equal_regrets(sampler: str) -> None:
    problem = built_in()["currin"]()
    options = {"num_workers": 4, "trainings": 4}
    one, same, other = (samplers.run(problem, sampler, repeat, seed=5, **options) for repeat in (3, 3, 4))
    assert list(one.regret) == [3, 4]
    assert (one.regret, one.starts) == (same.regret, same.starts)
    assert one.regret != other.regret


def test_all_samplers_begin_with_the_same_candidates() -> None:
    firsts = []
    for sampler in samplers.SAMPLERS:
        search = samplers.search_of(built_in()["layers"](), sampler, seed=7, trainings=3, outcome=Outcome())
        for _ in range(4):
            search.next_job(0.0)
        firsts.append([dict(record.values) for record in search.history.trials.values()])
    assert all(first == firsts[0] for first in firsts)


@pytest.mark.slow
def test_a_forest_foretells_a_table_and_counts_what_diverged_as_useless(tmp_path: Path) -> None:
    small_table(tmp_path)
    path = tmp_path / "table.parquet"
    found, problem = sampler_surrogates.surrogate(path), sampler_surrogates.problem(path)
    assert found.held_out()["all"] > 0.5
    curves_MT = found.curves(found.table.values)
    diverged_M = np.isnan(found.table.scores_NT[:, -1])
    assert diverged_M.any()
    assert np.array_equal(np.isnan(curves_MT[:, -1]), diverged_M)
    assert problem.best >= np.nanmax(curves_MT[:, -1]) - 1e-3
    names = [parameter.path for parameter in found.space.parameters]
    row = int(np.argmax(diverged_M))
    values = {f"{KWARGS}x{names.index(name) + 1}": value for name, value in found.table.values[row].items()}
    assert problem.final(values) == found.floor
    assert 0 < problem.regret(values) < np.inf


def outcomes(*regrets: float) -> list[Outcome]:
    return [Outcome(regret={3: regret}, proposals=1) for regret in regrets]


def test_a_ratio_is_the_geometric_mean_over_problems_of_paired_repeats() -> None:
    found = {
        "a": {"random": outcomes(0.4, 0.8, 9.0), "model": outcomes(0.1, 0.2)},
        "b": {"random": outcomes(0.1, 0.1, 9.0), "model": outcomes(0.4, 0.4)},
        "c": {"random": outcomes(0.0, 0.0, 9.0), "model": outcomes(0.0, 0.0)},
    }
    ratio = ratios(found, "model", "random", np.random.default_rng(0))["3"]
    assert ratio["ratio"] == pytest.approx(1.0)
    assert ratio["problems"] == pytest.approx({"a": 0.25, "b": 4.0, "c": 1.0})
    assert ratio["worst"] == pytest.approx(4.0)
    rank = ranks(found, ["random", "model"], np.random.default_rng(0))["3"]
    assert rank["random"]["mean"] == pytest.approx((2 + 1 + 1.5) / 3)
    assert rank["model"]["mean"] == pytest.approx((1 + 2 + 1.5) / 3)


def test_regret_is_measured_in_distances_from_the_median_to_the_best() -> None:
    problem, rng = built_in()["branin"](), Random(2)
    space = Space.parse(dict(problem.trial))
    regrets = [problem.regret(space.sample(rng)) for _ in range(300)]
    assert np.median(regrets) == pytest.approx(1.0, abs=0.38)  # 3 sigma, of the medians of 512 and of 300 draws
    assert min(regrets) >= 0.0


def test_the_last_look_is_at_the_end() -> None:
    assert looks(20) == (3, 5, 10, 20)
    assert looks(7) == (3, 5, 7)


@pytest.mark.slow
def test_the_record_says_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--problems", "currin,layers", "--samplers", "random,model", "--repeats", "2", "--trainings", "5", "--jobs", "1"]
    assert samplers.main([*arguments, "-o", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record) == {"problems", "ratios", "ranks", "about"}
    figures = record["problems"]["layers"]["samplers"]["model"]
    assert set(figures["regret"]["5"]) == {"mean", "low", "high", "standard_deviation", "median"}
    assert figures["n"] == 2
    assert figures["proposal_s"]["mean"] > 0
    assert set(record["ratios"]) == set(record["ranks"]) == {"all", "continuous", "conditional"}
    assert {"commit", "processor", "quiet", "versions", "num_workers", "seed"} <= set(record["about"])
    assert samplers.main(arguments) == 0
    assert "ratios of mean regret to random" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--samplers", "tpe,hope"], "hope: no such sampler here; there are random, tpe, gp, model"),
        (["--problems", "brain"], "brain: no such problem; there are branin, currin"),
        (["--problems", "none"], "none, and no --tables; name a problem or a table"),
        (["--repeats", "1"], "--repeats: 1, must be >= 2"),
        (["--gp-repeats", "0"], "--gp-repeats: 0, must be >= 2"),
        (["--tables", "a/curves.parquet", "b/curves.parquet"], "two files have the same name"),
        (["--tables", "absent.parquet"], "absent.parquet: no such file"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_refused(samplers.main, arguments, message, capsys)
