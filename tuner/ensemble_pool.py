"""What an ensemble is selected from: every tested run of the finals that are offered, so that nobody's test figures choose."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results import journal
from results.history import History
from results.storage import Storage
from tuner.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A run that may become a member.

    Attributes:
        root: Its final's folder, absolute, or its `s3://` address: every node sees it.
        trial: The run; its network lies in `trials/<trial>/export`.
        config: Its recipe.
        weights: SHA-256 of its weights.
        parameters: Of its network.
        flops: Of one image's forward pass.
    """

    root: str
    trial: str
    config: Mapping[str, Any]
    weights: str
    parameters: int
    flops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large an ensemble may be; None where nothing limits it."""

    max_members: int
    max_parameters: int | None = None
    max_flops: int | None = None

    def fit(self, offers: Sequence[Offer]) -> bool:
        """Return whether these are small enough together."""
        return (
            len(offers) <= self.max_members
            and (self.max_parameters is None or sum(offer.parameters for offer in offers) <= self.max_parameters)
            and (self.max_flops is None or sum(offer.flops for offer in offers) <= self.max_flops)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A run of a final.

    Attributes:
        final: The final's folder name.
        place: The final's folder.
        trial: The run.
        seed: Its seed.
        config: Its recipe.
        weights: SHA-256 of its weights.
        parameters: Of its network.
        flops: Of one image's forward pass.
        epochs: That it was trained.
        device_s: Seconds of work that it took.
        train_fingerprint: Content of the training split.
        val_accuracy: Of its weights, 0..1.
        test_accuracy: The same on the test split. Told, and no part of any choice.
    """

    final: str
    place: Storage
    trial: str
    seed: int
    config: dict[str, Any]
    weights: str
    parameters: int
    flops: int
    epochs: int
    device_s: float
    train_fingerprint: str
    val_accuracy: float
    test_accuracy: float

    @property
    def name(self) -> str:
        """Return how people tell it from others."""
        return f"{self.final} seed {self.seed}"

    @property
    def offer(self) -> Offer:
        """Return what a worker must know of it."""
        return Offer(
            root=self.place.address,
            trial=self.trial,
            config=self.config,
            weights=self.weights,
            parameters=self.parameters,
            flops=self.flops,
        )


@dataclass(frozen=True, slots=True)
class Pool:
    """What an ensemble is selected from.

    Attributes:
        candidates: Runs, by final and by validation.
        left_out: Final -> why it offers none.
    """

    candidates: tuple[Candidate, ...]
    left_out: dict[str, str]


def offered(storage: Storage, finals: Sequence[str] | None = None) -> Pool:
    """Return the runs of a sweep's finals, each network once.

    Args:
        storage: The sweep's folder.
        finals: Names of those that one promotion has made; all that there are by default.
    """
    if finals is None:
        finals = [folder.name for folder in storage.path("finals").glob("*") if Storage(folder).exists("metrics.json")]
    found: dict[str, Candidate] = {}
    left_out: dict[str, str] = {}
    for name in sorted(finals):  # in one order, however they are named: the same runs are the same pool
        place = Storage(storage.path(f"finals/{name}"))
        metrics = json.loads(place.read("metrics.json"))
        if "members" in metrics:
            continue  # an ensemble itself
        if metrics["train_on"] == "all":
            left_out[name] = "learned from the validation images, so that nothing says what it adds"
        elif not place.exists("test.json"):
            left_out[name] = "an older release made it"
        else:
            for candidate in _runs(name, place, metrics):
                found.setdefault(candidate.weights, candidate)
    return Pool(tuple(found.values()), left_out)


def require_two(pool: Pool, name: str) -> None:
    """Raise where there is nothing to put together.

    Raises:
        UsageError: Fewer than two runs are offered; the message says how to have more.
    """
    if len(pool.candidates) < 2:
        seen = ", ".join(candidate.name for candidate in pool.candidates) or "none"
        reasons = "".join(f"; {final} {reason}" for final, reason in pool.left_out.items())
        number = "one trained run" if pool.candidates else "no trained run"
        raise UsageError(
            f"{name}: {number} to choose from ({seen}){reasons}; an ensemble needs two at least; promote more with "
            f"`shortlist promote {name} --top 3`, or over several seeds with `--seed 0 --seed 1`, and --train-on train"
        )


def _runs(name: str, place: Storage, metrics: dict[str, Any]) -> list[Candidate]:
    """Return the tested runs of a final, its best first."""
    history = History.of(journal.read(place))
    weights = json.loads(place.read("test.json"))["weights"]
    found = []
    for told in metrics["runs"]:
        run = history.trials[told["trial"]]
        assert run.tested is not None, "what metrics.json lists was tested"
        found.append(
            Candidate(
                final=name,
                place=place,
                trial=run.trial,
                seed=told["seed"],
                config=dict(run.config),
                weights=weights[run.trial],
                parameters=int(run.cost["parameters"]),
                flops=int(run.cost["flops_per_image"]),
                epochs=metrics["epochs"],
                device_s=run.device_s,
                train_fingerprint=run.tested.train_fingerprint,
                val_accuracy=told["val_accuracy"],
                test_accuracy=told["test_accuracy"],
            )
        )
    return found
