"""The model of epoch times: exact where it was measured, close where times follow from what a network costs."""

import random
from typing import Any

import pytest

from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig
from tuner.speed import Candidate, Sample, Speed, spread


def candidate(channels: int, batch_size: int = 64, **changes: Any) -> Candidate:
    config = TrainConfig.model_validate(
        {
            "model": {"family": "resnet", "blocks": [1], "channels": channels},
            "data": {"name": "digits"},
            "max_epochs": 9,
            "lr": 0.1,
            "batch_size": batch_size,
        }
        | changes
    )
    cost = ArchitectureCost(parameters=100 * channels**2, flops_per_image=10_000 * channels**2, activation_bytes_per_image=1_000 * channels)
    return Candidate(config, cost)


def truth(one: Candidate) -> float:
    """Seconds per training image: operations at 10 GFLOP/s, memory at 5 GB/s, 2 ms a batch."""
    return one.cost.flops_per_image / 1e10 + one.cost.activation_bytes_per_image / 5e9 + 2e-3 / one.config.batch_size


def speed(samples: list[Sample]) -> Speed:
    return Speed(source="made up", samples=tuple(samples), start_s=0.0, segment_s=0.0, save_s=0.0, num_train=1_000, num_val=200)


def sample(one: Candidate, factor: float = 1.0) -> Sample:
    return Sample(one, factor * truth(one), factor * truth(one) / 3)


def test_measured_candidate_is_predicted_as_it_was_measured() -> None:
    rng = random.Random(0)
    samples = [sample(candidate(channels, batch), 1 + rng.random()) for channels in (8, 16, 64) for batch in (16, 256)]
    predict = speed(samples).epoch_s()
    for one in samples:
        assert predict(one.candidate) == pytest.approx(1_000 * one.train_image_s + 200 * one.val_image_s, rel=1e-3)


def test_few_measurements_predict_the_others_within_five_percent() -> None:
    everything = [candidate(channels, batch) for channels in (8, 12, 16, 24, 32, 48, 64) for batch in (16, 32, 64, 128, 256)]
    chosen = spread([(one, 1.0) for one in everything], 6)
    predict = speed([sample(one) for one in chosen]).epoch_s()
    for one in everything:
        assert predict(one) == pytest.approx(1_000 * truth(one) + 200 * truth(one) / 3, rel=0.05)


def test_one_measurement_scales_with_the_operations_rather_than_failing() -> None:
    predict = speed([sample(candidate(16))]).epoch_s()
    assert predict(candidate(64)) > 2 * predict(candidate(16))


def test_repeats_make_an_epoch_as_many_times_as_long() -> None:
    once, thrice = candidate(16), candidate(16, augment={"repeats": 3})
    samples = [Sample(once, 1e-3, 0.0), Sample(thrice, 1e-3, 0.0)]
    predict = speed(samples).epoch_s()
    assert predict(thrice) == pytest.approx(3 * predict(once), rel=1e-3)


def test_recipes_that_differ_in_the_rate_alone_are_measured_once() -> None:
    ones = [candidate(16, lr=rate) for rate in (0.1, 0.01, 0.001)]
    assert len(spread([(one, 1.0) for one in ones], 5)) == 1


def test_what_is_trained_most_is_measured_first_and_the_most_unlike_next() -> None:
    small, middle, large = candidate(8), candidate(10), candidate(64)
    assert spread([(small, 500.0), (middle, 1.0), (large, 1.0)], 2) == [small, large]
