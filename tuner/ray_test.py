"""The test split, read by a worker of the cluster: one task for each final, after its last run. The only way from here to that split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
import torch

from results.storage import Storage
from trainable.config.train import TrainConfig
from trainable.errors import TrainableError
from trainable.final.package import ABOUT, choices_of, package
from trainable.final.runs import Run
from trainable.final.test_once import RECORD, read_test_split
from tuner import shipping
from tuner.errors import SweepFailed
from tuner.slots import Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOrder:
    """What a worker must know to test a final.

    Attributes:
        root: The final's folder, absolute, or its `s3://` address: every node sees it.
        configs: Run -> its recipe; the network of each lies in `trials/<run>/export`.
        weights: Run -> SHA-256 of its weights.
        chosen: The run that validation prefers.
    """

    __test__ = False  # pytest would take the name for a test class

    root: str
    configs: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, str]
    chosen: str


def read_test_splits(orders: Sequence[TestOrder], slots: Slots) -> list[dict[str, Any]]:
    """Return what the test split says of each final, in the words of `trainable.final.test_once`. Ray must be connected.

    Raises:
        SweepFailed: It could not be read, or was read for something else; the message says what to do.
    """
    task = ray.remote(num_cpus=slots.cpus, num_gpus=slots.gpus)(_test)
    answers = ray.get([task.remote(order, slots.cpus) for order in orders])
    for answer in answers:
        if isinstance(answer, str):
            raise SweepFailed(answer)
    return list(answers)


def _test(order: TestOrder, threads: int) -> dict[str, Any] | str:
    """Return the figures, or why there are none: an exception of ours would come back wrapped in one of Ray's."""
    torch.set_num_threads(threads)
    place = Storage.at(order.root, follow=False)
    try:
        fetch_record(place)
        runs = {}
        for trial, content in order.configs.items():
            config = TrainConfig.model_validate(content)
            shipping.unpack(config.model, place.root)
            runs[trial] = Run(config, place.fetch(f"trials/{trial}/export"), order.weights[trial])
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # How each run is asked and what the kept one is delivered as: settled, tried and written before the split is opened.
        choices = choices_of(runs, place=place.root, device=device)
        package(runs[order.chosen], choices[order.chosen], device=device)
        place.publish(f"trials/{order.chosen}/export", last=ABOUT)
        return read_test_split(
            runs, chosen=order.chosen, place=place.root, device=device, choices=choices, written=lambda: place.publish(RECORD)
        )
    except TrainableError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or place}: {error.strerror or error}; mend it, then give the same command again"


def fetch_record(place: Storage) -> None:
    """Have here what an object store knows of earlier readings, and nothing else: another node may have read the split."""
    if place.mirror is None:
        return
    file = place.path(RECORD)
    try:
        content = place.read_now(RECORD)
    except FileNotFoundError:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
