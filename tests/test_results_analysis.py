"""Analyses of a sweep's tables, on made-up sweeps whose truth is known."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from results import curves, leaderboard
from results.analysis.best_so_far import best_so_far
from results.analysis.discarded import discarded
from results.analysis.effects import effects
from results.analysis.failures import failures
from results.analysis.findings import Finding, findings
from results.analysis.frames import Frames
from results.analysis.funnel import funnel
from results.analysis.importance import importance
from results.analysis.noise import Noise, between_epochs, between_seeds, num_tied
from results.analysis.pareto import directions, undominated
from results.analysis.savings import savings
from results.analysis.timeline import busy, timeline
from results.events import Ended, Event
from results.history import History
from tests import recorded

Values = dict[str, Any]


def sweep(
    n: int,
    score: Callable[[Values, random.Random], float | None],
    *,
    values: Callable[[random.Random], Values] | None = None,
    full_share: float = 1 / 3,
    seed: int = 0,
) -> Frames:
    """n trials of 18 epochs with rungs at 2 and 6; the best third of a rung goes on. A score of None diverges at epoch 2."""
    rng = random.Random(seed)
    drawn = [(values or some_values)(rng) for _ in range(n)]
    finals = [score(each, rng) for each in drawn]
    events: list[Event] = [recorded.started(parameters=tuple(drawn[0]), num_trials=n), recorded.driver()]
    alive = list(range(n))
    for index in range(n):
        events += [recorded.suggested(f"t{index + 1:05d}", draw=index, values=drawn[index]), recorded.launched(f"t{index + 1:05d}")]
    for begin, end in ((0, 2), (2, 6), (6, 18)):
        for index in alive:
            trial, final = f"t{index + 1:05d}", finals[index]
            if begin:
                events.append(recorded.launched(trial, attempt=1 + (begin > 0) + (begin > 2), from_epoch=begin, until_epoch=end))
            for epoch in range(begin + 1, end + 1):
                if final is None and epoch == 2:
                    events.append(Ended(at=recorded.AT, trial=trial, status="diverged", reason=f"the loss is nan at step {17 + index}"))
                    break
                shown = 0.1 if final is None else final * (1 - math.exp(-epoch / 6)) + rng.gauss(0, 0.002)
                attempt = 1 + (begin > 0) + (begin > 2)
                events.append(recorded.reported(trial, epoch, shown, attempt=attempt))
            if final is not None and end < 18:
                events.append(recorded.decided(trial, end, final, action="pause"))
            elif final is not None:
                events.append(recorded.ended(trial, "completed"))
        finite = sorted((index for index in alive if finals[index] is not None), key=lambda index: -(finals[index] or 0))
        alive = finite[: max(1, int(len(finite) * full_share))]
    history = History.of([*events, recorded.stopped()])
    return Frames.of(leaderboard.derive(history), curves.derive(history))


def some_values(rng: random.Random) -> Values:
    optimizer = rng.choice(["sgd", "adam"])
    drawn: Values = {"optimizer": optimizer, "lr": 10 ** rng.uniform(-4, -0.5), "batch_size": rng.choice([32, 64, 128])}
    return drawn | ({"momentum": rng.uniform(0.5, 0.99)} if optimizer == "sgd" else {})


def by_lr(values: Values, rng: random.Random) -> float:
    """Best at 1e-2, whatever else."""
    return 0.9 - 0.1 * (math.log10(values["lr"]) + 2) ** 2 + rng.gauss(0, 0.01)


def at_random(values: Values, rng: random.Random) -> float:
    return rng.uniform(0.3, 0.9)


def test_funnel_counts_who_reached_each_rung_and_who_went_on() -> None:
    table = funnel(sweep(27, by_lr))
    assert table["rung_epochs"].tolist() == [2, 6, 18]
    assert table["reached"].tolist() == [27, 9, 3]
    assert table["went_on"].tolist() == [9, 3, 0]
    assert (table["best"] >= table["median"]).all()
    assert math.isnan(table["cutoff"].iloc[-1])


def test_savings_are_what_was_not_trained() -> None:
    found = savings(sweep(27, by_lr))
    assert found.epochs == 18 * 2 + 6 * 6 + 3 * 18
    assert found.epochs_in_full == 27 * 18
    assert found.share == pytest.approx(1 - found.epochs / found.epochs_in_full)  # every epoch takes the same time here


def test_leader_is_the_leaderboards_at_every_moment() -> None:
    frames = sweep(27, by_lr)
    table = best_so_far(frames)
    assert table["trial"].iloc[-1] == frames.board["trial"].iloc[0]
    assert table["rung_epochs"].is_monotonic_increasing
    assert table["device_h"].is_monotonic_increasing
    assert table["epochs"].iloc[-1] <= len(frames.curves)


def test_front_holds_what_nothing_beats() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"score": rng.integers(0, 9, 80) / 10, "parameters": rng.integers(1, 9, 80), "wall_s": rng.random(80)})
    frame.loc[3, "score"] = None
    for columns in (["score", "parameters"], ["score", "parameters", "wall_s"]):
        signs = directions(columns, metric="val_accuracy", sign=1)
        assert signs == [1, -1, -1][: len(columns)]
        points = frame[columns].to_numpy() * signs
        by_hand = [
            not any((other >= point).all() and (other > point).any() for other in points[~np.isnan(points).any(axis=1)])
            and not np.isnan(point).any()
            for point in points
        ]
        assert undominated(frame[columns].to_numpy(), signs).tolist() == by_hand


def test_noise_between_epochs_is_that_of_the_curves() -> None:
    noise = epoch_noise(sweep(60, by_lr))
    assert noise is not None
    assert noise.sd == pytest.approx(0.002, rel=0.35)  # 6 curves of 18 epochs and 14 of 6
    assert noise.n == 6 * 9 + 14 * 1
    assert epoch_noise(sweep(3, by_lr)) is not None
    assert epoch_noise(sweep(1, lambda values, rng: None)) is None


def epoch_noise(frames: Frames) -> Noise | None:
    rows = frames.scores
    return between_epochs(rows["trial"].to_numpy(), rows["epoch"].to_numpy(), rows["score"].to_numpy())


def test_noise_between_seeds_is_that_of_trials_alike_but_for_the_seed() -> None:
    def values(rng: random.Random) -> Values:
        return {"lr": rng.choice([0.01, 0.1]), "seed": rng.randrange(1000)}

    frames = sweep(40, lambda drawn, rng: 0.7 + drawn["lr"] + rng.gauss(0, 0.01), values=values, full_share=1.0)
    assert between_seeds(frames) is None  # all trials say seed 3: nothing differs
    frames = Frames(frames.board.assign(seed=frames.board["config.seed"]), frames.curves, frames.about)
    noise = between_seeds(frames)
    assert noise is not None
    assert noise.sd == pytest.approx(0.01, rel=0.35)


def test_first_rows_within_noise_are_counted_at_one_rung() -> None:
    noise = Noise(sd=0.01, n=20, source="epochs")  # differences below 0.0277 are not told apart
    assert num_tied([18, 18, 18, 18], [0.9, 0.89, 0.873, 0.87], noise) == 3
    assert num_tied([18, 6, 6], [0.9, 0.9, 0.9], noise) == 1
    assert num_tied([18, 18], [0.9, 0.9], None) == 1
    assert num_tied([], [], noise) == 0


def test_effects_say_what_each_value_did() -> None:
    table = effects(sweep(60, by_lr))
    lr = table[table["parameter"] == "lr"]
    best = lr.loc[lr["standing"].idxmax()]
    assert best["low_value"] < 1e-2 < best["high_value"]
    assert ((table["low"] <= table["standing"]) & (table["standing"] <= table["high"])).all()
    assert table[table["parameter"] == "optimizer"]["n"].sum() == 60
    assert table[table["parameter"] == "momentum"]["n"].sum() < 60


def test_parameter_that_decides_is_the_most_important() -> None:
    found = importance(sweep(60, by_lr))
    assert found.parameters["parameter"].iloc[0] == "lr"
    assert found.parameters["low"].iloc[0] > found.parameters["high"].iloc[1:].max()
    assert found.explained > 0.5
    assert found.parameters.equals(importance(sweep(60, by_lr)).parameters)


def test_importance_of_a_long_sweep_rests_on_a_sample_that_is_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = sweep(160, by_lr)
    whole = importance(frames)
    monkeypatch.setattr("results.analysis.importance.MOST_TRIALS", 40)
    drawn = importance(frames)
    assert (drawn.n, drawn.of, whole.n, whole.of) == (40, 160, 160, 160)
    assert drawn.parameters["parameter"].iloc[0] == "lr"
    wider, narrow = (found.parameters.set_index("parameter").loc["lr"] for found in (drawn, whole))
    assert wider["high"] - wider["low"] > 1.4 * (narrow["high"] - narrow["low"]), "fewer trials, less certainty"
    assert drawn.explained < whole.explained
    assert drawn.parameters.equals(importance(frames).parameters)


def test_importance_is_silent_without_structure_or_trials() -> None:
    for seed in range(2):
        found = importance(sweep(40, at_random, seed=seed))
        assert found.parameters.empty
        assert "too few" in found.remark
    assert "needs 12" in importance(sweep(8, by_lr)).remark


def test_failures_are_counted_by_cause() -> None:
    frames = sweep(20, lambda values, rng: None if values["lr"] > 0.05 else by_lr(values, rng))
    table = failures(frames)
    assert len(table) == 1
    assert table["n"].iloc[0] == (frames.board["status"] == "diverged").sum() > 1
    assert "the loss is nan" in table["cause"].iloc[0]


def test_timeline_has_a_bar_for_every_segment() -> None:
    frames = sweep(9, by_lr)
    table = timeline(frames)
    assert len(table) == 9 + 3 + 1
    assert (table["started_at"] < table["ended_at"]).all()
    assert table[["from_epoch", "until_epoch"]].drop_duplicates().to_numpy().tolist() == [[1, 2], [3, 6], [7, 18]]
    assert 0 < busy(frames) <= 1


def test_dropped_trials_hardly_win_where_first_epochs_tell_the_order() -> None:
    found = discarded(sweep(27, by_lr, full_share=0.5))
    assert found.n == 27 - 6
    assert found.low <= found.probability <= found.high < 0.5


def test_dropped_trials_may_win_where_first_epochs_tell_nothing() -> None:
    frames = sweep(27, by_lr, full_share=0.5)
    rng = np.random.default_rng(0)
    early = frames.curves["epoch"] < 18
    noisy = frames.curves.assign(val_accuracy=frames.curves["val_accuracy"].where(~early, rng.uniform(0.2, 0.9, len(frames.curves))))
    assert discarded(Frames(frames.board, noisy, frames.about)).probability > 0.5


def test_nothing_is_said_of_dropped_trials_without_survivors() -> None:
    found = discarded(sweep(9, by_lr))
    assert math.isnan(found.probability)
    assert "1 trials were trained in full" in found.remark


def said(frames: Frames) -> dict[str, Finding]:
    return {f"{finding.kind} {finding.parameter}": finding for finding in findings(frames)}


def test_region_that_diverges_is_named_with_its_trials() -> None:
    frames = sweep(60, lambda values, rng: None if values["optimizer"] == "adam" and values["lr"] > 0.03 else by_lr(values, rng))
    finding = said(frames)["diverged lr"]
    assert "adam trials" in finding.text
    assert finding.text.startswith("lr above 0.0")
    assert set(finding.trials) <= set(frames.board.loc[frames.board["status"] == "diverged", "trial"])


def test_better_choice_is_named() -> None:
    frames = sweep(40, lambda values, rng: 0.5 + 0.3 * (values["optimizer"] == "sgd") + rng.gauss(0, 0.05))
    finding = said(frames)["choice optimizer"]
    assert finding.text.startswith("optimizer sgd does best")
    assert finding.p_value < 0.005


def test_best_value_at_the_edge_of_its_range_is_named() -> None:
    frames = sweep(40, lambda values, rng: 0.5 + 0.1 * math.log10(values["lr"]) + rng.gauss(0, 0.01))
    finding = said(frames)["edge lr"]
    assert "upper edge" in finding.text
    assert "widen" in finding.text


def test_silence_on_random_scores() -> None:
    for seed in range(20):
        assert findings(sweep(64, at_random, seed=seed)) == []


def test_silence_on_shuffled_scores_of_a_sweep_that_has_something_to_say() -> None:
    frames = sweep(64, by_lr)
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(frames.board))
        of_values = [f"config.{path}" for path in frames.parameters]
        board = frames.board.copy()
        board[of_values] = frames.board[of_values].iloc[order].to_numpy()
        board = board.astype(frames.board.dtypes.to_dict())
        assert findings(Frames(board, frames.curves, frames.about)) == []


def test_sweeps_of_nothing_and_of_one_trial_are_analysed_without_a_word() -> None:
    for n in (0, 1):
        history = History.of([recorded.started(), recorded.driver()] + ([recorded.suggested("t00001")] if n else []))
        frames = Frames.of(leaderboard.derive(history), curves.derive(history))
        assert findings(frames) == []
        assert funnel(frames)["reached"].sum() == 0
        assert savings(frames).share == 0.0
        assert effects(frames).empty
        assert best_so_far(frames).empty
        assert failures(frames).empty
        assert timeline(frames).empty
        assert busy(frames) == 0.0
        assert importance(frames).parameters.empty
        assert discarded(frames).n == 0
        assert epoch_noise(frames) is None
        assert between_seeds(frames) is None
