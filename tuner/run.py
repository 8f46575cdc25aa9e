"""From a sweep to its end: open it, connect to Ray, drive, close in every case."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, Protocol

from results.events import Extended, Reported
from results.history import History
from results.storage import Storage
from search_spaces import feasible
from search_spaces.errors import Locate
from search_spaces.space import Space
from search_spaces.sweep import ResourceOptions, Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.data import DataConfig
from trainable.config.train import TrainConfig
from trainable.errors import ModelError
from tuner import fingerprints, packing, ray_cluster, shipping, slots, storage_probe
from tuner.interrupts import Interrupts, StopAsked
from tuner.search import Cost
from tuner.session import Session, hold


class Display(Protocol):
    """What shows a person how far the sessions are; must never raise."""

    def start(self) -> None:
        """Begin to draw."""

    def update(self, now: float) -> None:
        """Draw again if it is time; called several times a second."""

    def resize(self, slots: int) -> None:
        """Take note that nodes joined or left: so many trials at once from now on."""

    def stop(self) -> None:
        """Leave a clean terminal behind."""

    @property
    def left_s(self) -> tuple[float, float] | None:
        """Return the seconds still needed, least and most; None while that cannot be said."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a command's work is done, and who looks on.

    Attributes:
        address: Where Ray is: `local`, `auto` or `host:port`.
        display: Makes what shows progress, from the sessions and the number of slots.
        interrupts: Ctrl-C and SIGTERM.
        say: Tells a person something, in a line.
    """

    address: str
    display: Callable[[Sequence[Session], int], Display]
    interrupts: Interrupts
    say: Callable[[str], None] = lambda text: None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        reason: `finished`, `budget`, or `nothing to do` where the sweep had ended before.
        wall_s: Seconds from the first job to the last report, Ray's own start and end left out; 0 where nothing ran.
        slots: Trials at once; 0 where nothing ran.
        epochs: Epochs trained in this run, repeated ones included.
        device_s: Seconds in which workers trained or evaluated, summed over workers.
        slot_s: Seconds of workers' time that there was.
        start_slot_s: Of that, before the first epoch began.
    """

    reason: Literal["finished", "budget", "nothing to do"]
    wall_s: float = 0.0
    slots: int = 0
    epochs: int = 0
    device_s: float = 0.0
    slot_s: float = 0.0
    start_slot_s: float = 0.0

    @property
    def training(self) -> float:
        """Return the share of the workers' time spent training, 0..1."""
        return min(1.0, self.device_s / self.slot_s) if self.slot_s > 0 else 0.0

    @property
    def training_after_start(self) -> float:
        """Return the same without the time until the first epoch began."""
        slot_s = self.slot_s - self.start_slot_s
        return min(1.0, self.device_s / slot_s) if slot_s > 0 else 0.0


def prepare_data(data: DataConfig) -> str:
    """Decode the training images on this machine, so that workers find them ready and a bad image is found before any trial.

    Returns:
        Their fingerprint.

    Raises:
        DataError: The images cannot be read.
    """
    from trainable.data.cache import decoded

    return decoded(data, "train")[1]


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
    place: Locate,
    workplace: Workplace,
) -> Ending:
    """Search to the end: from the start, or from wherever the stored sweep stands.

    Args:
        sweep: What to search.
        storage: Where to keep it.
        source: The sweep file's bytes; None where it is stored already.
        code: Files of the user's own networks, importable here.
        place: Where the constraints stand in the file, for the refusal of a space in which nothing fits.
        workplace: Where it runs and who looks on.

    Raises:
        UsageError: The storage cannot be used, or not from every node.
        SweepError: No candidate fits the constraints.
        DataError: The images cannot be read.
        UsageError: They are not those that the stored sweep began with.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the journal is closed, `search` again goes on.
    """
    storage_probe.writable(storage)
    cost = cost_counter(sweep.data)
    images = prepare_data(sweep.data)
    fingerprints.check(storage, images)
    feasible.check(Space.parse(sweep.trial), sweep, cost, position=place)
    with hold(sweep, storage, source=source, cost=cost, code=code) as session:
        fingerprints.keep(storage, images)
        return run_sessions([session], workplace, export=False)


def run_sessions(sessions: Sequence[Session], workplace: Workplace, *, export: bool) -> Ending:
    """Drive sweeps that are held open, together, over one set of workers."""
    active = [session for session in sessions if not session.finished]
    if not active:
        return Ending("nothing to do")
    budgets = [session.search.budget for session in active]
    epochs_before, device_s_before = sum(budget.epochs for budget in budgets), sum(budget.device_s for budget in budgets)
    resources = active[0].sweep.resources
    slot_s_before, start_slot_s_before = active[0].search.history.slot_s()  # sessions that share workers share their time
    connect(resources, workplace)
    from tuner.ray_driver import drive
    from tuner.ray_watchdog import Watchdog

    if workplace.address != "local":
        from tuner.ray_storage import require_every_node

        require_every_node(active[0].storage)
    planned = _slots(active, workplace)
    for session in active:
        session.start(planned.count, gpus=planned.gpus, memory_bytes=planned.memory_bytes)
    longest_s = max((report.wall_s for session in active for report in _reports(session.search.history)), default=0.0)
    watchdog = Watchdog(resources.trial_timeout, longest_s=longest_s)
    with ExitStack() as stack:
        shown = workplace.display(active, planned.count)
        shown.start()
        stack.callback(shown.stop)
        stack.enter_context(workplace.interrupts.deferred())

        def resize(count: int) -> None:
            for session in active:
                session.resize(count)
            shown.resize(count)

        def look_up() -> None:
            now = time.time()
            try:
                workplace.interrupts.check()
                for session in active:
                    session.look_up(now, shown.left_s)
            except KeyboardInterrupt as asked:  # before Ray is unwound, which may take its time
                for session in active:
                    session.close("stopped" if isinstance(asked, StopAsked) else "interrupted")
                raise
            shown.update(now)

        started = time.perf_counter()
        extended: list[Extended | None] | None = None
        # Again where somebody has extended a sweep after its last worker came home: Ray, once told that all is over, asks no more.
        while extended != (extended := [session.search.history.extended for session in active]):
            drive(
                [session.search for session in active],
                [session.storage for session in active],
                planned,
                export=export,
                on_report=lambda number, trial: active[number].after_report(trial),
                on_tick=look_up,
                watchdog=watchdog,
                count_slots=lambda: slots.number(resources, ray_cluster.nodes(), planned.gpus),
                on_resize=resize,
            )
            if all(session.search.done for session in active):
                break
        wall_s = time.perf_counter() - started
    slot_s, start_slot_s = active[0].search.history.slot_s()
    reason: Literal["finished", "budget"] = "budget" if any(session.search.stopped_by for session in active) else "finished"
    return Ending(
        reason,
        wall_s=wall_s,
        slots=planned.count,
        epochs=sum(budget.epochs for budget in budgets) - epochs_before,
        device_s=sum(budget.device_s for budget in budgets) - device_s_before,
        slot_s=slot_s - slot_s_before,
        start_slot_s=start_slot_s - start_slot_s_before,
    )


def _slots(sessions: Sequence[Session], workplace: Workplace) -> slots.Slots:
    """Return the slots for sweeps that share workers; where GPUs may be shared, the largest trial of all decides."""
    resources, nodes = sessions[0].sweep.resources, ray_cluster.nodes()
    if resources.gpus != "auto" or not slots.gpus_asked(resources, nodes):
        return slots.plan(resources, nodes)
    from trainable.data.sizes import resident_bytes
    from tuner.ray_packing import packed

    needs = []
    for session in sessions:
        probe, estimate = packing.largest(session.sweep, session.cost)
        measured = packing.peaks(session.search.history)
        needs.append((packing.need(estimate, resident_bytes(session.sweep.data), measured), probe))
    needed, probe = max(needs, key=lambda found: found[0].num_bytes)
    ran_out_bytes = max(session.search.history.ran_out_bytes for session in sessions)
    code = shipping.stored(sessions[0].storage.root)
    planned, why = packed(resources, nodes, needed=needed, ran_out_bytes=ran_out_bytes, probe=probe, code=code)
    workplace.say(why)
    return planned


def _reports(history: History) -> Iterator[Reported]:
    return (report for record in history.trials.values() for report in record.curve.values())


def failure(history: History) -> str | None:
    """Return why a search came to nothing, with its commonest reason in full; None where at least one trial has trained or diverged."""
    reasons = Counter((record.status, record.reason) for record in history.trials.values() if record.status in ("failed", "out_of_memory"))
    if not history.trials or reasons.total() < len(history.trials):
        return None
    (status, reason), number = reasons.most_common(1)[0]
    remedy = "; set constraints.max_memory" if status == "out_of_memory" else ""
    return f"all {len(history.trials)} trials failed, {number} of them with: {reason}{remedy}"


def connect(resources: ResourceOptions, workplace: Workplace) -> None:
    """Connect to Ray; a private instance gets the cores of this machine, or as many as the asked-for workers need."""
    num_cpus = max(slots.local_cores(), (resources.workers or 1) * resources.cpus)
    ray_cluster.connect(workplace.address, num_cpus=num_cpus)
    workplace.interrupts.install()  # Ray has taken SIGTERM for itself
