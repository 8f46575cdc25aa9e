"""Every rule, on any number of workers, whatever goes wrong: what must hold at each answer and at the end."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import Witness
from sweeps import START, by_quality, make_sweep

from tuner.simulate import Mishaps, simulate

RUNGS = {"min_epochs": 1, "max_epochs": 9, "eta": 3}
RULES: dict[str, dict[str, Any]] = {
    "asha": {"asha": RUNGS},
    "asha delayed": {"asha": RUNGS | {"delayed": True}},
    "asha stopping": {"asha": RUNGS | {"variant": "stopping"}},
    "asha impatient": {"asha": RUNGS, "patience": {"epochs": 2, "min_delta": 0.05}},
    "hyperband": {"hyperband": RUNGS},
    "hyperband delayed": {"hyperband": RUNGS | {"delayed": True, "brackets": 2}},
    "hyperband stopping": {"hyperband": RUNGS | {"variant": "stopping"}},
    "median": {"median": {"max_epochs": 9}},
    "median impatient": {"median": {"max_epochs": 9}, "patience": {"epochs": 3, "min_delta": 0.01}},
    "none": {"none": {"max_epochs": 4}},
}
MODES: dict[str, dict[str, str]] = {"max": {}, "min": {"metric": "val_loss", "mode": "min"}}

chances = st.sampled_from([0.0, 0.02, 0.2])


@settings(max_examples=250, deadline=None)
@given(
    rule=st.sampled_from(sorted(RULES)),
    mode=st.sampled_from(sorted(MODES)),
    eta=st.integers(2, 4),
    trials=st.integers(1, 40),
    workers=st.integers(1, 16),
    mishaps=st.builds(
        Mishaps,
        seed=st.integers(0, 10_000),
        lost=chances,
        not_finite=chances,
        out_of_memory=chances,
        killed=chances,
        uneven=st.sampled_from([0.0, 0.9]),
    ),
)
def test_no_rule_breaks_its_word_whatever_goes_wrong(rule: str, mode: str, eta: int, trials: int, workers: int, mishaps: Mishaps) -> None:
    options = {name: value | {"eta": eta} if "eta" in value else value for name, value in RULES[rule].items()}
    witness = Witness(make_sweep(trials=trials, scheduler=options, objective=MODES[mode]), seed=mishaps.seed)
    simulate(witness, by_quality(mishaps.seed), num_workers=workers, start_s=START, mishaps=mishaps, restart=witness.restart)
    witness.check_the_end()
    if mishaps.lost == mishaps.not_finite == mishaps.out_of_memory == 0.0 and "patience" not in options:
        assert witness.ledger.counts()["completed"] >= 1, "drain, or the best that no rule stops"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "workers"),  # every rule, every size; all pairs of them take minutes and were walked through by hand
    [
        ("asha", 256),
        ("asha delayed", 16),
        ("asha stopping", 64),
        ("asha impatient", 4),
        ("hyperband", 64),
        ("hyperband stopping", 4),
        ("median", 256),
        ("none", 1),
    ],
)
def test_ten_thousand_trials_end_with_random_failures(rule: str, workers: int) -> None:
    witness = Witness(make_sweep(trials=10_000, scheduler=RULES[rule]), every=500)
    mishaps = Mishaps(seed=workers, lost=0.01, not_finite=0.003, out_of_memory=0.003, killed=0.0001, uneven=0.5)
    trace = simulate(witness, by_quality(1), num_workers=workers, start_s=START, mishaps=mishaps, restart=witness.restart)
    witness.check_the_end()
    assert trace.busy >= 0.99 or workers > 16, trace.busy
