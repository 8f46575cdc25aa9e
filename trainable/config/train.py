"""TrainConfig: the complete recipe of one run. Same configuration, same seed, same hardware: same numbers.

Where a field may be 0, 0 is off.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from trainable.config.base import Frozen, Unit, later
from trainable.config.data import AugmentConfig, DataConfig
from trainable.config.families import Network
from trainable.config.model import ModelConfig, family_of
from trainable.config.recipe import CHOOSERS, optional_fields, readers

Share = Annotated[float, Field(gt=0.0, lt=1.0)]

LOOKAHEAD_ALPHA = 0.8  # study E's; the paper's 0.5 and 0.8 do about equally well on CIFAR-10 (its appendix)


class TrainConfig(Frozen):
    """Everything that decides what one training run computes.

    Example:
        model: {family: resnet, blocks: [2, 2], channels: {choice: [16, 32]}}
        augment: {crop: 1}
        batch_size: {choice: [64, 128]}
        accumulation: 1
        optimizer: {choice: [sgd, nesterov, adam, adamw, adagrad, adadelta, rmsprop, nadam]}
        lr:
          - {loguniform: [1e-2, 3e-1], when: {optimizer: [sgd, nesterov]}}
          - {loguniform: [1e-4, 1e-2], when: {optimizer: [adam, adamw, adagrad, adadelta, rmsprop, nadam]}}
        momentum: {uniform: [0.8, 0.99], when: {optimizer: [sgd, nesterov]}}
        beta1: {value: 0.9, when: {optimizer: [adam, adamw, nadam]}}
        beta2: {choice: [0.99, 0.999], when: {optimizer: [adam, adamw, nadam]}}
        alpha: {value: 0.99, when: {optimizer: rmsprop}}
        rho: {value: 0.9, when: {optimizer: adadelta}}
        momentum_decay: {value: 4e-3, when: {optimizer: nadam}}
        eps: {value: 1e-8, when: {optimizer: [adam, adamw]}}
        weight_decay: {loguniform: [1e-5, 1e-2]}
        decay_norms: false
        clip_norm: 1.0
        lookahead_k: 5
        lookahead_alpha: 0.8
        ema_decay: 0.999
        schedule: {choice: [constant, step, multistep, cosine, onecycle, trapezoid]}
        warmup_epochs: {value: 2, when: {schedule: [constant, step, multistep, cosine, trapezoid]}}
        warmup_share: {value: 0.25, when: {schedule: onecycle}}
        lr_start: {value: 0.04, when: {schedule: onecycle}}
        lr_floor: {value: 1e-3, when: {schedule: [cosine, onecycle, trapezoid]}}
        restarts: {choice: [0, 1, 2], when: {schedule: cosine}}
        restart_growth: {value: 2.0, when: {schedule: cosine}}
        step_share: {value: 0.3, when: {schedule: step}}
        milestones: {value: [0.5, 0.75], when: {schedule: multistep}}
        gamma: {value: 0.1, when: {schedule: [step, multistep]}}
        cooldown_share: {uniform: [0.1, 0.4], when: {schedule: trapezoid}}
        label_smoothing: {choice: [0.0, 0.1]}
        mixup: 0.2
        cutmix: 0.0
        dropout: {uniform: [0.0, 0.5]}
        patience: 0
        keep_best: false
        normalize: true
        precision: auto
        seed: {choice: [0, 1, 2]}
    """

    model: ModelConfig = Field(description="The network, a family of ours or a function of your own.")
    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    batch_size: Annotated[int, Unit("images")] = Field(default=128, ge=1, le=65_536, description="Images per forward and backward pass.")
    accumulation: Annotated[int, Unit("batches")] = Field(
        default=1, ge=1, le=1024, description="Batches per optimizer step; their images weigh the same."
    )
    max_epochs: Annotated[int, Unit("epochs")] = Field(
        ge=1, le=1_000_000, description="Horizon: the epochs of a full run, and where the schedule ends."
    )

    optimizer: Literal["sgd", "nesterov", "adam", "adamw", "adagrad", "adadelta", "rmsprop", "nadam"] = Field(
        default="sgd", description="What makes a step of a gradient; each reads fields of its own."
    )
    lr: float = Field(gt=0.0, le=1e3, description="Highest learning rate.")
    momentum: float | None = Field(default=None, ge=0.0, lt=1.0, description="sgd, nesterov (0.9 by default) and rmsprop (0).")
    beta1: float | None = Field(default=None, ge=0.0, lt=1.0, description="adam, adamw, nadam: decay of the mean gradient; 0.9.")
    beta2: float | None = Field(default=None, ge=0.0, lt=1.0, description="adam, adamw, nadam: decay of the mean square; 0.999.")
    alpha: float | None = Field(default=None, ge=0.0, lt=1.0, description="rmsprop: decay of the mean square; 0.99 by default.")
    rho: float | None = Field(default=None, ge=0.0, lt=1.0, description="adadelta: decay of both mean squares; 0.9 by default.")
    momentum_decay: float | None = Field(default=None, ge=0.0, lt=1.0, description="nadam: how fast its momentum rises; 0.004.")
    eps: float | None = Field(default=None, gt=0.0, le=1.0, description="Added to a divisor; not for sgd, nesterov. torch's default.")
    weight_decay: float = Field(
        default=0.0, ge=0.0, le=10.0, description="L2 penalty added to the gradient, as torch.optim does; adamw shrinks the weights."
    )
    decay_norms: bool = Field(default=True, description="Whether weight decay also holds for norms and biases.")
    clip_norm: float = Field(default=0.0, ge=0.0, le=1e6, description="Longest gradient of a step, all weights together; 0 is off.")
    lookahead_k: Annotated[int, Unit("steps")] = Field(
        default=0, ge=0, le=10_000, description="Steps between two of Lookahead's slow weights; 0 is off."
    )
    lookahead_alpha: float | None = Field(default=None, gt=0.0, le=1.0, description="Lookahead: share of the way the slow go; 0.8.")
    ema_decay: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="Moving average of the weights, which is then evaluated and exported; 0 is off."
    )

    schedule: Literal["constant", "step", "multistep", "cosine", "onecycle", "trapezoid"] = Field(
        default="constant", description="Learning rate over the horizon `max_epochs`."
    )
    warmup_epochs: Annotated[float | None, Unit("epochs")] = Field(
        default=None, ge=0.0, le=1_000_000, description="Epochs of linear rise to lr, kept by a longer final; not for onecycle."
    )
    warmup_share: Annotated[Share | None, Unit("share of max_epochs")] = Field(
        default=None, description="onecycle: share of the horizon until lr is reached; 0.25 by default."
    )
    lr_start: Annotated[Share | None, Unit("share of lr")] = Field(
        default=None, description="onecycle: the first rate as a share of lr; 0.04 by default."
    )
    lr_floor: Annotated[float | None, Unit("share of lr")] = Field(
        default=None, ge=0.0, lt=1.0, description="cosine, trapezoid (0), onecycle (4e-6): the last share of lr."
    )
    restarts: int | None = Field(default=None, ge=0, le=100, description="cosine: times it begins again at lr; 0 by default.")
    restart_growth: float | None = Field(default=None, ge=1.0, le=10.0, description="cosine: length of a cycle over the one before; 1.")
    step_share: Annotated[Share | None, Unit("share of max_epochs")] = Field(
        default=None, description="step: share of the horizon between two drops; 0.3 by default."
    )
    milestones: Annotated[Annotated[tuple[Share, ...], Field(min_length=1, max_length=100)] | None, Unit("shares of max_epochs")] = Field(
        default=None, description="multistep: shares of the horizon at which lr drops, ascending; [0.5, 0.75] by default."
    )
    gamma: float | None = Field(default=None, gt=0.0, le=1.0, description="step, multistep: what a drop multiplies lr by; 0.1.")
    cooldown_share: Annotated[Share | None, Unit("share of max_epochs")] = Field(
        default=None, description="trapezoid: share of the horizon in which lr falls; 0.2 by default."
    )

    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0, description="Share of a label that is spread over all classes.")
    mixup: float = Field(default=0.0, ge=0.0, le=100.0, description="Alpha of the Beta distribution of mixup's shares; 0 is off.")
    cutmix: float = Field(default=0.0, ge=0.0, le=100.0, description="Alpha for CutMix; 0 is off. With mixup, each image draws which.")
    dropout: Annotated[float, Unit("probability")] = Field(
        default=0.0, ge=0.0, lt=1.0, description="Probability of dropping a feature before the last linear layer; not with a builder."
    )

    metric: Literal["val_accuracy", "val_loss"] = Field(default="val_accuracy", description="What `patience` and `keep_best` go by.")
    patience: Annotated[int, Unit("epochs")] = Field(
        default=0, ge=0, le=1_000_000, description="Epochs without a better metric that end the run; 0 is off."
    )
    keep_best: bool = Field(default=False, description="Whether a final exports the weights of its best epoch instead of its last.")

    normalize: bool = later(
        True, description="Subtract the mean pixel and divide by the standard deviation; without it pixels are scaled to 0..1."
    )
    precision: Literal["auto", "float32", "tf32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Number format of the forward pass; auto takes bfloat16 where the hardware computes in it. "
        "tf32 is float32 on a CPU; float16 scales its gradients, and needs a GPU.",
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="Seed of the weights, the order of images and the augmentation.")
    initial: str | None = later(
        None, pattern=r"^[0-9a-f]{16}$", description="Fingerprint of the weights that training starts from; set by final.stages."
    )

    @model_validator(mode="before")
    @classmethod
    def _fields_that_are_read(cls, values: Any) -> Any:
        """Fill in what the optimizer, the schedule and Lookahead read; refuse what they would ignore."""
        if not isinstance(values, dict) or not all(isinstance(values.get(chooser, ""), str) for chooser in CHOOSERS):
            return values  # the fields' own validation names the mistake
        mistakes: list[str] = []
        for chooser in CHOOSERS:
            choice = values.get(chooser, cls.model_fields[chooser].default)
            mistakes += _ignored(values, chooser, choice)
            values = _filled(values, chooser, choice)
        if values.get("lookahead_k"):
            values = {**values, "lookahead_alpha": LOOKAHEAD_ALPHA if values.get("lookahead_alpha") is None else values["lookahead_alpha"]}
        elif (alpha := values.get("lookahead_alpha")) is not None:
            mistakes.append(f"lookahead_alpha is {alpha}, must be left out where lookahead_k is 0; set lookahead_k")
        if mistakes:
            raise ValueError("\n".join(mistakes))
        return values

    @model_validator(mode="after")
    def _fields_agree(self) -> "TrainConfig":
        mistakes = []
        if self.optimizer == "nesterov" and not self.momentum:
            mistakes.append(f"momentum is {self.momentum}, must be > 0 for nesterov; plain gradient descent is sgd")
        if self.warmup_epochs and self.warmup_epochs >= self.max_epochs:
            mistakes.append(f"warmup_epochs is {self.warmup_epochs:g}, must be < max_epochs, which is {self.max_epochs}")
        if self.milestones and list(self.milestones) != sorted(set(self.milestones)):
            mistakes.append(f"milestones is {list(self.milestones)}, must be ascending")
        if mistakes:
            raise ValueError("\n".join(mistakes))
        return self

    @model_validator(mode="before")
    @classmethod
    def _one_dropout(cls, values: Any) -> Any:
        """Keep `model.dropout` as `dropout`, so that a stored configuration says it in one place; refuse both."""
        model = values.get("model") if isinstance(values, dict) else None
        content = model.model_dump() if isinstance(model, Network) else model
        if not isinstance(content, dict):
            return values
        above = values.get("dropout")
        if family_of(content) == "builder":
            if above:
                raise ValueError(f"dropout is {above}, must be left out where model is a builder; give its function an argument for it")
            return values
        if (inside := content.get("dropout")) is None:
            return values
        if above is not None:
            raise ValueError(f"dropout is {above}, must be left out where model.dropout is {inside}: they are the same")
        return values | {"model": {name: value for name, value in content.items() if name != "dropout"}, "dropout": inside}

    @property
    def stream(self) -> int:
        """Return the seed of everything drawn while training: a run that starts from weights does not see the images of the run before."""
        if self.initial is None:
            return self.seed
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{self.initial}".encode()).digest()[:8], "big") >> 1

    def hash(self) -> str:
        """Return 16 hexadecimal digits that are equal exactly for configurations that compute the same; labels are left out."""
        content = self.model_dump(mode="json")
        content["model"].pop("label", None)
        if not self.patience and not self.keep_best:
            del content["metric"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _ignored(values: Mapping[str, Any], chooser: str, choice: Any) -> list[str]:
    """Return what is wrong with fields that a choice would ignore."""
    if choice not in CHOOSERS[chooser]:
        return []
    return [
        f"{name} is {values[name]}, must be left out where {chooser} is {choice}, which does not use it; "
        f"add `when: {{{chooser}: [{', '.join(readers(chooser, name))}]}}`"
        for name in sorted(optional_fields(chooser) - CHOOSERS[chooser][choice].fields.keys())
        if values.get(name) is not None
    ]


def _filled(values: Mapping[str, Any], chooser: str, choice: Any) -> Mapping[str, Any]:
    """Return the values with the defaults of a choice."""
    defaults = CHOOSERS[chooser][choice].fields if choice in CHOOSERS[chooser] else {}
    return {**values, **{name: default for name, default in defaults.items() if values.get(name) is None}}
