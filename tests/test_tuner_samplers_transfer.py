"""Earlier sweeps tell a new one what they know: once, before it starts, and only what fits."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from sweeps import START, by_quality, flat_cost, make_sweep

from results import journal, ranking
from results.errors import NotASweep
from results.history import History
from results.storage import Storage
from search_spaces.space import Space
from search_spaces.sweep import Earlier, Sweep
from tuner.samplers import transfer
from tuner.session import hold
from tuner.simulate import simulate

SMALL: dict[str, Any] = {"label": "small", "family": "resnet", "blocks": [1], "channels": {"choice": [8, 16]}}
DEEP: dict[str, Any] = {"label": "deep", "family": "resnet", "blocks": [1, 1], "channels": 8}
TRIAL: dict[str, Any] = {
    "model": {"choice": [SMALL, DEEP]},
    "optimizer": {"choice": ["sgd", "adam"]},
    "lr": [{"loguniform": [1e-2, 1.0], "when": {"optimizer": "sgd"}}, {"loguniform": [1e-4, 1e-2], "when": {"optimizer": "adam"}}],
}


def finished(runs: Path, name: str = "before", trials: int = 9, trial: dict[str, Any] = TRIAL, **changes: Any) -> History:
    """Run a sweep to its end and return its history; it is stored under `runs`."""
    sweep = make_sweep(name=name, trials=trials, trial=trial, **changes)
    with hold(sweep, Storage(runs / name), source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(0), num_workers=1, start_s=START)
    return History.of(journal.read(Storage(runs / name)))


def following(sampler: str = "tpe", trial: dict[str, Any] = TRIAL, **changes: Any) -> Sweep:
    names = changes.pop("transfer", ["before"])
    search = {"sampler": sampler, "trials": 4, "transfer": names}
    return make_sweep(name="after", trials=None, trial=trial, search=search, **changes)


def taken(sweep: Sweep, runs: Path) -> tuple[Earlier, list[str]]:
    found, remarks = transfer.frozen(sweep, runs)
    (earlier,) = found.search.transfer
    assert isinstance(earlier, Earlier)
    return earlier, remarks


def test_equal_spaces_transfer_the_best_trial_and_every_observation(tmp_path: Path) -> None:
    history = finished(tmp_path)
    earlier, remarks = taken(following(), tmp_path)
    assert remarks == []
    assert earlier.best == ranking.order(history)[0].values
    assert [found.values for found in earlier.observations] == [record.values for record in history.trials.values()]
    best = max(earlier.observations, key=lambda found: found.quality)
    assert best.values == earlier.best
    assert best.quality == pytest.approx(1 - 0.5 / 9)


def test_a_sampler_that_does_not_learn_takes_only_the_best_trial(tmp_path: Path) -> None:
    finished(tmp_path)
    earlier, _ = taken(following("sobol"), tmp_path)
    assert earlier.best
    assert earlier.observations == ()


def test_what_does_not_fit_is_drawn_and_said(tmp_path: Path) -> None:
    history = finished(tmp_path)
    trial = TRIAL | {"lr": {"loguniform": [1e-7, 1e-6]}, "batch_size": {"choice": [16, 32]}}
    earlier, remarks = taken(following(trial=trial), tmp_path)
    best = ranking.order(history)[0]
    assert "lr" not in earlier.best
    assert earlier.best["optimizer"] == best.values["optimizer"]
    drawn, unseen = remarks
    assert drawn.startswith(f"search.transfer: before: its best trial, {best.trial}, is tried with lr and batch_size drawn: lr was ")
    assert unseen == "search.transfer: before: 9 of its 9 trials are no observations, for they do not fit this space"


def test_what_was_a_constant_there_fits_where_its_value_can_be_drawn_here(tmp_path: Path) -> None:
    constant = TRIAL | {"optimizer": "sgd", "lr": {"loguniform": [1e-2, 1.0]}}
    finished(tmp_path, trial=constant)
    earlier, remarks = taken(following(), tmp_path)
    assert remarks == []
    assert earlier.best["optimizer"] == "sgd"
    assert len(earlier.observations) == 9


def test_an_option_of_the_same_label_that_is_another_network_does_not_fit(tmp_path: Path) -> None:
    finished(tmp_path, trial=TRIAL | {"model": {"choice": [DEEP | {"blocks": [2, 2]}, SMALL]}})
    earlier, remarks = taken(following(), tmp_path)
    assert {found.values["model"] for found in earlier.observations} == {"small"}
    assert len(earlier.observations) < 9
    assert "do not fit this space" in remarks[-1]


def test_trials_that_measured_something_else_are_no_observations(tmp_path: Path) -> None:
    finished(tmp_path, objective={"metric": "val_loss", "mode": "min"})
    earlier, remarks = taken(following(), tmp_path)
    assert earlier.observations == ()
    assert earlier.best
    assert remarks == ["search.transfer: before: its trials are no observations, for it measured val_loss, not val_accuracy"]


def test_a_leaderboard_alone_is_enough(tmp_path: Path) -> None:
    finished(tmp_path)
    from_journal, _ = taken(following(), tmp_path)
    shutil.rmtree(tmp_path / "before" / "journal")
    (tmp_path / "before" / "sweep.json").unlink()
    from_leaderboard, _ = taken(following(), tmp_path)
    assert from_leaderboard == from_journal


@pytest.mark.slow
def test_of_many_trials_an_even_share_of_the_leaderboard_is_kept(tmp_path: Path) -> None:
    finished(tmp_path, trials=400, scheduler={"none": {"max_epochs": 1}})
    earlier, _ = taken(following(), tmp_path)
    found = sorted(observation.quality for observation in earlier.observations)
    assert len(found) == transfer.MAX_OBSERVATIONS
    assert found[0] == pytest.approx(0.5 / 400)
    assert found[-1] == pytest.approx(1 - 0.5 / 400)
    assert sum(found) / len(found) == pytest.approx(0.5, abs=0.01)


def test_a_sweep_that_does_not_exist_or_has_no_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotASweep, match=r"search\.transfer: before: no sweep there"):
        transfer.frozen(following(), tmp_path)
    with hold(make_sweep(name="before"), Storage(tmp_path / "before"), source=None, cost=flat_cost):
        pass
    with pytest.raises(NotASweep, match="before: no trial of it has reached a rung, so it has nothing to tell"):
        transfer.frozen(following(), tmp_path)


def test_a_sweep_goes_on_with_what_it_was_told_at_its_start(tmp_path: Path) -> None:
    finished(tmp_path)
    named = following()
    frozen, _ = transfer.frozen(named, tmp_path)
    assert frozen.hash() == named.hash()
    place = Storage(tmp_path / "after")
    with hold(frozen, place, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(1), num_workers=1, start_s=START, max_epochs=3)
    shutil.rmtree(tmp_path / "before")
    with hold(named, place, source=None, cost=flat_cost) as session:  # the same file again, and no earlier sweep
        session.start(1)
        simulate(session.search, by_quality(1), num_workers=1, start_s=START)
        assert session.sweep.search.transfer == frozen.search.transfer
        interrupted = [(record.source, record.values) for record in session.search.history.trials.values()]
    undisturbed = Storage(tmp_path / "undisturbed")
    with hold(frozen, undisturbed, source=None, cost=flat_cost) as session:
        session.start(1)
        simulate(session.search, by_quality(1), num_workers=1, start_s=START)
        assert [(record.source, record.values) for record in session.search.history.trials.values()] == interrupted
    assert [source for source, _ in interrupted] == ["transfer", "tpe", "tpe", "tpe"]  # nine results there and one here are enough


def test_values_of_another_branch_are_looked_at_where_they_would_apply(tmp_path: Path) -> None:
    finished(tmp_path)
    flat = {"model": SMALL, "optimizer": "sgd", "lr": {"loguniform": [1e-5, 1.0]}}
    earlier, _ = taken(following(trial=flat), tmp_path)
    assert set(earlier.best) <= set(Space.parse(flat).searched)
    assert all(set(found.values) == {"model.channels", "lr"} for found in earlier.observations)
