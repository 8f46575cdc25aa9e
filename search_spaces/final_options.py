"""What a sweep file may say under `final`: how winners are trained in full, and what keeps one from being promoted."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from search_spaces.quantities import Count, Epochs, Seed
from search_spaces.wording import Described
from trainable.config.base import Frozen, Unit

MAX_MEMBERS = 25  # so many draws selection makes at most


def _ensemble(value: Any) -> Any:
    """Read `true` as all defaults and `false` as none."""
    return {} if value is True else None if value is False else value


ENSEMBLE = Described("true, false, or options such as {max_members: 5}")


class GateOptions(Frozen):
    """What a trial must meet to be promoted; one that does not ends the command with exit code 3, and nothing is trained.

    Example:
        min_val_accuracy: 0.93
        max_parameters: 5M
        max_flops: 600M
        min_margin: 2
        max_latency_ms: 10
        confirmed: true
    """

    min_val_accuracy: Annotated[Annotated[float, Field(ge=0.0, le=1.0)] | None, Unit("share of images")] = Field(
        default=None, description="Least validation accuracy, 0..1: the confirmed mean where there is one, else that of the single run."
    )
    max_parameters: Count | None = Field(default=None, description="Most trainable parameters.")
    max_flops: Count | None = Field(default=None, description="Most floating-point operations of one image's forward pass.")
    min_margin: Annotated[Annotated[float, Field(ge=0.0)] | None, Unit("standard errors")] = Field(
        default=None, description="Least distance to the runner-up, in standard errors of the difference; needs `shortlist confirm`."
    )
    max_latency_ms: Annotated[Annotated[float, Field(gt=0.0)] | None, Unit("milliseconds")] = Field(
        default=None, description="Longest forward pass of one image, in milliseconds, measured where the command is given."
    )
    confirmed: bool = Field(default=False, description="Whether the trial must have been confirmed over fresh seeds.")


class StageSearch(Frozen):
    """A small search within a stage: every candidate starts from the same weights, the best on validation is kept."""

    trials: Annotated[int, Field(strict=True, ge=2, le=1_000)] = Field(description="Candidates, drawn at random, for each seed.")
    parameters: Annotated[dict[str, Any], Field(min_length=1)] = Field(description="Dotted paths of TrainConfig, each with a domain.")


class StageOptions(Frozen):
    """One of several runs that follow each other: its own length, its own schedule, a fresh optimizer.

    Example:
        epochs: 5
        overrides: {lr: 0.01}
        search: {trials: 5, parameters: {weight_decay: {loguniform: [1e-6, 1e-4]}}}
    """

    epochs: Epochs = Field(description="Length of the stage, and the horizon of its schedule.")
    overrides: dict[str, Any] = Field(
        default_factory=dict, description="Fields that change in this stage, as dotted paths, on top of final.overrides."
    )
    search: StageSearch | None = Field(default=None, description="Fields that a small search within the stage finds.")


class ConfirmOptions(Frozen):
    """The leaders again over fresh seeds, between the search and the finals, as `shortlist confirm` does it."""

    top: Annotated[int, Field(strict=True, ge=1)] = Field(default=3, description="The first of the leaderboard.")
    seeds: Annotated[int, Field(strict=True, ge=1)] = Field(default=3, description="Fresh seeds for each, on average.")


class EnsembleOptions(Frozen):
    """The mean of the probabilities of several runs of the finals, selected on validation."""

    max_members: Annotated[int, Field(strict=True, ge=2, le=MAX_MEMBERS)] = Field(
        default=MAX_MEMBERS, description="Most networks; parameters and latency are the sum of theirs."
    )


class FinalOptions(Frozen):
    """Full-length training of the best trials when the search has ended (docs/finals.md).

    Example:
        top: 2
        epochs: 200
        seeds: [0, 1, 2]
        overrides: {dropout: 0.2, schedule: cosine, ema_decay: 0.999}
        train_on: all
        lr_scaling: linear
        gates: {max_parameters: 5M}

        top: 3
        confirm: {top: 5, seeds: 3}
        ensemble: {max_members: 5}
        stages: [{epochs: 50, overrides: {lr: 0.1}}, {epochs: 50, overrides: {lr: 0.01}}]
    """

    top: Annotated[int, Field(strict=True, ge=1)] = Field(default=1, description="How many of the first trials are promoted.")
    epochs: Epochs | None = Field(default=None, description="Horizon of the final; the search's max_epochs by default.")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] | None = Field(
        default=None, description="One run each; the trial's own seed by default."
    )
    overrides: dict[str, Any] = Field(default_factory=dict, description="Fields of the trial to change, as dotted paths.")
    train_on: Literal["train", "all"] = Field(
        default="train", description="all: learn from the validation images, too; then nothing picks an epoch, the last weights count."
    )
    lr_scaling: Literal["none", "linear", "sqrt"] = Field(
        default="none",
        description="What lr does when an override changes the images of a step: stays, grows with them, or with their root.",
    )
    stages: tuple[StageOptions, ...] = Field(
        default=(), description="Runs that follow each other, each from the best weights of the one before; they take the place of epochs."
    )
    confirm: ConfirmOptions | None = Field(default=None, description="What `run` confirms before it promotes; nothing by default.")
    ensemble: Annotated[
        EnsembleOptions | None, BeforeValidator(_ensemble, json_schema_input_type=EnsembleOptions | bool | None), ENSEMBLE
    ] = Field(default=None, description="true, or options: put the best mean of the finals' runs beside them, as a final of its own.")
    gates: GateOptions = GateOptions()
