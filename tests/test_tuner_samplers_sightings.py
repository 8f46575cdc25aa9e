"""What a history says of each configuration."""

import math

import numpy as np
import pytest
from sweeps import START, by_quality, make_search, make_sweep

from results.events import Decided, Ended
from tuner.samplers.sightings import Sighting, sighting, targets
from tuner.simulate import simulate


def test_the_order_is_that_of_the_two_ranks_together() -> None:
    seen = [Sighting("a", 1, 0.1), Sighting("b", 1, 0.9), Sighting("c", 1, 0.5), Sighting("b", 3, 0.6), Sighting("c", 3, 0.7)]
    found = targets(seen)
    # a: last twice. b: first at rung 1, second in the leaderboard. c: second at rung 1, first in the leaderboard.
    assert found["a"] < found["b"] == found["c"]


def test_values_are_those_of_a_normal_distribution() -> None:
    found = targets([Sighting(f"t{number}", 1, float(number)) for number in range(101)])
    values = np.array(list(found.values()))
    assert values.mean() == pytest.approx(0.0, abs=1e-12)
    assert values.std() == pytest.approx(1.0, abs=0.02)
    assert values.tolist() == sorted(values.tolist())


def test_diverged_trials_are_tied_at_the_bottom_whatever_they_scored_before() -> None:
    seen = [Sighting("a", 1, 0.9), Sighting("b", 1, 0.1), Sighting("a", 0, -math.inf), Sighting("c", 0, -math.inf)]
    found = targets(seen)
    assert found["a"] == found["c"] < found["b"]


def test_all_diverged_is_all_alike() -> None:
    assert set(targets([Sighting("a", 0, -math.inf), Sighting("b", 0, -math.inf)]).values()) == {0.0}


def test_a_lucky_first_rung_of_one_ladder_is_not_compared_with_another() -> None:
    seen = [Sighting("a", 1, 0.3), Sighting("b", 1, 0.2), Sighting("c", 9, 0.8), Sighting("d", 9, 0.9)]
    found = targets(seen)
    assert found["b"] < found["a"] < found["d"]
    assert found["b"] < found["c"] < found["d"]


@pytest.mark.parametrize(("mode", "sign"), [("max", 1), ("min", -1)])
def test_a_simulated_sweep_is_seen_as_its_journal_tells(mode: str, sign: int) -> None:
    objective = {"metric": "val_accuracy" if mode == "max" else "val_loss", "mode": mode}
    search, recorder = make_search(make_sweep(trials=12, objective=objective))
    simulate(search, by_quality(0), num_workers=3, start_s=START)
    found = [one for fact in search.history.judged if (one := sighting(search.history, fact, sign=sign)) is not None]
    expected = []
    for event in recorder.events:
        match event:
            case Decided(trial=trial, rung_epochs=int(rung), score=float(score)):
                expected.append(Sighting(trial, rung, sign * score))
            case Ended(trial=trial, status="completed"):
                score = search.history.trials[trial].curve[27].score
                assert score is not None
                expected.append(Sighting(trial, 27, sign * score))
    assert found == expected
    assert any(one.rung_epochs == 27 for one in found)


def test_a_trial_that_failed_says_nothing() -> None:
    search, _ = make_search(make_sweep())
    job = search.next_job(START)
    assert job is not None
    search.end(job.trial, job.attempt, "failed", "its code raised", START)
    assert [sighting(search.history, fact, sign=1) for fact in search.history.judged] == [None]
