"""Runs of finals as one network, by a worker of the cluster: selected on validation, then, in another task, delivered and tested."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import ray
import torch

from results.storage import Storage
from trainable.config.train import TrainConfig
from trainable.errors import TrainableError
from trainable.final import greedy, temperature
from trainable.final.choices import logits
from trainable.final.figures import figures
from trainable.final.package import ABOUT, choices_of, package
from trainable.final.runs import Run, loaded, put_together, refuse_other_weights
from trainable.final.test_once import RECORD, read_test_split
from tuner import shipping
from tuner.ensemble_pool import Limits, Offer
from tuner.errors import SweepFailed
from tuner.ray_test import fetch_record
from tuner.slots import Slots

TRIAL = "ensemble"  # whose export, below `trials/`, the members are together


def select(offers: Sequence[Offer], limits: Limits, slots: Slots) -> dict[str, Any]:
    """Return which runs make the best mean on validation, and what it gains. Ray must be connected.

    Returns:
        `candidates` (accuracy, loss and calibrated loss of each), `steps`, `shares` (place among the offers, share), `passed_over`
        (places), `validation` (figures of the best `single` one and of the `ensemble`, `gain` in accuracy and loss with low and high).

    Raises:
        SweepFailed: An export or the images cannot be read; the message says what to do.
    """
    return _remotely(_select, slots, offers, limits)


def deliver(root: str, members: Sequence[tuple[Offer, float]], slots: Slots) -> dict[str, Any]:
    """Put runs together in a final's folder, try and write what it is delivered as, and only then read the test split, once.

    Args:
        root: The folder, or its address.
        members: Each with its share.
        slots: What the worker holds.

    Returns:
        The content of `test.json`.

    Raises:
        SweepFailed: As in `select`, or the test split was read for something else.
    """
    return _remotely(_deliver, slots, root, members)


def _remotely(work: Any, slots: Slots, *arguments: Any) -> dict[str, Any]:
    task = ray.remote(num_cpus=slots.cpus, num_gpus=slots.gpus)(_answered)
    answer: dict[str, Any] | str = ray.get(task.remote(work, slots.cpus, *arguments))
    if isinstance(answer, str):
        raise SweepFailed(answer)
    return answer


def _answered(work: Any, threads: int, *arguments: Any) -> dict[str, Any] | str:
    """Return what comes of work, or why nothing does: an exception of ours would come back wrapped in one of Ray's."""
    torch.set_num_threads(threads)
    try:
        found: dict[str, Any] = work(*arguments)
    except TrainableError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or 'the storage'}: {error.strerror or error}; mend it, then give the same command again"
    return found


def _select(offers: Sequence[Offer], limits: Limits) -> dict[str, Any]:
    probabilities = []
    for offer in offers:
        module, data = loaded(_run(offer), _device())
        probabilities.append(logits(module, data.val_images_NHWC, data).double().softmax(dim=1))
    probabilities_MNK, labels_N = torch.stack(probabilities), data.val_labels_N
    found = greedy.select(
        probabilities_MNK,
        labels_N,
        max_members=limits.max_members,
        fits=lambda members: limits.fit([offers[one] for one in members]),
    )
    first = found.steps[0].candidate
    single_NK, together_NK = (greedy.mean_of(probabilities_MNK, shares) for shares in ({first: 1.0}, found.shares))
    losses = greedy.losses_of(probabilities_MNK, labels_N)
    seen = [figures(greedy.mean_of(probabilities_MNK, {one: 1.0}), labels_N) for one in range(len(offers))]
    return {
        "candidates": [
            {"accuracy": one.accuracy, "loss": one.loss, "loss_calibrated": loss} for one, loss in zip(seen, losses, strict=True)
        ],
        "steps": [asdict(step) for step in found.steps],
        "shares": [[one, share] for one, share in found.shares.items()],
        "passed_over": list(found.passed_over),
        "validation": {
            "single": asdict(figures(single_NK, labels_N)),
            "ensemble": asdict(figures(together_NK, labels_N)),
            "gain": {name: asdict(gain) for name, gain in _calibrated_gains(single_NK, together_NK, labels_N).items()},
        },
    }


def _calibrated_gains(before_NK: torch.Tensor, after_NK: torch.Tensor, labels_N: torch.Tensor) -> dict[str, greedy.Gain]:
    """Return what the second predictions gain over the first, each at the temperature that fits it: a mean of sure answers is unsure."""
    before_NK, after_NK = (logits_NK / temperature.fit(logits_NK, labels_N) for logits_NK in (before_NK, after_NK))
    return greedy.gains(before_NK, after_NK, labels_N)


def _deliver(root: str, members: Sequence[tuple[Offer, float]]) -> dict[str, Any]:
    place = Storage.at(root, follow=False)
    fetch_record(place)
    folder = f"trials/{TRIAL}/export"
    together = put_together([(_run(offer), share) for offer, share in members], place.path(folder))
    runs = {TRIAL: together}
    choices = choices_of(runs, place=place.root, device=_device())
    package(together, choices[TRIAL], device=_device())
    place.publish(folder, last=ABOUT)
    return read_test_split(runs, chosen=TRIAL, place=place.root, device=_device(), choices=choices, written=lambda: place.publish(RECORD))


def _run(offer: Offer) -> Run:
    """Return a run whose network lies on this machine, as it was tested."""
    place = Storage.at(offer.root, follow=False)
    config = TrainConfig.model_validate(offer.config)
    shipping.unpack(config.model, place.root)
    run = Run(config, place.fetch(f"trials/{offer.trial}/export"), offer.weights)
    refuse_other_weights(run)
    return run


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
