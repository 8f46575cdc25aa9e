"""A Ray worker around `Training`: one process, many segments, one result an epoch. The only file that knows both ray and torch.

A reused worker keeps everything global, so nothing is trusted to be clean: a segment builds what it needs in its first `step` and
drops what the one before it held. `reset_config` must not fail (Ray then hangs or blames the next trial), so it only forgets.
How a segment ends badly travels as a result, not as an exception: an exception costs the worker process.
"""

import errno
import logging
import os
import platform
import shutil
import time
import traceback
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from results.events import EndStatus
from results.places import SCHEME
from results.redact import redact_logs, redacted
from results.storage import Storage
from trainable.allocator import keep_freed_memory
from trainable.config.train import TrainConfig
from trainable.data.resident import resident
from trainable.errors import CheckpointError, Diverged, OutOfMemory
from trainable.memory import give_back
from trainable.metrics import EpochMetrics
from trainable.training import Training
from tuner import checkpoints, ray_cluster, shipping, worker_log
from tuner.decisions import Job
from tuner.slots import slot_memory_bytes

logger = logging.getLogger(__name__)

LOG_TAIL_LINES = 30
IDLE_S = 1.0  # between two answers of a worker that is not used
LOOK_AROUND_S = 5.0  # between two looks whether the node is to be taken away: notices come 30 s (spot instances) or more before

# Full, over its quota, at its largest file, read-only, gone: every other trial would fail in the same way.
STORAGE_TAKES_NOTHING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE})


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """A job and what else a worker must know, as it travels through Ray.

    Attributes:
        root: The sweep's folder, absolute, or its `s3://` address: every node sees it.
        threads: Processor threads of the worker.
        device: `cuda` or `cpu`: where the driver wants it trained.
        gpus: Share of a GPU that the worker has, 0..1; it may use as much of its memory.
        record_steps: Whether the loss of every batch is reported.
        export: Whether the trial is a final: when it is over the model is exported.
        nodes: Ids of the nodes that may be used; any where that is None.
    """

    root: str
    threads: int
    export: bool
    trial: str
    config: dict[str, Any]
    from_epoch: int
    until_epoch: int
    attempt: int
    checkpoint: str | None
    checkpoint_epochs: int
    device: str = "cpu"
    gpus: float = 0.0
    record_steps: bool = False
    nodes: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        job: Job,
        *,
        root: str | Path,
        threads: int,
        export: bool,
        device: str = "cpu",
        gpus: float = 0.0,
        record_steps: bool = False,
        nodes: Collection[str] | None = None,
    ) -> "WorkOrder":
        """Return the order that makes a worker do `job`."""
        return cls(
            root=str(root),
            threads=threads,
            export=export,
            trial=job.trial,
            config=job.config.model_dump(mode="json"),
            from_epoch=job.from_epoch,
            until_epoch=job.until_epoch,
            attempt=job.attempt,
            checkpoint=job.checkpoint,
            checkpoint_epochs=job.checkpoint_epochs,
            device=device,
            gpus=gpus,
            record_steps=record_steps,
            nodes=None if nodes is None else tuple(nodes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochTrained:
    """What a worker answers after an epoch.

    Attributes:
        metrics: The epoch's figures.
        checkpoint: Folder of the checkpoint written after it, relative to the sweep; None where none was due.
        worker: `host:pid`.
        device: Name of the GPU, or `cpu`.
        step_losses: Mean loss of each batch, in nats; None where steps are not recorded.
    """

    metrics: EpochMetrics
    checkpoint: str | None
    worker: str
    device: str
    step_losses: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """What a worker answers when a trial does not go on, for better or worse: the fields of the event `Ended`."""

    status: EndStatus
    reason: str
    log_tail: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFailed:
    """What a worker answers when the sweep's storage takes nothing any more: no fault of the trial, which ends nothing.

    Attributes:
        reason: One line: what, where.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMissing:
    """What a worker answers when Ray gives it a GPU that torch does not find: no fault of the trial, which ends nothing.

    Attributes:
        reason: One line: what, where.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotHere:
    """What a worker answers on a node that must not be used: it joined and does not see the storage, or is about to be taken away.

    The worker stays, and answers so again: as long as it holds the node's slot, Ray can put no other there.

    Attributes:
        node: Its id.
    """

    node: str


class RayTrial(tune.Trainable):
    """Trains one segment after the other; each call of `step` is one epoch."""

    def setup(self, config: dict[str, Any]) -> None:
        """Start clean; the first segment is built in `step`."""
        redact_logs()
        self._training: Training | None = None
        self._log: Path | None = None
        self._leaves = False
        self._idle = False  # has answered that its node must not be used
        self._next_look = 0.0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Forget the segment before; must not fail."""
        self._training = None
        return True

    def step(self) -> dict[str, Any]:
        """Train one epoch, write its checkpoint where one is due, and return as `outcome` what came of it: see the classes above.

        (Ray flattens dictionaries on their way to the scheduler; it leaves other objects alone.) A trial that is out of patience says so
        when it is asked for one epoch more: its last report is one like any other.
        """
        order = WorkOrder(**self.config["order"])
        if self._training is None and order.nodes is not None:
            node = ray.get_runtime_context().get_node_id()
            if node not in order.nodes:
                time.sleep(IDLE_S if self._idle else 0.0)
                self._idle = True
                return {"outcome": NotHere(node=node)}
        self._idle = False
        started = time.perf_counter()
        try:
            if self._training is None:
                if order.device == "cuda" and not torch.cuda.is_available():
                    return {"outcome": DeviceMissing(reason=_no_cuda())}
                self._write_to(_place(order).path(f"trials/{order.trial}"))
                self._training = _begin(order)
            if (reason := self._training.over) is not None:
                self._training = None
                return {"outcome": TrialEnded(status="completed", reason=reason, log_tail=())}
            metrics = self._training.train_epoch()
            step_losses = self._training.batch_losses if order.record_steps else None
            checkpoint = _save(self._training, order, now=self._node_leaves())
            if order.export and _ends(self._training, order):
                _finish(self._training, order)
        except Diverged as error:
            return self._ended("diverged", error)
        except OutOfMemory as error:
            return self._ended("out_of_memory", error)
        except OSError as error:
            # What an object store refuses (expired credentials, say), it refuses all; what a file does may be the trial's own doing.
            if error.errno not in STORAGE_TAKES_NOTHING and not str(error.filename).startswith(SCHEME):
                return self._ended("failed", error)
            self._training = None
            return {"outcome": StorageFailed(reason=f"{error.filename or order.root}: {error.strerror}")}
        except Exception as error:  # whatever a trial does wrong is its outcome; the worker lives on
            return self._ended("failed", error)
        device = self._training.device
        outcome = EpochTrained(
            metrics=replace(metrics, wall_s=time.perf_counter() - started),
            checkpoint=checkpoint,
            worker=f"{platform.node()}:{os.getpid()}",
            device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            step_losses=step_losses,
        )
        return {"outcome": outcome}

    def cleanup(self) -> None:
        """Leave no empty log behind."""
        if self._log is not None:
            worker_log.drop_if_empty(self._log)

    def _write_to(self, folder: Path) -> None:
        """Send what this process says from now on to the log of the trial; one that is called by hand keeps its own output."""
        self.cleanup()
        self._log = worker_log.attach(folder) if ray.is_initialized() else None

    def _node_leaves(self) -> bool:
        """Return whether this worker's node is about to be taken away, so that each epoch is worth a checkpoint."""
        now = time.monotonic()
        if ray.is_initialized() and not self._leaves and now >= self._next_look:
            self._next_look = now + LOOK_AROUND_S
            self._leaves = ray_cluster.this_node_leaves()
        return self._leaves

    def _ended(self, status: EndStatus, error: Exception) -> dict[str, Any]:
        self._training = None
        lines = traceback.format_exception(error) if status == "failed" else [str(error)]
        tail = redacted("".join(lines)).splitlines()[-LOG_TAIL_LINES:]
        reason = redacted((str(error) or type(error).__name__).splitlines()[0])
        if status == "out_of_memory":
            error.__traceback__ = None  # its frames hold the trial
            give_back()
        return {"outcome": TrialEnded(status=status, reason=reason, log_tail=tuple(tail))}


def _begin(order: WorkOrder) -> Training:
    """Return the trial as it stood at `from_epoch`. The job names the epoch: a newer checkpoint may lie there after a kill.

    Where the checkpoint is gone or damaged the trial starts again: the same epochs come out, and the journal takes them as repeated.
    """
    _share_the_machine(order)
    keep_freed_memory()
    config = TrainConfig.model_validate(order.config)
    place = _place(order)
    shipping.unpack(config.model, place.root)
    device = torch.device(order.device)
    data = resident(config.data, device)
    initial = None
    if config.initial is not None:
        initial = place.fetch(f"trials/initial/{config.initial}") / f"{config.seed}.safetensors"
    training = Training(config, data, device, initial=initial)
    if order.checkpoint is None:
        return training
    with checkpoints.fetched(place, order.checkpoint) as folder:
        try:
            training.load(folder)
        except (CheckpointError, OSError) as error:
            logger.warning("%s starts again: %s", order.trial, error)
            return Training(config, data, device, initial=initial)
    if training.epoch != order.from_epoch:
        raise CheckpointError(f"{order.checkpoint} holds epoch {training.epoch}, the job starts after {order.from_epoch}")
    return training


def _share_the_machine(order: WorkOrder) -> None:
    """Keep to this slot's threads and memory: its neighbours have as much.

    Torch's own threads are set for each segment; the variables are for what is loaded, or started, later.
    """
    torch.set_num_threads(order.threads)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(order.threads)
    if order.device == "cuda" and order.gpus < 1.0:
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(slot_memory_bytes(total, order.gpus) / total)


def _no_cuda() -> str:
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    return f"Ray gives a worker on {platform.node()} a GPU, torch {torch.__version__} ({built}) finds none"


def _place(order: WorkOrder) -> Storage:
    return Storage.at(order.root, follow=False)


def _ends(training: Training, order: WorkOrder) -> bool:
    """Say whether the epoch just trained is the segment's last."""
    return training.epoch >= order.until_epoch or training.over is not None


def _save(training: Training, order: WorkOrder, *, now: bool) -> str | None:
    """Write a checkpoint where one is due, or `now`; return its folder relative to the sweep."""
    if not now and not _ends(training, order) and training.epoch % order.checkpoint_epochs:
        return None
    name = f"trials/{order.trial}/checkpoints/{training.epoch:06d}.{order.attempt}"
    place = _place(order)
    folder = place.path(name)
    if folder.exists():  # the same segment of an earlier life of this worker
        shutil.rmtree(folder)
    training.save(folder)
    checkpoints.publish(place, name)
    return name


def _finish(training: Training, order: WorkOrder) -> None:
    """Export a final's model; a search never comes here."""
    from trainable.final.finish import finish

    place = _place(order)
    name = f"trials/{order.trial}/export"
    finish(training, place.path(name))
    checkpoints.publish(place, name, last="run.json")
