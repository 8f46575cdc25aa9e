"""Short measurements on as many Ray workers at once as the sweep will have, for they share cores, memory and perhaps a GPU."""

import importlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ray

from trainable import user_code
from trainable.config.train import TrainConfig
from trainable.errors import TrainableError
from trainable.throughput import Throughput, measure, set_up
from tuner.slots import Slots


class Gauge:
    """One worker that measures."""

    def __init__(self, code: Mapping[str, bytes], threads: int) -> None:
        self._threads = threads
        if code:
            folder = Path(tempfile.mkdtemp(prefix="shortlist-"))
            for name, content in code.items():
                (folder / name).write_bytes(content)
            user_code.importable(folder, code)

    def ready(self, config: dict[str, Any]) -> None:
        """Load what a worker needs before its first trial, Ray Tune included."""
        importlib.import_module("tuner.ray_trial")
        set_up(TrainConfig.model_validate(config), threads=self._threads)

    def measure(self, config: dict[str, Any], seconds: float) -> Throughput | str:
        """Return what was measured, or why it could not be."""
        try:
            return measure(TrainConfig.model_validate(config), seconds=seconds)
        except TrainableError as error:
            return str(error)


class Gauges:
    """Workers that measure one configuration at a time, all together. Ray must be connected."""

    def __init__(self, slots: Slots, code: Mapping[str, bytes], first: TrainConfig) -> None:
        """Start the workers.

        Args:
            slots: How many, and what each holds.
            code: Files of the user's own networks.
            first: Any configuration of the sweep, for its data.
        """
        started = time.perf_counter()
        worker = ray.remote(num_cpus=slots.cpus, num_gpus=slots.gpus)(Gauge)
        self._workers = [worker.remote(dict(code), slots.cpus) for _ in range(slots.count)]
        ray.get([gauge.ready.remote(first.model_dump(mode="json")) for gauge in self._workers])
        self.start_s = time.perf_counter() - started  # what a sweep's own workers will need before their first epoch

    def measure(self, configs: Sequence[TrainConfig], *, seconds: float) -> Iterator[list[Throughput | str]]:
        """Yield what each worker measured of each configuration; all measure the same one at the same time."""
        for config in configs:
            content = config.model_dump(mode="json")
            yield ray.get([gauge.measure.remote(content, seconds) for gauge in self._workers])

    def close(self) -> None:
        """Let the workers go: their cores are for the sweep."""
        for gauge in self._workers:
            ray.kill(gauge)
