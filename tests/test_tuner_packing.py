"""How many trials share a GPU: from estimates, from peaks, from speed."""

from dataclasses import asdict

import pytest
from sweeps import START, Recorder, flat_cost, make_search, make_sweep, report, started

from results.events import DriverStarted, Ended, stamp
from search_spaces.constraints import memory_bytes
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from tuner.packing import Need, choose, counts_to_try, fitting, largest, need, peaks
from tuner.slots import CONTEXT_BYTES, slot_memory_bytes

GIB = 2**30


def cost(config: TrainConfig) -> ArchitectureCost:
    channels = config.model.channels
    assert isinstance(channels, int)
    return ArchitectureCost(parameters=1_000 * channels, flops_per_image=1, activation_bytes_per_image=100 * channels)


def test_the_largest_candidate_is_the_one_that_needs_most_with_its_batch() -> None:
    trial = {
        "model": {"family": "resnet", "blocks": [1], "channels": {"choice": [4, 16, 8]}},
        "batch_size": {"choice": [256, 32]},
        "lr": 0.1,
    }
    config, estimate = largest(make_sweep(trial=trial), cost)
    assert (config.model.channels, config.batch_size) == (16, 256)  # type: ignore[union-attr]  # no builder
    assert estimate == memory_bytes(config, cost(config)) == 4 * 16_000 * 3 + 256 * 1600  # weights, gradients, momentum; activations


def test_the_largest_candidate_of_an_infinite_space_keeps_its_limits() -> None:
    trial = {"model": {"family": "resnet", "blocks": [1], "channels": {"choice": [4, 16, 64]}}, "lr": {"loguniform": [1e-3, 1e-1]}}
    config, _ = largest(make_sweep(trial=trial, constraints={"max_parameters": 20_000}), cost)
    assert config.model.channels == 16


def test_before_anything_was_trained_the_estimate_counts_with_a_margin() -> None:
    assert need(3 * GIB, 1 * GIB, []) == Need(7 * GIB, measured=False)


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ([(3 * GIB, 4 * GIB), (1 * GIB, 2 * GIB)], 1.15 * 4),  # as large as the largest: its peak
        ([(1 * GIB, 2 * GIB)], 1.15 * 6),  # three times what was measured
        ([(6 * GIB, 5 * GIB)], 1.15 * 5),  # an earlier, larger one: never scaled down
    ],
)
def test_measured_peaks_take_the_place_of_the_estimate(measured: list[tuple[int, int]], expected: float) -> None:
    assert need(3 * GIB, 1 * GIB, measured) == Need(int(expected * GIB), measured=True)


@pytest.mark.parametrize(
    ("need_gib", "gpu_gib", "cpus", "expected"),
    [(7.0, 80, 16, 10), (7.0, 80, 4, 4), (7.0, 6, 16, 1), (0.01, 140, 64, 16), (39.0, 80, 16, 2), (39.9, 80, 16, 1)],
)
def test_as_many_fit_as_memory_and_processors_have_room_for(need_gib: float, gpu_gib: int, cpus: int, expected: int) -> None:
    assert fitting(Need(int(need_gib * GIB), measured=True), gpu_gib * GIB, cpus=cpus) == expected


def test_after_a_trial_ran_out_of_memory_each_gets_twice_as_much() -> None:
    needed = Need(1 * GIB, measured=True)
    before = fitting(needed, 80 * GIB, cpus=16)
    assert before == 16
    after = fitting(needed, 80 * GIB, ran_out_bytes=slot_memory_bytes(80 * GIB, 1 / before), cpus=16)
    assert after <= before // 2
    assert fitting(needed, 80 * GIB, ran_out_bytes=slot_memory_bytes(80 * GIB, 0.5), cpus=16) == 1


def test_what_torch_may_use_leaves_room_for_every_context() -> None:
    assert 4 * (slot_memory_bytes(80 * GIB, 0.25) + CONTEXT_BYTES) <= 80 * GIB


def test_a_probe_measures_powers_of_two_and_the_most() -> None:
    assert counts_to_try(1) == (1,)
    assert counts_to_try(6) == (1, 2, 4, 6)
    assert counts_to_try(16) == (1, 2, 4, 8, 16)


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [({1: 100.0}, 1), ({1: 100.0, 2: 103.0, 4: 104.0}, 1), ({1: 100.0, 2: 190.0, 4: 195.0}, 2), ({1: 100.0, 2: 180.0, 4: 250.0}, 4)],
)
def test_the_fewest_that_are_nearly_as_fast_as_the_best_are_taken(speeds: dict[int, float], expected: int) -> None:
    assert choose(speeds) == expected


def test_peaks_are_those_of_trials_that_a_gpu_has_trained_and_shortage_is_remembered_with_its_slot() -> None:
    search, _ = make_search(make_sweep(trials=4), recorder=Recorder())
    search.record(DriverStarted(at=stamp(START), host="host", pid=1, slots=4, gpus=0.25, slot_memory_bytes=10 * GIB))
    on_gpu, on_cpu, too_large = started(search), started(search), started(search)
    search.report(report(on_gpu, 1, device="NVIDIA H200", peak_memory_bytes=3 * GIB), START)
    search.report(report(on_cpu, 1, device="cpu", peak_memory_bytes=9 * GIB), START)
    search.end(too_large.trial, too_large.attempt, "out_of_memory", "CUDA out of memory", START)
    estimate = memory_bytes(on_gpu.config, flat_cost(on_gpu.config))
    assert asdict(flat_cost(on_gpu.config)) == search.history.trials[on_gpu.trial].cost
    assert peaks(search.history) == [(estimate, 3 * GIB)]
    assert search.history.ran_out_bytes == 10 * GIB
    assert isinstance(search.history.trials[too_large.trial].ended, Ended)
