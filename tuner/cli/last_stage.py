"""What the commands behind the search share: confirm, gates, finals, ensembles, and how they are at work."""

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from results.history import History, TrialRecord
    from results.storage import Storage
    from search_spaces.final_options import ConfirmOptions, FinalOptions
    from search_spaces.sweep import Sweep
    from tuner.ensembles import Outcome
    from tuner.errors import GateRefused
    from tuner.final_plan import FinalPlan
    from tuner.finals import Final
    from tuner.gates import Check
    from tuner.run import Workplace

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Done:
    """What promotion has made.

    Attributes:
        finals: A finished model each.
        ensembles: Of them, at most one.
        refused: Why there is no ensemble, where a gate forbids it.
    """

    finals: "list[Final]"
    ensembles: "list[Outcome]"
    refused: "GateRefused | None" = None


def train(
    sweep: "Sweep",
    place: "Storage",
    history: "History",
    records: "Sequence[TrialRecord]",
    options: "FinalOptions",
    workplace: "Workplace",
) -> Done:
    """Train finals, and put them together where that is asked for. Errors as in `finals.promote` and `ensembles.make`."""
    from tuner import finals
    from tuner.cli.ensemble import together
    from tuner.errors import GateRefused

    made = finals.promote(sweep, place, history, records, options, resources=sweep.resources, workplace=workplace)
    if options.ensemble is None:
        return Done(made, [])
    try:
        found = together(sweep, place, options, workplace, [final.id for final in made])
    except GateRefused as error:  # told below what has been made
        return Done(made, [], error)
    return Done(made, [] if found is None else [found])


def opened(sweep: str, storage: Path) -> "tuple[Storage, Sweep, History]":
    """Return a stored sweep: its folder, its file, what happened in it."""
    from results import journal
    from results.history import History
    from results.storage import find_sweep
    from tuner.session import stored

    place = find_sweep(sweep, storage)
    return place, stored(place), History.of(journal.read(place))


def check_gates(plans: "Sequence[FinalPlan]", options: "FinalOptions") -> "list[Check]":
    """Return every gate that is set, held against each of the trials; a network is measured only where a gate asks for its latency."""
    from tuner import gates
    from tuner.run import cost_counter

    return [
        check
        for plan in plans
        for check in gates.checks(plan, options.gates, cost=lambda config: cost_counter(config.data)(config), latency_ms=latency_ms)
    ]


def latency_ms(config: Any) -> float:
    """Return the milliseconds of the forward pass of one image by an untrained network, here."""
    from trainable.data.shape import image_shape
    from trainable.latency import forward_ms

    shape = image_shape(config.data)
    return forward_ms(config, shape.image, shape.num_classes)


def confirm_leaders(sweep: "Sweep", place: "Storage", history: "History", options: "ConfirmOptions", workplace: "Workplace") -> list[str]:
    """Confirm the leaders of a sweep as `final.confirm` asks for it, and return what came of it, for people. Errors as in `confirm`."""
    from results import ranking
    from tuner import confirmations, finals, finish_text
    from tuner.cli.attend import author

    first = next(iter(ranking.order(history))).trial
    records = finals.choose(history, sweep, trials=(), top=options.top)
    workplace.say(f"{sweep.name}: confirming {', '.join(record.trial for record in records)}")
    planned = confirmations.confirmation_sweep(sweep, history, records, seeds=options.seeds, resources=sweep.resources)
    outcome = confirmations.confirm(sweep, place, history, records, planned, workplace, author=author())
    return finish_text.confirmation(outcome, metric=sweep.objective.metric, first=first, argument=None)


def announce(sweep: "Sweep", records: "Sequence[TrialRecord]") -> None:
    """Say what the finals of a sweep file will train, or raise GateRefused where a trial does not meet its gates."""
    from tuner import final_plan, finish_text, gates

    assert sweep.final is not None
    plans = [final_plan.plan(sweep, record, sweep.final, sweep.resources) for record in records]
    gates.refuse(check_gates(plans, sweep.final), sweep.name)
    for plan in plans:
        typer.echo("\n".join(finish_text.promotion(plan)), err=True)


def at_work(address: str, work: "Callable[[Workplace], Any]") -> Any:
    """Return what comes of work on Ray; interrupted, say that the same command goes on."""
    from tuner import ray_cluster
    from tuner.errors import SweepFailed
    from tuner.interrupts import Interrupts, leave
    from tuner.progress import display
    from tuner.run import Workplace

    interrupts = Interrupts()
    interrupts.install()
    with ray_cluster.released():
        try:
            return work(Workplace(address, display, interrupts, lambda text: typer.echo(text, err=True)))
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise SweepFailed(f"{error.filename or 'the disk'}: {error.strerror}; make room, then give the same command again") from error
        except KeyboardInterrupt as asked:
            typer.echo(f"{str(asked) or 'interrupted'}; everything so far is kept, the same command goes on", err=True)
            leave()
