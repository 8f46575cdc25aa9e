"""The leaders again, over fresh seeds: what is trained, what comes of it, and what the sweep remembers of it."""

from pathlib import Path

import pytest
from sweeps import START, by_quality, flat_cost, make_sweep

from results import journal, leaderboard, leaderboard_text, ranking
from results.history import History
from results.storage import Storage
from results.terminal import Terminal
from search_spaces.sweep import ResourceOptions, Sweep
from tuner import confirmations, finish_text
from tuner.confirmations import Outcome
from tuner.decisions import Job
from tuner.session import hold
from tuner.simulate import simulate

SPACE = {
    "model": {"choice": [{"label": "small", "family": "resnet", "blocks": [1], "channels": 8}]},
    "optimizer": {"choice": ["sgd", "adam"]},
    "lr": {"loguniform": [1e-4, 1e-1]},
}
ASHA = {"asha": {"min_epochs": 3, "max_epochs": 9, "eta": 3}}


def history_of(storage: Storage) -> History:
    return History.of(journal.read(storage))


@pytest.fixture
def searched(tmp_path: Path) -> tuple[Sweep, Storage]:
    sweep, storage = make_sweep(trial=SPACE, seed=5, scheduler=ASHA), Storage(tmp_path / "test")
    with hold(sweep, storage, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(1), num_workers=1, start_s=START)
    return sweep, storage


def confirmed(sweep: Sweep, storage: Storage, *, top: int = 3, seeds: int = 3, spread: float = 0.02) -> Outcome:
    """Confirm with simulated workers: better configurations have smaller rates, and each seed moves a score a little."""
    history = history_of(storage)
    records = ranking.leaders(history)[:top]
    options = confirmations.confirmation_sweep(sweep, history, records, seeds=seeds, resources=ResourceOptions())
    place = confirmations.place_of(storage, options)
    options = confirmations._raised(place, options, "ada")

    def curves(job: Job, epoch: int) -> dict[str, float | None]:
        wobble = ((job.config.seed * 7919) % 13 / 6 - 1) * spread
        return {"score": 0.5 - job.config.lr + wobble - (9 - epoch) / 100}

    with hold(options, place, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, curves, num_workers=1, start_s=START)
        outcome = confirmations.evaluate(sweep, place, session.search.history, records)
    confirmations._journal(storage, history, outcome, "ada")
    return outcome


def test_runs_are_the_leaders_recipes_in_full_over_seeds_nobody_had(searched: tuple[Sweep, Storage]) -> None:
    sweep, storage = searched
    outcome = confirmed(sweep, storage)
    history = history_of(storage)
    leaders = {record.trial: record for record in ranking.leaders(history)[:3]}
    assert {row.trial for row in outcome.rows} == set(leaders)
    used = {record.config["seed"] for record in history.trials.values()}
    runs = history_of(outcome.storage).trials.values()
    recipes = [{name: value for name, value in record.config.items() if name != "seed"} for record in leaders.values()]
    for run in runs:
        assert run.config["seed"] not in used
        assert {name: value for name, value in run.config.items() if name != "seed"} in recipes
        assert (run.status, run.epochs) == ("completed", 9)


def test_figures_are_means_over_the_fresh_seeds_and_the_order_is_theirs(searched: tuple[Sweep, Storage]) -> None:
    sweep, storage = searched
    outcome = confirmed(sweep, storage, seeds=4)
    rates = [history_of(storage).trials[row.trial].config["lr"] for row in outcome.rows]
    assert rates == sorted(rates)
    for row in outcome.rows:
        mean = row.figures["mean"]
        assert mean is not None
        assert mean == pytest.approx(sum(row.scores.values()) / len(row.scores))
        assert row.figures["low"] < mean < row.figures["high"]  # type: ignore[operator]  # None fails the test
    assert sum(row.figures["p_best"] or 0 for row in outcome.rows) == pytest.approx(1)
    assert outcome.rows[0].behind is None
    assert all(row.behind is not None and row.behind.mean > 0 for row in outcome.rows[1:])


def test_an_interval_of_an_accuracy_stays_within_none_and_all(searched: tuple[Sweep, Storage]) -> None:
    ends = [(row.figures["low"], row.figures["high"]) for row in confirmed(*searched, seeds=2, spread=0.5).rows]
    assert all(low is not None and high is not None and 0 <= low < high <= 1 for low, high in ends)
    assert any(low == 0 or high == 1 for low, high in ends), "else this test shows nothing"


def test_luck_is_measured_at_the_epoch_at_which_the_trial_stood(searched: tuple[Sweep, Storage]) -> None:
    sweep, storage = searched
    outcome = confirmed(sweep, storage, top=4)
    history = history_of(storage)
    paused = next(row for row in outcome.rows if history.trials[row.trial].status == "paused")
    mean, there = paused.figures["mean"], paused.figures["rung_mean"]
    assert mean is not None
    assert there == pytest.approx(mean - 0.06), "three epochs instead of nine"


def test_leaderboard_shows_confirmed_figures_beside_single_ones_and_says_what_was_luck(searched: tuple[Sweep, Storage]) -> None:
    sweep, storage = searched
    before = leaderboard.read_table(storage)
    assert before["confirmed_score"].null_count == before.num_rows
    outcome = confirmed(sweep, storage)
    table = leaderboard.read_table(storage)
    assert table["rank"].to_pylist() == before["rank"].to_pylist()
    row = next(row for row in table.to_pylist() if row["trial"] == outcome.rows[0].trial)
    assert row["confirmed_score"] == outcome.rows[0].figures["mean"]
    assert (row["confirmed_seeds"], row["confirmation"]) == (outcome.rows[0].figures["n"], outcome.id)
    lines = leaderboard_text.lines(table, terminal=Terminal())
    first = table["trial"][0].as_py()
    luck = table["score"][0].as_py() - table["rung_mean"][0].as_py()
    assert any(line.startswith(f"{first} has ") and f"{luck * 100:+.1f} points of it was luck" in line for line in lines)
    assert "confirmed %" in "\n".join(lines)
    assert lines[-1] == f"next: shortlist promote test --trial {outcome.rows[0].trial}"
    text = finish_text.confirmation(outcome, metric="val_accuracy", first=first, argument="test")
    assert any("of it was luck" in line for line in text)


def test_leaders_go_by_their_confirmed_means_as_far_as_one_confirmation_has_seen_them(searched: tuple[Sweep, Storage]) -> None:
    sweep, storage = searched
    single = [record.trial for record in ranking.leaders(history_of(storage))]
    outcome = confirmed(sweep, storage)
    after = [record.trial for record in ranking.leaders(history_of(storage))]
    assert after[:3] == [row.trial for row in outcome.rows]
    assert after[3:] == single[3:]
    assert after[:3] != single[:3], "else this test shows nothing"


def test_more_seeds_go_on_where_fewer_ended_and_the_same_again_does_nothing(searched: tuple[Sweep, Storage]) -> None:
    sweep, storage = searched
    first = confirmed(sweep, storage, seeds=2, spread=0.5)
    written = len(list(journal.read(storage)))
    again = confirmed(sweep, storage, seeds=2, spread=0.5)
    assert again.rows == first.rows
    assert len(list(journal.read(storage))) == written
    more = confirmed(sweep, storage, seeds=5, spread=0.5)
    assert more.id == first.id
    assert (first.num_runs, more.num_runs) == (6, 15)
    known = {(run.config_hash, run.trial) for run in history_of(first.storage).trials.values()}
    assert len(known) == 15
    assert history_of(storage).trials[more.rows[0].trial].confirmed.n == more.rows[0].figures["n"]  # type: ignore[union-attr]  # the same


def test_trials_that_differ_in_their_seed_alone_are_confirmed_together(tmp_path: Path) -> None:
    recipe = {**SPACE, "lr": 0.01, "optimizer": "sgd", "seed": {"choice": [1, 2, 3]}}
    sweep = make_sweep(trial=recipe, scheduler={"none": {"max_epochs": 9}}, search={"sampler": "grid"})
    storage = Storage(tmp_path / "test")
    with hold(sweep, storage, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(1), num_workers=1, start_s=START)
    outcome = confirmed(sweep, storage, top=2)
    assert outcome.num_runs == 3
    assert outcome.rows[0].scores == outcome.rows[1].scores
