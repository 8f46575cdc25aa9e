"""Training by row numbers: step after step as Python says it, or, on CUDA, replayed from graphs.

A step of a small network is a few hundred short kernels; Python cannot launch them as fast as a GPU runs them. So the first WARM_UPS full
steps of a run are trained as they are, the next one is captured, and from then on a step is two launches: its batch (gather, alter,
normalize, mix, forward, backward), its update (clip, optimizer). Lookahead and the moving average follow outside: two or three kernels.

A graph freezes every Python number and every address. Hence: row numbers and learning rate are copied to places that stay
(`optimizers.py` says which optimizers read their rate from there); losses come out of such places; gradients are made in the graph.
Draws go on where they were: a replay advances the generators exactly as the same work done eagerly. Warm-up steps are steps of the run,
and capturing computes nothing, so neither changes a number.

Which steps are replayed: those on CUDA, of an optimizer in `optimizers.ON_DEVICE`, not in float16 (the gradient scaler has to look at every
step whether to take it), with as many images as the others: the last step of an epoch is eager where it has fewer. A network that cannot be
captured (it waits for the device, draws numbers on the processor, replaces a buffer) is trained eagerly throughout, with one warning in the
log; what its forward pass counts in Python is not noticed, and is done in the warm-ups only.
SHORTLIST_NO_GRAPHS=1 switches all this off; the numbers stay the same.

Written without a GPU at hand: its logic is tested on a CPU with graphs of recorded operations; nothing here has run on CUDA yet.

Source: the manual's "CUDA semantics", "CUDA Graphs", https://docs.pytorch.org/docs/stable/notes/cuda.html.

Shapes: B images of a batch.
"""

import logging
import os
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import torch
from torch import nn

from trainable import optimizers
from trainable.batches import Batches
from trainable.config.train import TrainConfig
from trainable.precision import NumberFormat
from trainable.step import TrainStep

logger = logging.getLogger(__name__)

# What does work again and again on the same memory. The generators are those the work draws from, beside torch's own.
Replay: TypeAlias = Callable[[], None]
Capture: TypeAlias = Callable[[Callable[[], None], Sequence[torch.Generator]], Replay]

# Full steps before the one that is captured, as many as in the manual's example: in them libraries choose their algorithms and optimizers
# make their memory.
WARM_UPS = 3


def capture_for(config: TrainConfig, number_format: NumberFormat, device: torch.device) -> Capture | None:
    """Return how the steps of a run are captured, None where they are not."""
    if os.environ.get("SHORTLIST_NO_GRAPHS", "0") not in ("", "0"):
        return None
    return cuda_graph if optimizers.on_device(config, number_format, device) else None


def cuda_graph(work: Callable[[], None], generators: Sequence[torch.Generator]) -> Replay:
    """Return a CUDA graph of the work, which is not done meanwhile.

    Raises:
        RuntimeError: The work cannot be captured, or there is no memory left for its graph; it can still be done as it is.
    """
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)  # torch's own is registered by itself
    try:
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            work()
    except RuntimeError:
        graph.reset()  # else the generators would still count as being captured
        raise
    return graph.replay


@contextmanager
def stream_of_its_own(device: torch.device) -> Iterator[None]:
    """Queue CUDA work where it can be captured, which the default stream cannot; elsewhere this does nothing.

    Warm-up and capture share the stream: libraries keep a workspace for each.
    """
    if device.type != "cuda":
        yield
        return
    outside, inside = torch.cuda.current_stream(device), _stream(device)
    inside.wait_stream(outside)
    try:
        with torch.cuda.stream(inside):
            yield
    finally:
        outside.wait_stream(inside)


class CapturedStep:
    """One optimizer step after another, eager or replayed."""

    def __init__(
        self, batches: Batches, step: TrainStep, *, batch_size: int, accumulation: int, device: torch.device, capture: Capture | None
    ) -> None:
        """Begin eagerly.

        Args:
            batches: What a forward pass reads.
            step: What is done with it.
            batch_size: Images of a full batch.
            accumulation: Batches of a full step.
            device: Where.
            capture: How full steps become graphs; None where they do not.
        """
        self._batches = batches
        self._step = step
        self._full = (batch_size, 1 / accumulation)  # images of a batch and their share of the step, where both are full
        self._device = device
        self._capture = capture
        self._rows_B = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self._loss = torch.zeros((), device=device)
        self._num_right = torch.zeros((), dtype=torch.int64, device=device)
        self._replays: dict[str, Replay] = {}
        self._gradients: list[torch.Tensor | None] = []
        self._num_full_steps = 0
        self._num_batches = 0  # of the step under way
        self._full_step = False  # the step under way is one

    @property
    def replays(self) -> bool:
        """Return whether steps are replayed by now."""
        return "update" in self._replays

    def forget(self) -> None:
        """Capture anew, after as many warm-ups as at first: what the graphs refer to has changed its place."""
        self._replays.clear()
        self._gradients.clear()
        self._num_full_steps = 0

    def __call__(self, rows_B: torch.Tensor, share: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Train on a batch: add its gradient to the step's.

        Args:
            rows_B: Row numbers of its images.
            share: How much of the step's images they are, 0..1; 1 where a step is one batch.

        Returns:
            The mean loss and the number of images classified right, both still on the device; they hold until the next batch.

        Raises:
            ModelError: Batch norm cannot train on a batch so small.
        """
        self._num_batches += 1
        self._full_step = (len(rows_B), share) == self._full
        if self._replaying:
            self._rows_B.copy_(rows_B)
            self._replay("first batch" if self._num_batches == 1 else "another batch", self._train_on_rows)
            return self._loss, self._num_right
        if self._capture is None or not self._full_step or self._num_full_steps != WARM_UPS - 1:
            return self._step(*self._batches(rows_B), share)
        with obstacles(self._device, self._step.module) as found:
            results = self._step(*self._batches(rows_B), share)
        if found:
            self._stay_eager(found[0])
        return results

    def update(self, lr: float) -> None:
        """Move the weights along the gradients that were added up."""
        if self._replaying:
            self._step.set_rate(lr)
            self._replay("update", self._step.move)
        else:
            self._step.update(lr)
        self._num_full_steps += self._full_step
        self._num_batches = 0

    @property
    def _replaying(self) -> bool:
        return self._capture is not None and self._full_step and self._num_full_steps >= WARM_UPS

    def _train_on_rows(self) -> None:
        """Train on a full batch of `_rows_B`: what the graph of a batch holds."""
        loss, num_right = self._step(*self._batches(self._rows_B), self._full[1])
        self._loss.copy_(loss)
        self._num_right.copy_(num_right)

    def _replay(self, name: str, work: Callable[[], None]) -> None:
        """Do a part of a step by its graph, which is made the first time; without one if it cannot be made."""
        if name not in self._replays:
            assert self._capture is not None
            before = self._step.gradients()
            try:
                self._replays[name] = self._capture(work, self._batches.generators)
            except RuntimeError as error:
                self._step.restore(before)
                self._stay_eager(str(error).splitlines()[0])
                work()
                return
            if name == "first batch":
                self._gradients = self._step.gradients()  # made in the graph; the other graphs read them where they are
        self._replays[name]()

    def _stay_eager(self, reason: str) -> None:
        logger.warning("training steps are not captured as CUDA graphs, only slower: %s", reason)
        self._capture = None
        self._replays.clear()


@contextmanager
def obstacles(device: torch.device, module: nn.Module) -> Iterator[list[str]]:
    """Do work that is to be captured later, and note what of it a graph would not repeat, in words, after it is done."""
    found: list[str] = []
    draws_before, buffers_before = _drawn_by_processor(device), list(module.buffers())
    with warnings.catch_warnings(record=True, action="always") as caught, _waits_are_warnings(device):
        yield found
    for warning in caught:
        if "called a synchronizing CUDA operation" in str(warning.message):
            found.append(f"the network waits for the device ({warning.filename}, line {warning.lineno})")
        elif "Synchronization debug mode is a prototype" not in str(warning.message):  # says torch when it is switched on
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if _drawn_by_processor(device) != draws_before:
        found.append("the network draws random numbers on the processor, which a graph would not draw again")
    if any(now is not before for now, before in zip(module.buffers(), buffers_before, strict=True)):
        found.append("the network puts a new tensor in the place of a buffer, where a graph would read the old one; change it in place")


@contextmanager
def _waits_are_warnings(device: torch.device) -> Iterator[None]:
    if device.type != "cuda":
        yield
        return
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def _drawn_by_processor(device: torch.device) -> tuple[object, ...]:
    """Return the state of the processor's global generators, but for torch's where the run itself draws from it."""
    torch_state = b"" if device.type == "cpu" else torch.get_rng_state().numpy().tobytes()
    return random.getstate(), repr(np.random.get_state()), torch_state


@lru_cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """Return the process's one stream for training: another for each trial would hold workspaces of its own for ever."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped
