"""What keeps a trial from being promoted."""

import pytest
from sweeps import flat_cost
from test_tuner_final_plan import planned

from results.trial import Confirmation
from search_spaces.final_options import GateOptions
from tuner import gates
from tuner.errors import GateRefused
from tuner.final_plan import FinalPlan
from tuner.gates import Check


def confirmation(**changes: object) -> Confirmation:
    figures: dict[str, object] = {
        "confirmation": "c", "mean": 0.9, "low": 0.89, "high": 0.91, "sd": 0.01, "n": 3, "failed": 0, "p_best": 0.9, "margin": 1.5,
        "rung_mean": 0.9, "val_accuracy": 0.9,
    }  # fmt: skip
    return Confirmation(**figures | changes)  # type: ignore[arg-type]


def check(plan: FinalPlan, **options: object) -> list[Check]:
    return gates.checks(plan, GateOptions.model_validate(options), cost=flat_cost, latency_ms=lambda config: 4.0)


def only(plan: FinalPlan, **options: object) -> Check:
    (found,) = check(plan, **options)
    return found


def test_no_gate_asks_for_nothing() -> None:
    unused = gates.checks(
        planned(), GateOptions(), cost=lambda config: pytest.fail("counted"), latency_ms=lambda config: pytest.fail("ran")
    )
    assert unused == []
    gates.refuse(unused, "test")


def test_network_is_that_of_the_final_with_its_overrides() -> None:
    plan = planned(overrides={"model.channels": 32})
    assert not only(plan, max_parameters=31_999).met
    assert only(plan, max_parameters="32k").met
    assert only(plan, max_flops=1).met
    assert only(plan, max_latency_ms=4.0).met
    slow = only(plan, max_latency_ms=3.9)
    assert (slow.seen, slow.required, slow.met) == ("4 ms", "<= 3.9 ms", False)


def test_accuracy_is_the_confirmed_mean_where_there_is_one() -> None:
    plan = planned()
    lucky = plan.record.last
    assert lucky is not None
    assert only(plan, min_val_accuracy=lucky.val_accuracy).met
    assert "a single run" in only(plan, min_val_accuracy=0.1).seen
    plan.record.confirmed = confirmation(val_accuracy=lucky.val_accuracy - 0.01)
    found = only(plan, min_val_accuracy=lucky.val_accuracy)
    assert not found.met
    assert "mean of 3 fresh seeds" in found.seen


def test_margin_and_confirmation_need_a_confirmation_and_say_how_to_get_one() -> None:
    plan = planned()
    for options in ({"confirmed": True}, {"min_margin": 1.0}):
        missing = only(plan, **options)
        assert not missing.met
        assert "shortlist confirm test" in missing.required
    plan.record.confirmed = confirmation(margin=1.5)
    assert only(plan, confirmed=True).met
    assert only(plan, min_margin=1.5).met
    close = only(plan, min_margin=2)
    assert (close.seen, close.required) == ("1.50 standard errors", ">= 2 above the runner-up")
    plan.record.confirmed = confirmation(n=0, failed=3)
    assert only(plan, confirmed=True).seen == "0 fresh seeds, 3 failed"
    assert not only(plan, confirmed=True).met


def test_refusal_lists_every_gate_that_is_not_met_and_only_those() -> None:
    found = check(planned(), max_parameters=1, max_flops=10, confirmed=True)
    with pytest.raises(GateRefused) as caught:
        gates.refuse(found, "digits")
    text = str(caught.value)
    assert text.startswith("digits: 2 gates are not met, nothing was trained\n")
    assert "max_parameters: seen 8,000, required <= 1\n" in text
    assert "max_flops" not in text
    assert caught.value.exit_code == 3


def test_unconfirmed_trial_is_refused_with_both_ways_to_confirm_it() -> None:
    plan = planned()
    with pytest.raises(GateRefused) as refused:
        gates.refuse(check(plan, confirmed=True), "test")
    name = plan.sweep.name
    assert f"run: shortlist confirm {name}, then: shortlist promote {name}; or let `run` do it with final.confirm" in str(refused.value)
