"""From a sweep to its end: open it, connect to Ray, drive, close in every case."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal, Protocol

from results.storage import Storage
from search_spaces import feasible
from search_spaces.space import Space
from search_spaces.sweep import ResourceOptions, Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.data import DataConfig
from trainable.config.train import TrainConfig
from trainable.errors import ModelError
from tuner import ray_cluster, slots
from tuner.search import Cost
from tuner.session import Session, hold


class Display(Protocol):
    """What shows a person how far the sessions are; must never raise."""

    def start(self) -> None:
        """Begin to draw."""

    def update(self, now: float) -> None:
        """Draw again if it is time; called several times a second."""

    def stop(self) -> None:
        """Leave a clean terminal behind."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        reason: `finished`, `budget`, or `nothing to do` where the sweep had ended before.
        wall_s: Seconds from the first job to the last report, Ray's own start and end left out; 0 where nothing ran.
        slots: Trials at once; 0 where nothing ran.
        epochs: Epochs trained in this run, repeated ones included.
        device_s: Seconds in which workers trained or evaluated, summed over workers.
    """

    reason: Literal["finished", "budget", "nothing to do"]
    wall_s: float = 0.0
    slots: int = 0
    epochs: int = 0
    device_s: float = 0.0

    @property
    def busy(self) -> float:
        """Return the share of the workers' time spent training, 0..1."""
        return self.device_s / (self.wall_s * self.slots) if self.wall_s * self.slots else 0.0


def cost_counter(data: DataConfig) -> Cost:
    """Return a function that counts what a configuration's network costs on this data set; each network is counted once.

    It raises ModelError where there is no such network for these images.
    """
    from trainable.cost import measure
    from trainable.data.shape import image_shape

    shape = image_shape(data)

    known: dict[str, ArchitectureCost] = {}

    def cost(config: TrainConfig) -> ArchitectureCost:
        network = config.model.model_dump_json(exclude={"label"})
        if network not in known:
            try:
                known[network] = measure(config.model, shape.image, shape.num_classes)
            except ModelError as error:
                name = f"trial.model {config.model.label}" if config.model.label else "trial.model"
                raise ModelError(f"{name}: {error}") from error
        return known[network]

    return cost


def search(
    sweep: Sweep,
    storage: Storage,
    *,
    source: bytes | None,
    code: Mapping[str, bytes],
    place: tuple[str, int, int],
    address: str,
    display: Callable[[Sequence[Session], int], Display],
) -> Ending:
    """Search to the end: from the start, or from wherever the stored sweep stands.

    Args:
        sweep: What to search.
        storage: Where to keep it.
        source: The sweep file's bytes; None where it is stored already.
        code: Files of the user's own networks, importable here.
        place: File, line and column of the constraints, for the refusal of a space in which nothing fits.
        address: Where Ray is: `local`, `auto` or `host:port`.
        display: Makes what shows progress, from the sessions and the number of slots.

    Raises:
        SweepError: No candidate fits the constraints.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the journal is closed, `search` again goes on.
    """
    cost = cost_counter(sweep.data)
    feasible.check(Space.parse(sweep.trial), sweep, cost, position=place)
    with hold(sweep, storage, source=source, cost=cost, code=code) as session:
        return run_sessions([session], address=address, test=False, display=display)


def run_sessions(sessions: Sequence[Session], *, address: str, test: bool, display: Callable[[Sequence[Session], int], Display]) -> Ending:
    """Drive sweeps that are held open, together, over one set of workers."""
    active = [session for session in sessions if not session.finished]
    if not active:
        return Ending("nothing to do")
    budgets = [session.search.budget for session in active]
    epochs_before, device_s_before = sum(budget.epochs for budget in budgets), sum(budget.device_s for budget in budgets)
    resources = active[0].sweep.resources
    with interruptible():
        _connect(resources, address)
        from tuner.ray_driver import drive

        planned = slots.plan(resources, ray_cluster.resources())
        for session in active:
            session.start(planned.count)
        with ExitStack() as stack:
            shown = display(active, planned.count)
            shown.start()
            stack.callback(shown.stop)
            started = time.perf_counter()
            drive(
                [session.search for session in active],
                [session.storage.root for session in active],
                planned,
                test=test,
                on_report=lambda number, trial: active[number].after_report(trial),
                on_tick=lambda: shown.update(time.time()),
            )
            wall_s = time.perf_counter() - started
    reason: Literal["finished", "budget"] = "budget" if any(session.search.stopped_by for session in active) else "finished"
    return Ending(
        reason,
        wall_s=wall_s,
        slots=planned.count,
        epochs=sum(budget.epochs for budget in budgets) - epochs_before,
        device_s=sum(budget.device_s for budget in budgets) - device_s_before,
    )


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into one KeyboardInterrupt; a second one ends the process at once.

    The first is raised wherever the main thread stands: the journal writes whole lines in one call, and a torn last line is
    dropped when it is read, so there is no wrong moment.
    """
    import os

    seen = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        if seen:
            os._exit(130)
        seen = True
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _connect(resources: ResourceOptions, address: str) -> None:
    """Connect to Ray; a private instance gets the cores of this machine, or as many as the asked-for workers need."""
    num_cpus = max(slots.local_cores(), (resources.workers or 1) * resources.cpus)
    ray_cluster.connect(address, num_cpus=num_cpus, token=Path.home() / ".config" / "shortlist" / "ray_token")
