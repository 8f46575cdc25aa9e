"""TrainConfig: the complete recipe of one run. Same configuration, same seed, same hardware: same numbers."""

import hashlib
import json
from typing import Any, Literal

from pydantic import Field, model_validator

from trainable.config.base import Frozen
from trainable.config.data import AugmentConfig, DataConfig
from trainable.config.families import Network
from trainable.config.model import ModelConfig, family_of
from trainable.config.recipe import OPTIMIZER_FIELDS, OPTIMIZERS


class TrainConfig(Frozen):
    """Everything that decides what one training run computes."""

    model: ModelConfig
    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    batch_size: int = Field(default=128, ge=1, le=65_536, description="Images per optimizer step.")
    optimizer: Literal["sgd", "adam", "adagrad"] = "sgd"
    lr: float = Field(gt=0.0, le=1e3, description="Initial (and highest) learning rate.")
    momentum: float | None = Field(default=None, ge=0.0, lt=1.0, description="sgd only; 0.9 by default.")
    weight_decay: float = Field(default=0.0, ge=0.0, le=10.0, description="L2 penalty added to the gradient, as torch.optim does.")
    schedule: Literal["constant", "cosine"] = Field(default="constant", description="Learning rate over the horizon `max_epochs`.")
    max_epochs: int = Field(ge=1, le=1_000_000, description="Horizon: the epochs of a full run, and where the schedule ends.")
    dropout: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="Probability of dropping a feature before the last linear layer; not with a builder."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Number format of the forward pass; auto takes bfloat16 where the hardware computes in it."
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="Seed of the weights, the order of images and the augmentation.")

    @model_validator(mode="before")
    @classmethod
    def _optimizer_fields(cls, values: Any) -> Any:
        """Fill in what the optimizer reads; refuse what it would ignore."""
        optimizer = values.get("optimizer", "sgd") if isinstance(values, dict) else None
        if not isinstance(optimizer, str) or (spec := OPTIMIZERS.get(optimizer)) is None:
            return values  # the field's own validation names the mistake
        for name in sorted(OPTIMIZER_FIELDS - spec.fields.keys()):
            if values.get(name) is not None:
                users = ", ".join(key for key, other in OPTIMIZERS.items() if name in other.fields)
                raise ValueError(
                    f"{name} is {values[name]}, must be left out where optimizer is {optimizer}, which does not use it; "
                    f"add `when: {{optimizer: [{users}]}}`"
                )
        return values | {name: default for name, default in spec.fields.items() if values.get(name) is None}

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

    def hash(self) -> str:
        """Return 16 hexadecimal digits that are equal exactly for configurations that compute the same; labels are left out."""
        content = self.model_dump(mode="json")
        content["model"].pop("label", None)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
