"""Every sampler comes back from the journal: a sweep cut after any event proposes what the undisturbed one proposed."""

from collections.abc import Sequence
from typing import Any

import pytest
from sweeps import START, Recorder, by_quality, make_search, make_sweep

from results.events import DriverStarted, Ended, Event, Reported, Suggested, stamp
from search_spaces.sweep import Sweep
from tuner.simulate import simulate

TRIAL: dict[str, Any] = {
    "model": {"family": "resnet", "blocks": [1], "channels": {"choice": [8, 16]}},
    "optimizer": {"choice": ["sgd", "adam"]},
    "lr": [{"loguniform": [1e-2, 1.0], "when": {"optimizer": "sgd"}}, {"loguniform": [1e-4, 1e-2], "when": {"optimizer": "adam"}}],
    "dropout": {"uniform": [0.0, 0.5]},
}
LISTED = [{"model.channels": 8, "optimizer": "sgd", "lr": 0.02 * n, "dropout": 0.0} for n in range(1, 7)]
EARLIER = {
    "sweep": "before",
    "best": {"optimizer": "sgd", "lr": 0.3},
    "observations": [
        {"values": {"model.channels": 8, "optimizer": "sgd", "lr": 0.01 * n, "dropout": 0.1}, "quality": n / 13} for n in range(1, 13)
    ],
}
ASHA = {"asha": {"min_epochs": 1, "max_epochs": 9, "eta": 3}}
LIMIT = {"max_parameters": 12_000}  # refuses every other candidate: 16 channels cost 16,000

SWEEPS: dict[str, dict[str, Any]] = {
    "random": {"search": {"sampler": "random", "trials": 6, "start": [{"optimizer": "adam"}, {"lr": 0.1}]}},
    "sobol": {"search": {"sampler": "sobol", "trials": 6}, "constraints": LIMIT},
    "halton": {"search": {"sampler": "halton", "trials": 6, "transfer": [EARLIER]}},
    "grid": {"search": {"sampler": "grid", "random": ["lr", "dropout"], "trials": 7, "start": [{"lr": 0.1}]}},
    "listed": {"search": {"sampler": "listed", "configurations": LISTED}},
    "one_factor": {"search": {"sampler": "one_factor", "base": {"lr": 0.1, "dropout": 0.2}, "levels": 3}},
    "tpe": {"search": {"sampler": "tpe", "trials": 14}},
    "model": {"search": {"sampler": "model", "trials": 24, "start": [{"lr": 0.1}]}, "constraints": LIMIT},
    "tpe with limits, starts and transfer": {
        "search": {"sampler": "tpe", "trials": 6, "start": [{"lr": 0.1}], "transfer": [EARLIER]},
        "constraints": LIMIT,
    },
}


def sweep_of(**changes: Any) -> Sweep:
    return make_sweep(**{"trials": None, "trial": TRIAL, "scheduler": ASHA} | changes)


def run_to_end(sweep: Sweep, events: Sequence[Event] = ()) -> list[Event]:
    """Return the whole journal of a sweep that goes on after `events`."""
    recorder = Recorder()
    recorder.events = list(events)
    search, _ = make_search(sweep, events, recorder)
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=1))
    simulate(search, by_quality(3), num_workers=1, start_s=START)
    assert search.done
    return recorder.events


def facts(events: Sequence[Event]) -> list[object]:
    """Return what a sampler may depend on or decide, without clocks, drivers and attempts."""
    kept: list[object] = []
    for event in events:
        match event:
            case Suggested():
                kept.append((event.trial, event.config_hash, event.draw, event.source, dict(event.rejected)))
            case Reported(trial=trial, epoch=epoch, score=score):
                kept.append((trial, epoch, score))
            case Ended(trial=trial, status=status):
                kept.append((trial, status))
    return kept


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name == "model" else ()) for name in sorted(SWEEPS)])
def test_sweep_cut_after_any_event_proposes_what_the_undisturbed_one_proposed(name: str) -> None:
    sweep = sweep_of(**SWEEPS[name])
    undisturbed = run_to_end(sweep)
    expected = facts(undisturbed)
    assert any(isinstance(event, Suggested) and event.source == sweep.search.sampler for event in undisturbed)
    for cut in range(1, len(undisturbed)):
        assert facts(run_to_end(sweep, undisturbed[:cut])) == expected, f"cut after {undisturbed[cut - 1]}"


@pytest.mark.slow
def test_sweep_of_the_gaussian_process_cut_after_any_event_proposes_the_same() -> None:
    sweep = sweep_of(search={"sampler": "gp", "trials": 12}, scheduler={"none": {"max_epochs": 1}})
    undisturbed = run_to_end(sweep)
    assert [event.source for event in undisturbed if isinstance(event, Suggested)][10:] == ["gp", "gp"]
    expected = facts(undisturbed)
    for cut in [*range(1, 40, 13), *range(40, len(undisturbed))]:
        assert facts(run_to_end(sweep, undisturbed[:cut])) == expected, f"cut after {undisturbed[cut - 1]}"
