"""The sweep file's model: what a sweep may say. Neither torch nor ray is imported.

Fields that only make sense together are checked in `checks.py`, so that every mistake comes with its line.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from search_spaces.final_options import FinalOptions
from search_spaces.quantities import Bytes, Count, Duration, Epochs, Seed
from search_spaces.scheduler_options import SchedulerOptions
from search_spaces.wording import Described
from trainable.config.base import Frozen, Unit, later
from trainable.config.data import DataConfig

METRICS = {"val_accuracy": "max", "val_loss": "min"}

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
Name = Annotated[
    str,
    Field(pattern=NAME),
    Described("a name of letters, digits, dots, dashes and underscores, at most 100, that begins with a letter or digit"),
]


class Objective(Frozen):
    """The figure that decides, always of the validation split.

    Example:
        metric: val_loss
        mode: min
    """

    metric: Literal["val_accuracy", "val_loss"] = Field(
        default="val_accuracy", description="Share of validation images classified right, or the mean loss on them."
    )
    mode: Literal["max", "min"] = Field(default="max", description="max for val_accuracy, min for val_loss.")

    @property
    def sign(self) -> int:
        """Return +1 where the metric is maximised, -1 where it is minimised."""
        return 1 if self.mode == "max" else -1


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class Constraints(Frozen):
    """Limits a candidate must keep; one that breaks a limit never becomes a trial.

    Example:
        max_parameters: 5M
        max_flops: 600M
        max_memory: 2GiB
        where: [batch_size * accumulation <= 512, "optimizer != 'sgd' or lr >= 1e-3"]
    """

    max_parameters: Count | None = Field(default=None, description="Most trainable parameters.")
    max_flops: Count | None = later(
        None, description="Most floating-point operations of one forward pass of one image; a multiply-add counts as two."
    )
    max_memory: Bytes | None = later(
        None, description="Most memory of a trial, estimated: weights, gradients, optimizer and the activations of one batch."
    )
    where: Annotated[
        tuple[str, ...],
        BeforeValidator(_listed),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
        Described("an expression such as batch_size * accumulation <= 512, or a list of them"),
    ] = later((), description="What must hold for every candidate.")


class Observation(Frozen):
    """A trial of an earlier sweep, in words of this one.

    Attributes:
        values: Searched parameter -> value, as of a candidate of this sweep.
        quality: Its place in its own leaderboard, from 0 (the worst) to 1 (the best), both excluded.
    """

    values: dict[str, Any]
    quality: Annotated[float, Field(gt=0.0, lt=1.0)]


class Earlier(Frozen):
    """What a sweep was told about an earlier one when it started; frozen, so that the other may go."""

    sweep: str
    best: dict[str, Any] = Field(description="Values of its best trial; those that do not fit this space are left out.")
    observations: tuple[Observation, ...] = Field(default=(), description="Trials that fit this space, the oldest first.")


Sampler = Literal["random", "sobol", "halton", "grid", "listed", "more_seeds", "one_factor", "tpe", "gp", "model"]

# Samplers that never come to an end by themselves.
ENDLESS = frozenset({"random", "sobol", "halton", "tpe", "gp", "model"})

# Samplers that learn from the trials so far, and from those of earlier sweeps.
LEARNING = frozenset({"tpe", "gp", "model"})

EarlierSweep = Annotated[Annotated[str, Field(min_length=1)] | Earlier, Described("the name or folder of an earlier sweep")]


class SearchOptions(Frozen):
    """How candidates are proposed (docs/samplers.md).

    Example:
        sampler: random
        trials: 64
        start: [{optimizer: sgd, lr: 0.1}]
        transfer: [digits, /archive/runs/cifar10-a]

        sampler: grid
        random: [lr]
        trials: 36

        sampler: listed
        configurations: [{optimizer: sgd, lr: 0.1, batch_size: 64}, {optimizer: adam, lr: 0.001, batch_size: 128}]

        sampler: one_factor
        base: {optimizer: adam, lr: 0.001}
        levels: 3
    """

    sampler: Sampler = Field(default="model", description="Who proposes the next candidate.")
    trials: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = Field(
        default=None, description="Trials to launch; grid, listed and one_factor launch all they have by default, the others need it."
    )
    random: tuple[str, ...] = later(
        (), description="grid only: paths of parameters that are drawn for each combination instead of crossed."
    )
    configurations: tuple[dict[str, Any], ...] = later(
        (), description="listed and more_seeds only: the candidates, each a mapping of searched parameters to values."
    )
    base: dict[str, Any] = later(
        {}, description="one_factor only: values to change one at a time; the first of a finite domain by default."
    )
    levels: Annotated[int, Field(strict=True, ge=2, le=1_000)] | None = later(
        None, description="one_factor only: values tried of a numeric domain, evenly over its scale, both ends included; 5 by default."
    )
    start: tuple[dict[str, Any], ...] = later((), description="Candidates to try first; what they leave open is drawn.")
    transfer: tuple[EarlierSweep, ...] = later(
        (), description="Earlier sweeps whose best trials are tried first; tpe, gp and model learn from all their trials."
    )

    @property
    def ends(self) -> bool:
        """Return whether the sampler has so many candidates and no more; a grid with drawn parts goes round as often as `trials` asks."""
        return self.sampler not in ENDLESS and not (self.sampler == "grid" and self.random and self.trials is not None)

    @property
    def identity(self) -> dict[str, Any]:
        """Return what identifies the search: an earlier sweep counts by its name, whatever was frozen of it."""
        names = [earlier.sweep if isinstance(earlier, Earlier) else earlier for earlier in self.transfer]
        return self.model_dump(mode="json", exclude={"transfer"}) | ({"transfer": names} if names else {})


class BudgetOptions(Frozen):
    """What the sweep may spend at most; no epoch is started that is predicted to cross it.

    Example:
        gpu_hours: 8
        wall_clock: 12h
        epochs: 5000
        trials: 200
    """

    gpu_hours: Annotated[Annotated[float, Field(gt=0.0)] | None, Unit("hours")] = Field(
        default=None, description="Hours of workers' time, summed over workers."
    )
    wall_clock: Duration | None = Field(
        default=None, description="Time from start to end of the search: seconds, or text such as 12h or 1h30m."
    )
    epochs: Annotated[int, Field(strict=True, ge=1), Unit("epochs")] | None = Field(
        default=None, description="Epochs trained, all trials together."
    )
    trials: Annotated[int, Field(strict=True, ge=1)] | None = later(
        None, description="Trials launched, replacements of those that ran out of memory included; trials that were launched go on."
    )

    @property
    def wall_clock_s(self) -> float | None:
        """Return `wall_clock` in seconds, as it is stored."""
        return self.wall_clock


class ResourceOptions(Frozen):
    """What one trial holds. Not part of the sweep's identity: a resumed sweep may run on other machines.

    Example:
        gpus: 0.25
        cpus: 2
        workers: 8
        autoscale: true
        trial_timeout: 30m
        keep: survivors
        checkpoint_epochs: 5
    """

    gpus: Annotated[Annotated[float, Field(ge=0.0, le=1.0)] | Literal["auto"], Unit("GPUs, or a share of one")] = Field(
        default="auto",
        description="GPUs per trial; auto shares a GPU among as many trials as its memory holds and its speed rewards (docs/scale.md), "
        "and takes none where the cluster has none.",
    )
    cpus: Annotated[Annotated[int, Field(strict=True, ge=1)], Unit("cores")] = Field(
        default=1, description="Processor cores, and threads, per trial."
    )
    workers: Annotated[int, Field(strict=True, ge=1)] | None = Field(default=None, description="Most trials at once; what fits by default.")
    autoscale: bool = Field(
        default=False,
        description="Ask for `workers` trials at once where they do not fit yet: a cluster that grows by demand starts nodes.",
    )
    trial_timeout: Duration | None = Field(
        default=None,
        description="A worker that reports no epoch for so long is ended and its trial tried again: seconds, or text such as 30m; by "
        "default half an hour, or twenty times the longest epoch of the sweep where that is more.",
    )
    keep: Literal["survivors", "all", "none"] = Field(
        default="survivors",
        description="Checkpoints kept: survivors keeps the newest of each trial that waits, runs or was trained in full, none drops the "
        "latter, too, all deletes nothing.",
    )
    checkpoint_epochs: Epochs | None = Field(
        default=None, description="Epochs between checkpoints besides those at rungs; a tenth of max_epochs by default."
    )


class Sweep(Frozen):
    """One sweep file, resolved: every default filled in.

    Example:
        version: 1
        name: my-sweep
        seed: 0
        data: {name: digits, validation: 0.2}
        objective: {metric: val_accuracy}
        trial: {model: {family: resnet, blocks: [1, 1], channels: {choice: [16, 32]}}, lr: {loguniform: [1e-3, 1e-1]}}
        constraints: {max_parameters: 2M}
        search: {sampler: random, trials: 16}
        scheduler: {asha: {max_epochs: 27}}
        budget: {wall_clock: 1h30m}
        record: epochs
        resources: {workers: 2}
        final: {epochs: 100}
    """

    version: Literal[1] = Field(default=1, description="Version of this format.")
    name: Name = Field(description="The sweep's folder below the storage.")
    seed: Seed = Field(default=0, description="Seed of the candidates, and of the trials where `trial.seed` says nothing.")
    data: DataConfig
    objective: Objective = Objective()
    trial: dict[str, Any] = Field(description="Fields of TrainConfig, each a constant or a domain.")
    constraints: Constraints = Constraints()
    search: SearchOptions = SearchOptions()
    scheduler: SchedulerOptions
    budget: BudgetOptions = BudgetOptions()
    record: Literal["epochs", "steps"] = later("epochs", description="steps: keep the training loss of every batch, not of epochs only.")
    resources: ResourceOptions = ResourceOptions()
    final: FinalOptions | None = None

    @property
    def max_epochs(self) -> int:
        """Return the epochs of a trial trained in full."""
        return self.scheduler.rule.max_epochs

    @property
    def checkpoint_epochs(self) -> int:
        """Return the epochs between periodic checkpoints."""
        return self.resources.checkpoint_epochs or max(1, self.max_epochs // 10)

    def base_config(self) -> dict[str, Any]:
        """Return the fields of TrainConfig that the sweep as a whole decides; `trial` may set `seed` itself."""
        data = self.data.model_dump(mode="json")
        return {"data": data, "max_epochs": self.max_epochs, "metric": self.objective.metric, "seed": self.seed}

    def hash(self) -> str:
        """Return 16 hexadecimal digits that identify what is searched; where and how wide it runs does not count."""
        content = self.model_dump(mode="json", exclude={"resources", "final", "search"}) | {"search": self.search.identity}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
