"""The test split, read by a worker of the cluster: one task for each final, after its last run. The only way from here to that split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch

from trainable.config.train import TrainConfig
from trainable.errors import TrainableError
from trainable.final.test_once import Run, test_once
from tuner import shipping
from tuner.errors import SweepFailed
from tuner.slots import Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOrder:
    """What a worker must know to test a final.

    Attributes:
        root: The final's folder, absolute: every node sees it.
        configs: Run -> its recipe; the network of each lies in `trials/<run>/export`.
        weights: Run -> SHA-256 of its weights.
        chosen: The run that validation prefers.
    """

    __test__ = False  # pytest would take the name for a test class

    root: str
    configs: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, str]
    chosen: str


def test_finals(orders: Sequence[TestOrder], slots: Slots) -> list[dict[str, Any]]:
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


test_finals.__test__ = False  # type: ignore[attr-defined]


def _test(order: TestOrder, threads: int) -> dict[str, Any] | str:
    """Return the figures, or why there are none: an exception of ours would come back wrapped in one of Ray's."""
    torch.set_num_threads(threads)
    root = Path(order.root)
    try:
        runs = {}
        for trial, content in order.configs.items():
            config = TrainConfig.model_validate(content)
            shipping.unpack(config.model, root)
            runs[trial] = Run(config, root / "trials" / trial / "export", order.weights[trial])
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return test_once(runs, chosen=order.chosen, place=root, device=device)
    except TrainableError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or root}: {error.strerror or error}; mend it, then give the same command again"
