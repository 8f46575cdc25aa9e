"""The sweep file's model: what a sweep may say. Neither torch nor ray is imported.

Fields that only make sense together are checked in `checks.py`, so that every mistake comes with its line.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from search_spaces.final_options import FinalOptions
from search_spaces.quantities import Bytes, Count, Duration, Epochs, Seed
from search_spaces.wording import Described
from trainable.config.base import Frozen, later
from trainable.config.data import DataConfig

METRICS = {"val_accuracy": "max", "val_loss": "min"}

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
Name = Annotated[
    str,
    Field(pattern=NAME),
    Described("a name of letters, digits, dots, dashes and underscores, at most 100, that begins with a letter or digit"),
]


class Objective(Frozen):
    """The figure that decides, always of the validation split."""

    metric: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    mode: Literal["max", "min"] = Field(default="max", description="max for val_accuracy, min for val_loss.")

    @property
    def sign(self) -> int:
        """Return +1 where the metric is maximised, -1 where it is minimised."""
        return 1 if self.mode == "max" else -1


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class Constraints(Frozen):
    """Limits a candidate must keep; one that breaks a limit never becomes a trial."""

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
    """How candidates are proposed (docs/samplers.md)."""

    sampler: Sampler = "model"
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


class RungOptions(Frozen):
    """A ladder of rungs: r is min_epochs, R is max_epochs."""

    variant: Literal["promotion", "stopping"] = "promotion"
    delayed: bool = Field(default=False, description="promotion only: eta trials must stand at a rung for each one sent up.")
    min_epochs: Epochs | None = Field(default=None, description="First rung; max_epochs / 27 rounded up, at least 2, by default.")
    max_epochs: Epochs = Field(description="Epochs of a trial trained in full.")
    eta: Annotated[int, Field(strict=True, ge=2, le=1_000)] = Field(default=3, description="About 1/eta of a rung goes on.")
    drain: Literal["leader", "none"] = Field(
        default="leader",
        description="promotion only: when nothing else is left and no trial was trained in full, the leader goes on; where a finite "
        "space is used up, so do the next best, as long as the budget lasts.",
    )

    @property
    def first_rung(self) -> int:
        """Return min_epochs, or its default."""
        return self.min_epochs or early(self.max_epochs)


class AshaOptions(RungOptions):
    """Asynchronous successive halving (Li et al., MLSys 2020): r is min_epochs, R is max_epochs."""


class HyperbandOptions(RungOptions):
    """Asynchronous Hyperband (Li et al., MLSys 2020): brackets of asha, each with its first rung one step higher."""

    brackets: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        default=None, description="How many; as many as first rungs fit between min_epochs and max_epochs by default."
    )

    @property
    def most_brackets(self) -> int:
        """Return how many first rungs `first_rung * eta**s` are <= max_epochs: the paper's s_max + 1."""
        number, epochs = 0, self.first_rung
        while epochs <= self.max_epochs:
            number, epochs = number + 1, epochs * self.eta
        return number


class MedianOptions(Frozen):
    """Median stopping rule (Golovin et al., KDD 2017): below the median of the others' running averages, a trial stops."""

    max_epochs: Epochs = Field(description="Epochs of a trial trained in full.")
    grace_epochs: Epochs | None = Field(
        default=None, description="First epoch at which a trial may stop; max_epochs / 27 rounded up, at least 2, by default."
    )
    min_trials: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = Field(
        default=3, description="Other trials that must have reached an epoch before one stops there."
    )

    @property
    def first_look(self) -> int:
        """Return grace_epochs, or its default."""
        return self.grace_epochs or early(self.max_epochs)


class RunAllOptions(Frozen):
    """Every trial is trained in full."""

    max_epochs: Epochs = Field(description="Epochs of every trial.")


class PatienceOptions(Frozen):
    """Beside a rule: a trial whose score has stood still stops, wherever it is."""

    epochs: Epochs = Field(description="Epochs in a row without an improvement that stop a trial.")
    min_delta: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = Field(
        default=0.0, description="What counts as an improvement: more than this, in the metric's own unit."
    )


Rule = AshaOptions | HyperbandOptions | MedianOptions | RunAllOptions


class SchedulerOptions(Frozen):
    """Who goes on: exactly one rule, and patience beside it."""

    asha: AshaOptions | None = None
    hyperband: HyperbandOptions | None = None
    median: MedianOptions | None = None
    none: RunAllOptions | None = None
    patience: PatienceOptions | None = Field(default=None, description="An extra rule beside the one above: stop trials on a plateau.")

    @property
    def rule(self) -> Rule:
        """Return the rule that was chosen (`checks.py` sees to it that there is exactly one)."""
        rule = self.asha or self.hyperband or self.median or self.none
        assert rule is not None
        return rule


RULES = tuple(name for name in SchedulerOptions.model_fields if name != "patience")


def early(max_epochs: int) -> int:
    """Return when trials are compared first by default: 1/27 of the length needs least training on replayed curves, one epoch is a bet."""
    return min(max_epochs, max(2, -(-max_epochs // 27)))


class BudgetOptions(Frozen):
    """What the sweep may spend at most; no epoch is started that is predicted to cross it."""

    gpu_hours: Annotated[float, Field(gt=0.0)] | None = Field(default=None, description="Hours of workers' time, summed over workers.")
    wall_clock: Duration | None = Field(
        default=None, description="Time from start to end of the search: seconds, or text such as 12h or 1h30m."
    )
    epochs: Annotated[int, Field(strict=True, ge=1)] | None = Field(default=None, description="Epochs trained, all trials together.")
    trials: Annotated[int, Field(strict=True, ge=1)] | None = later(
        None, description="Trials launched, replacements of those that ran out of memory included; trials that were launched go on."
    )

    @property
    def wall_clock_s(self) -> float | None:
        """Return `wall_clock` in seconds, as it is stored."""
        return self.wall_clock


class ResourceOptions(Frozen):
    """What one trial holds. Not part of the sweep's identity: a resumed sweep may run on other machines."""

    gpus: Annotated[float, Field(ge=0.0, le=1.0)] | Literal["auto"] = Field(
        default="auto",
        description="GPUs per trial; auto shares a GPU among as many trials as its memory holds and its speed rewards (docs/scale.md), "
        "and takes none where the cluster has none.",
    )
    cpus: Annotated[int, Field(strict=True, ge=1)] = Field(default=1, description="Processor cores, and threads, per trial.")
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
    """One sweep file, resolved: every default filled in."""

    version: Literal[1] = 1
    name: Name = Field(description="The sweep's folder below the storage.")
    seed: Seed = 0
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
