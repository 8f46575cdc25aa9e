"""Finals put together: the mean of their probabilities, selected on validation, as a final of its own.

Candidates are all runs of the finals that are offered, so that nobody's test figures choose. The selection is written down below
`ensembles/` before anything comes of it; where it keeps one run alone, nothing does. Else `finals/ensemble-<n>-<id>/` is made, and the
test split is read for it, once.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from results.events import Noted, stamp
from results.history import History
from results.lock import SweepLock
from results.storage import Storage
from search_spaces.final_options import EnsembleOptions, GateOptions
from search_spaces.sweep import Sweep
from trainable.config.train import TrainConfig
from tuner import asking, delivery, ensemble_account, ensemble_card, fingerprints, gates, ray_cluster, requests, shipping, slots
from tuner.ensemble_pool import Candidate, Limits, Pool
from tuner.gates import Check, Latency
from tuner.run import Workplace, connect, prepare_data

FOLDER = "ensembles"  # below a sweep's: what was selected, and from what
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        pool: What was to choose from.
        selection: As it lies in `ensembles/<id>.json`.
        members: Candidate and share, the largest first; one alone where no mean is better.
        storage: The final's folder; None where one run is left alone.
        metrics: What its `metrics.json` holds; empty where there is none.
        made_now: Whether this call made it.
    """

    pool: Pool
    selection: dict[str, Any]
    members: tuple[tuple[Candidate, float], ...]
    storage: Storage | None
    metrics: dict[str, Any]
    made_now: bool


def make(
    sweep: Sweep,
    storage: Storage,
    history: History,
    pool: Pool,
    options: EnsembleOptions,
    gate_options: GateOptions,
    *,
    latency_ms: Latency,
    workplace: Workplace,
    author: str,
) -> Outcome:
    """Select, and make a final of what was selected; what is there already is left as it is.

    Args:
        sweep: The sweep that the finals are of.
        storage: Its folder.
        history: Its trials.
        pool: What there is to choose from, two at least.
        options: How many members there may be.
        gate_options: What limits their sum, and what the ensemble must meet.
        latency_ms: Measures the forward pass of one image.
        workplace: Where it runs.
        author: Who asks.

    Raises:
        GateRefused: Not even two networks fit `max_parameters` or `max_flops`, or the ensemble does not meet another gate.
        UsageError: The images have changed since the sweep.
        Locked: Somebody else is at the same ensemble.
        SweepFailed: A file of a member is gone, or the images cannot be read.
    """
    offers = [candidate.offer for candidate in pool.candidates]
    limits = Limits(max_members=options.max_members, max_parameters=gate_options.max_parameters, max_flops=gate_options.max_flops)
    record = f"{FOLDER}/{_digest([[candidate.weights for candidate in pool.candidates], asdict(limits)])}.json"
    known = json.loads(storage.read(record)) if storage.exists(record) else None
    if known is None:
        fingerprints.check(storage, prepare_data(sweep.data))
        connect(sweep.resources, workplace)
        from tuner import ray_ensemble  # behind the connection: Ray reads its settings when it is imported

        workplace.say(f"{sweep.name}: selecting from {len(offers)} runs on validation")
        planned = slots.plan(sweep.resources, ray_cluster.nodes())
        known = {"version": VERSION, "limits": asdict(limits), **ray_ensemble.select(offers, limits, planned)}
        for told, candidate in zip(known["candidates"], pool.candidates, strict=True):
            told |= {"final": candidate.final, "trial": candidate.trial, "seed": candidate.seed, "weights": candidate.weights}
        storage.write_atomic(record, _json(known))
        _note(storage, _spoken(pool, known), author)
    members = members_of(pool, known)
    found = checks(pool, known, gate_options, latency_ms=latency_ms)
    gates.refuse(found, sweep.name, outcome="no ensemble was made", remedy="lower final.ensemble.max_members, or change final.gates")
    if len(members) == 1:
        return Outcome(pool=pool, selection=known, members=members, storage=None, metrics={}, made_now=False)
    name = f"ensemble-{len(members)}-{_digest([[candidate.weights, share] for candidate, share in members])[:6]}"
    place = Storage(storage.path(f"finals/{name}"))
    made_now = not place.exists("metrics.json")
    if made_now:
        with SweepLock(place):
            shipping.store(place, shipping.stored(storage.root))
            connect(sweep.resources, workplace)
            from tuner import ray_ensemble

            workplace.say(f"{sweep.name}: packing and testing {name}")
            planned = slots.plan(sweep.resources, ray_cluster.nodes())
            tested = ray_ensemble.deliver(place.address, [(candidate.offer, share) for candidate, share in members], planned)
            _finish(sweep, place, history, members, known, record, tested)
        _note(storage, f"finals/{name} is {' + '.join(f'{share:.0%} {candidate.name}' for candidate, share in members)}", author)
    metrics = json.loads(place.read("metrics.json"))
    return Outcome(pool=pool, selection=known, members=members, storage=place, metrics=metrics, made_now=made_now)


def checks(pool: Pool, selection: dict[str, Any], options: GateOptions, *, latency_ms: Latency) -> list[Check]:
    """Return the gates that can be held against an ensemble: those of its size and of its accuracy.

    `confirmed` and `min_margin` are about trials, and were held against them when they were promoted. A run that is left alone is no
    ensemble, unless a gate has left it alone.
    """
    members = members_of(pool, selection)
    if len(members) == 1:
        return _alone(members[0][0], pool, selection, options)
    found = [
        _limit(f"max_{name}", sum(getattr(candidate, name) for candidate, _ in members), most)
        for name, most in (("parameters", options.max_parameters), ("flops", options.max_flops))
        if most is not None
    ]
    if options.min_val_accuracy is not None:
        seen = selection["validation"]["ensemble"]["accuracy"]
        required = f">= {options.min_val_accuracy:.2%}"
        found.append(Check("ensemble", "min_val_accuracy", f"{seen:.2%}", required, seen >= options.min_val_accuracy))
    if options.max_latency_ms is not None:
        measured = sum(latency_ms(TrainConfig.model_validate(candidate.config)) for candidate, _ in members)
        required = f"<= {options.max_latency_ms:g} ms"
        found.append(Check("ensemble", "max_latency_ms", f"{measured:.3g} ms in all", required, measured <= options.max_latency_ms))
    return found


def members_of(pool: Pool, selection: dict[str, Any]) -> tuple[tuple[Candidate, float], ...]:
    """Return who was selected, each with its share."""
    return tuple((pool.candidates[number], float(share)) for number, share in selection["shares"])


def _alone(single: Candidate, pool: Pool, selection: dict[str, Any], options: GateOptions) -> list[Check]:
    """Return the gates that keep others from a run which they would make better."""
    others = [pool.candidates[number] for number in selection["passed_over"]]
    return [
        check
        for name, most in (("parameters", options.max_parameters), ("flops", options.max_flops))
        if most is not None and others
        for check in [_limit(f"max_{name}", getattr(single, name) + min(getattr(other, name) for other in others), most)]
        if not check.met
    ]


def _limit(name: str, seen: int, most: int) -> Check:
    return Check("ensemble", name, f"{seen:,} in all", f"<= {most:,}", seen <= most)


def _finish(
    sweep: Sweep,
    place: Storage,
    history: History,
    members: Sequence[tuple[Candidate, float]],
    selection: dict[str, Any],
    record: str,
    tested: dict[str, Any],
) -> None:
    """Write what the ensemble is for, from what its worker has left. `metrics.json` comes last."""
    export = "trials/ensemble/export"
    place.write_atomic("test.json", _json(tested))  # as the worker did, perhaps on another machine
    for name in ("model.safetensors", "model.py"):
        place.write_atomic(name, place.read_now(f"{export}/{name}"))
    delivery.copy_extras(place, "ensemble")
    metrics = ensemble_account.metrics(sweep, place, members, selection, tested) | delivery.account(place, "ensemble")
    told = ensemble_account.origin(sweep, place, history, members, record, tested)
    card = ensemble_card.render(sweep, metrics)
    delivery.publish(place, {"lineage.json": _json(told), "README.md": card.encode(), "metrics.json": _json(metrics)})


def _spoken(pool: Pool, selection: dict[str, Any]) -> str:
    """Return the selection in a line, for the journal."""
    shares = [f"{share:.0%} {pool.candidates[number].name}" for number, share in selection["shares"]]
    return f"ensemble selected on validation from {len(pool.candidates)} runs: {', '.join(shares)}"


def _note(storage: Storage, text: str, author: str) -> None:
    now = time.time()
    asking.ask(storage, Noted(at=stamp(now), request=requests.new_id(now), author=author, trial=None, text=text))


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"
